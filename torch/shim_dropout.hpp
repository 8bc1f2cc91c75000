// Dropout of LoRA's input: every layer's own mask of it, which backward makes again from a seed instead of keeping it.
#pragma once
#include <ATen/core/Tensor.h>
#include <vector>

namespace revela {

// Dropout zeroes elements with probability p and divides the rest by 1 − p; p = 0 leaves all as they are. The mask follows from
// seed and an element's place, counted from row `first`.
struct Dropout {
  double p = 0;
  int64_t seed = 0, first = 0;

  explicit operator bool() const { return p > 0; }
  Dropout from(int64_t row) const { return {p, seed, first + row}; }

  at::Tensor of(const at::Tensor &x) const;                // of x [T, in], contiguous
  void add_to(at::Tensor &sum, const at::Tensor &x) const; // sum += of(x), both [T, in] and contiguous
};

// DropoutMask is a dropout in whole numbers: an element is kept where its place, counted from start and mixed with the seed's
// halves, is at least `least`.
struct DropoutMask {
  uint32_t start, low, high, least;
  double scale; // of what is kept
};

// drop_on_cpu makes y the kept elements of x, or adds them to it; both are contiguous.
void drop_on_cpu(const DropoutMask &m, const at::Tensor &x, bool add, at::Tensor &y);

// draw_seed is the next number of libtorch's generator, which torch.Seed sets and checkpoints keep.
int64_t draw_seed();

} // namespace revela
