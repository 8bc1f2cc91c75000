// Gradients of LoRA's factors: products as long as a batch and as thin as a rank, which libtorch's product has no shape for.
#include "shim_attention_kernel.hpp"
#include "shim_bf16.hpp"
#include "shim_panels.hpp"
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <ATen/record_function.h>

using at::Tensor;

namespace revela {

namespace {

constexpr int64_t kWidth = 32; // columns of a task
constexpr int64_t kThin = 64;  // ranks up to here; libtorch's product is good at more

// turn makes a [T, rank] pieces [rank, piece], one for each so many rows: products of few shapes read them, as each shape is
// compiled.
template <class X> REVELA_INLINE void turn_body(const X *a, int64_t rows, int64_t rank, int64_t piece, X *to) {
  for (int64_t t = 0; t < rows; t++)
    for (int64_t r = 0; r < rank; r++) to[t / piece * piece * rank + r * piece + t % piece] = a[t * rank + r];
}
REVELA_CLONES static void turn(const uint16_t *a, int64_t rows, int64_t rank, int64_t piece, uint16_t *to) {
  turn_body(a, rows, rank, piece, to);
}
REVELA_CLONES static void turn(const float *a, int64_t rows, int64_t rank, int64_t piece, float *to) {
  turn_body(a, rows, rank, piece, to);
}

// turned is a in such pieces; the rows that the last one lacks are zero.
template <class X> Tensor turned(const Tensor &a, int64_t piece) {
  int64_t rows = a.size(0), rank = a.size(1);
  Tensor pieces = at::zeros({(rows + piece - 1) / piece, rank, piece}, a.options());
  turn((const X *)a.const_data_ptr(), rows, rank, piece, (X *)pieces.mutable_data_ptr());
  return pieces;
}

// --- bf16 ---

constexpr int64_t kPiece = 256; // rows that are summed at a time: their columns, paired, stay in the nearest cache

int64_t depth(int64_t rows, int64_t at) { return std::min(kPiece, (rows - at + 31) / 32 * 32); }

void thin_bf16(const Tensor &left, const Tensor &right, Tensor &y) {
  int64_t rows = right.size(0), rank = left.size(1), n = right.size(1);
  Tensor pieces = turned<uint16_t>(left, kPiece);
  auto *l = pieces.const_data_ptr<bf16>(), *r = right.const_data_ptr<bf16>();
  auto *out = y.mutable_data_ptr<bf16>();
  at::parallel_for(0, n / kWidth, 1, [&](int64_t begin, int64_t end) {
    thread_local Room<bf16> pairs;
    thread_local Room<float> sums;
    bf16 *p = pairs.of(kPiece * kWidth);
    float *c = sums.of(rank * kWidth);
    for (int64_t i = begin; i < end; i++) {
      for (int64_t t = 0; t < rows; t += kPiece) {
        int64_t k = depth(rows, t);
        pack_rows(r + t * n + i * kWidth, n, std::min(k, rows - t), k, kWidth, p);
        multiply(rank, kWidth, k, l + t * rank, kPiece, p, kWidth, c, kWidth, t > 0);
      }
      put_sums(c, rank, kWidth, nullptr, false, out + i * kWidth, n);
    }
    at::native::cpublas::brgemm_release();
  });
}

// --- fp32 ---

constexpr int64_t kFewRows = 64; // rows that are summed at a time where they lie: as many pages as the processor knows at once

void thin_fp32(const Tensor &left, const Tensor &right, Tensor &y) {
  int64_t rows = right.size(0), rank = left.size(1), n = right.size(1);
  Tensor pieces = turned<float>(left, kFewRows);
  auto *l = pieces.const_data_ptr<float>(), *r = right.const_data_ptr<float>();
  float *out = y.mutable_data_ptr<float>();
  at::parallel_for(0, n / kWidth, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = 0; t < rows; t += kFewRows)
      for (int64_t i = begin * kWidth; i < end * kWidth; i += kWidth)
        multiply(rank, kWidth, std::min(kFewRows, rows - t), l + t * rank, kFewRows, r + t * n + i, n, out + i, n, t > 0);
    at::native::cpublas::brgemm_release();
  });
}

} // namespace

Tensor transposed_product(const Tensor &a, const Tensor &b) {
  bool suits = a.size(1) <= kThin && b.size(1) % kWidth == 0 && b.size(0) > 0 && a.scalar_type() == b.scalar_type();
  if (!suits || !(multiplies_bf16(a) || multiplies_fp32(a))) return at::mm(a.t(), b);
  RECORD_FUNCTION("revela::thin", std::vector<c10::IValue>());
  Tensor left = a.contiguous(), right = b.contiguous(), y = at::empty({a.size(1), b.size(1)}, a.options());
  if (a.scalar_type() == at::kFloat) thin_fp32(left, right, y);
  else thin_bf16(left, right, y);
  return y;
}

} // namespace revela
