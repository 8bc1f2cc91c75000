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

constexpr int64_t kPiece = 256; // rows that are summed at a time: their columns, paired, stay in the nearest cache
constexpr int64_t kWidth = 32;  // columns of a task
constexpr int64_t kThin = 64;   // ranks up to here; libtorch's product is good at more

int64_t depth(int64_t rows, int64_t at) { return std::min(kPiece, (rows - at + 31) / 32 * 32); } // few shapes: each is compiled

// turned is a [T, rank] as pieces [rank, 256], one for each 256 rows; the rows that lack are zero.
REVELA_CLONES static void turn(const uint16_t *a, int64_t rows, int64_t rank, uint16_t *to) {
  for (int64_t t = 0; t < rows; t++)
    for (int64_t r = 0; r < rank; r++) to[t / kPiece * kPiece * rank + r * kPiece + t % kPiece] = a[t * rank + r];
}

} // namespace

Tensor transposed_product(const Tensor &a, const Tensor &b) {
  int64_t rows = b.size(0), rank = a.size(1), n = b.size(1), pieces = (rows + kPiece - 1) / kPiece;
  if (!multiplies_bf16(a) || !multiplies_bf16(b) || rank > kThin || n % kWidth || rows == 0) return at::mm(a.t(), b);
  RECORD_FUNCTION("revela::thin", std::vector<c10::IValue>());
  Tensor left = a.contiguous(), right = b.contiguous(), turned = at::zeros({pieces, rank, kPiece}, left.options());
  turn((const uint16_t *)left.const_data_ptr(), rows, rank, (uint16_t *)turned.mutable_data_ptr());
  Tensor y = at::empty({rank, n}, left.options());
  auto *l = turned.const_data_ptr<bf16>(), *r = right.const_data_ptr<bf16>();
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
  return y;
}

} // namespace revela
