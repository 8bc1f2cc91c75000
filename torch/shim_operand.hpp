// Products of small blocks, C[m,n] (+)= A[m,k] B[k,n], as attention needs them by the thousand. A is read by rows wherever
// it lies; B is packed first. Elements are float, double, or bf16 with sums in float: then B lies in pairs of rows,
// [k/2][n][2], as the processor's bf16 dot product takes them, and k is even. libtorch's brgemm multiplies where it can.
#pragma once
#include "shim_attention.hpp"
#include <ATen/native/CPUBlas.h>
#include <c10/util/Exception.h>
#include <cstdlib>

namespace revela {

// multiplies_fp32 reports whether this machine has brgemm for float, which beats BLAS in blocks as small as these.
inline bool multiplies_fp32() {
  static const bool can = [] {
    float a[2 * 16] = {}, b[16 * 16] = {}, c[2 * 16];
    try {
      at::native::cpublas::brgemm(2, 16, 16, 16, 16, 16, false, a, b, c);
    } catch (const std::exception &) {
      return false;
    }
    return true;
  }();
  return can;
}

inline void multiply(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float *c,
                     int64_t ldc, bool add) {
  if (multiplies_fp32()) return at::native::cpublas::brgemm(m, n, k, lda, ldb, ldc, add, a, b, c);
  gemm((int)m, (int)n, (int)k, a, (int)lda, b, (int)ldb, add ? 1.0f : 0.0f, c, (int)ldc);
}
inline void multiply(int64_t m, int64_t n, int64_t k, const double *a, int64_t lda, const double *b, int64_t ldb, double *c,
                     int64_t ldc, bool add) {
  gemm((int)m, (int)n, (int)k, a, (int)lda, b, (int)ldb, add ? 1.0 : 0.0, c, (int)ldc);
}
inline void multiply(int64_t m, int64_t n, int64_t k, const bf16 *a, int64_t lda, const bf16 *b, int64_t ldb, float *c,
                     int64_t ldc, bool add) {
  at::native::cpublas::brgemm(m, n, k, lda, ldb, ldc, add, a, b, c, /*is_vnni=*/true);
}

// multiplies_bf16 reports whether this machine has brgemm for bf16; elsewhere bf16 blocks are widened to float.
inline bool multiplies_bf16() {
  static const bool can = [] {
    if (!__builtin_cpu_supports("avx512bf16")) return false;
    bf16 a[32 * 2] = {}, b[32 * 2] = {};
    float c[2 * 2];
    try {
      multiply(2, 2, 32, a, 32, b, 2, c, 2, false);
    } catch (const std::exception &) {
      return false;
    }
    return true;
  }();
  return can;
}

// Room is memory for blocks that lives for many operations, whatever is in it. It begins with a cache line, so that rows of a
// block lie in as few lines as they can.
template <class X> class Room {
  X *start = nullptr;
  int64_t size = 0;

public:
  static constexpr int64_t line = 64 / sizeof(X); // elements

  Room() = default;
  Room(const Room &) = delete;
  ~Room() { std::free(start); }

  // of is room for n elements; what an earlier call gave is gone when this one asks for more.
  X *of(int64_t n) {
    if (n <= size) return start;
    std::free(start);
    start = (X *)std::aligned_alloc(64, lines(n) * sizeof(X));
    size = start ? n : 0;
    TORCH_CHECK(start, "no memory for a block of ", n * sizeof(X), " bytes");
    return start;
  }
  static int64_t lines(int64_t n) { return (n + line - 1) / line * line; }
};

// tiled rounds a number of keys up, so that few shapes of products occur: brgemm compiles each once.
constexpr int64_t kTile = 16;
inline int64_t tiled(int64_t n) { return (n + kTile - 1) / kTile * kTile; }
inline int64_t even(int64_t n) { return n + n % 2; }

// --- B from rows of a tensor x[rows][stride]; rows up to padded are zero ---

// pack_rows makes B[k = padded rows, n = cols].
template <class S, class C>
REVELA_INLINE void pack_rows_body(const S *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, C *b) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < cols; c++) b[r * cols + c] = load(x + r * stride + c);
  std::fill(b + rows * cols, b + padded * cols, C(0));
}
REVELA_CLONES static void pack_rows(const float *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, float *b) {
  pack_rows_body(x, stride, rows, padded, cols, b);
}
REVELA_CLONES static void pack_rows(const bf16 *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, float *b) {
  pack_rows_body(x, stride, rows, padded, cols, b);
}
static void pack_rows(const double *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, double *b) {
  pack_rows_body(x, stride, rows, padded, cols, b);
}
REVELA_CLONES static void pack_rows(const bf16 *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, bf16 *b) {
  auto *from = (const uint16_t *)x;
  auto *to = (uint32_t *)b;
  int64_t r = 0;
  for (; r + 1 < rows; r += 2)
    for (int64_t c = 0; c < cols; c++)
      to[r / 2 * cols + c] = from[r * stride + c] | (uint32_t)from[(r + 1) * stride + c] << 16;
  for (; r < rows; r += 2)
    for (int64_t c = 0; c < cols; c++) to[r / 2 * cols + c] = from[r * stride + c];
  std::fill(to + r / 2 * cols, to + padded / 2 * cols, 0u);
}

// pack_columns makes B[k = cols, n = padded rows], the transpose.
template <class S, class C>
REVELA_INLINE void pack_columns_body(const S *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, C *b) {
  for (int64_t c = 0; c < cols; c++) {
    for (int64_t r = 0; r < rows; r++) b[c * padded + r] = load(x + r * stride + c);
    std::fill(b + c * padded + rows, b + (c + 1) * padded, C(0));
  }
}
REVELA_CLONES static void pack_columns(const float *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, float *b) {
  pack_columns_body(x, stride, rows, padded, cols, b);
}
REVELA_CLONES static void pack_columns(const bf16 *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, float *b) {
  pack_columns_body(x, stride, rows, padded, cols, b);
}
static void pack_columns(const double *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, double *b) {
  pack_columns_body(x, stride, rows, padded, cols, b);
}
REVELA_CLONES static void pack_columns(const bf16 *x, int64_t stride, int64_t rows, int64_t padded, int64_t cols, bf16 *b) {
  auto *to = (uint32_t *)b;
  for (int64_t c = 0; c < cols / 2; c++) {
    for (int64_t r = 0; r < rows; r++) __builtin_memcpy(to + c * padded + r, x + r * stride + 2 * c, 4);
    std::fill(to + c * padded + rows, to + (c + 1) * padded, 0u);
  }
}

// --- A ---

// Left is A: rows of elements, stride apart.
template <class E> struct Left {
  const E *at;
  int64_t stride;
};

// left takes rows of a tensor as A: where they lie, or widened into buffer.
template <class E> Left<E> left(const E *x, int64_t stride, int64_t, int64_t, E *) { return {x, stride}; }
inline Left<float> left(const bf16 *x, int64_t stride, int64_t rows, int64_t cols, float *buffer) {
  pack_rows(x, stride, rows, rows, cols, buffer);
  return {buffer, cols};
}

// transpose takes rows of a tensor as A[m = cols, k = rows]; for elements of bf16 rounded up to an even number of rows.
template <class S, class C> REVELA_INLINE void transpose_body(const S *x, int64_t stride, int64_t rows, int64_t cols, C *out) {
  for (int64_t c = 0; c < cols; c++)
    for (int64_t r = 0; r < rows; r++) out[c * rows + r] = load(x + r * stride + c);
}
REVELA_CLONES static void transpose(const float *x, int64_t stride, int64_t rows, int64_t cols, float *out) {
  transpose_body(x, stride, rows, cols, out);
}
REVELA_CLONES static void transpose(const bf16 *x, int64_t stride, int64_t rows, int64_t cols, float *out) {
  transpose_body(x, stride, rows, cols, out);
}
static void transpose(const double *x, int64_t stride, int64_t rows, int64_t cols, double *out) {
  transpose_body(x, stride, rows, cols, out);
}
REVELA_CLONES static void transpose(const bf16 *x, int64_t stride, int64_t rows, int64_t cols, bf16 *out) {
  auto *from = (const uint16_t *)x;
  auto *to = (uint16_t *)out;
  for (int64_t c = 0; c < cols; c++) {
    for (int64_t r = 0; r < rows; r++) to[c * even(rows) + r] = from[r * stride + c];
    if (rows % 2) to[c * even(rows) + rows] = 0;
  }
}

// --- A and B from a block of sums x[rows][n], behind which there is room for one row more ---

template <class E> Left<E> as_left(const E *x, int64_t, int64_t n, E *) { return {x, n}; }
REVELA_CLONES static void narrow(const float *x, int64_t n, bf16 *out) {
  for (int64_t c = 0; c < n; c++) store(out + c, x[c]);
}
inline Left<bf16> as_left(const float *x, int64_t rows, int64_t n, bf16 *buffer) {
  narrow(x, rows * n, buffer);
  return {buffer, n};
}

template <class E> const E *as_right(E *x, int64_t, int64_t, E *) { return x; }
REVELA_CLONES static void interleave(const float *x, const float *y, int64_t n, bf16 *out) {
  for (int64_t c = 0; c < n; c++) {
    store(out + 2 * c, x[c]);
    store(out + 2 * c + 1, y[c]);
  }
}
inline const bf16 *as_right(float *x, int64_t rows, int64_t n, bf16 *buffer) {
  if (rows % 2) std::fill(x + rows * n, x + (rows + 1) * n, 0.0f);
  for (int64_t r = 0; r < rows; r += 2) interleave(x + r * n, x + (r + 1) * n, n, buffer + r * n);
  return buffer;
}

} // namespace revela
