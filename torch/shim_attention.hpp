// Inner loops of attention, on dense blocks of one head: scores [rows, nk], values [nk, dim].
#pragma once
#include "shim_simd.hpp"
#include <algorithm>
#include <limits>

extern "C" { // BLAS of libtorch (MKL), column-major
void sgemm_(const char *, const char *, const int *, const int *, const int *, const float *, const float *, const int *,
            const float *, const int *, const float *, float *, const int *);
void dgemm_(const char *, const char *, const int *, const int *, const int *, const double *, const double *,
            const int *, const double *, const int *, const double *, double *, const int *);
}

namespace revela {

// gemm is C[m,n] = A[m,k] B[k,n] + beta·C in row-major order.
static inline void gemm(int m, int n, int k, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc) {
  const float one = 1;
  sgemm_("N", "N", &n, &m, &k, &one, b, &ldb, a, &lda, &beta, c, &ldc);
}
static inline void gemm(int m, int n, int k, const double *a, int lda, const double *b, int ldb, double beta, double *c,
                        int ldc) {
  const double one = 1;
  dgemm_("N", "N", &n, &m, &k, &one, b, &ldb, a, &lda, &beta, c, &ldc);
}

// store_row writes n sums.
template <class S, class C> REVELA_INLINE void store_row_body(const C *x, int64_t n, S *out) {
  for (int64_t c = 0; c < n; c++) store(out + c, x[c]);
}
REVELA_CLONES static void store_row(const float *x, int64_t n, float *out) { store_row_body(x, n, out); }
REVELA_CLONES static void store_row(const float *x, int64_t n, bf16 *out) { store_row_body(x, n, out); }
static void store_row(const double *x, int64_t n, double *out) { store_row_body(x, n, out); }

// scale_row is x *= a.
REVELA_CLONES static void scale_row(float a, float *x, int64_t n) {
  for (int64_t c = 0; c < n; c++) x[c] *= a;
}
static void scale_row(double a, double *x, int64_t n) {
  for (int64_t c = 0; c < n; c++) x[c] *= a;
}

// round_values rounds to bf16; round_scores does so before and after the scale.
REVELA_CLONES static void round_values(float *x, int64_t n) {
  for (int64_t c = 0; c < n; c++) x[c] = rounded<bf16>(x[c]);
}
static void round_values(double *, int64_t) {} // no fp64 network computes in bf16
REVELA_CLONES static void round_scores(float *x, float scale, int64_t n) {
  for (int64_t c = 0; c < n; c++) x[c] = rounded<bf16>(rounded<bf16>(x[c]) * scale);
}
static void round_scores(double *, double, int64_t) {}

// softmax_row turns scores [first, end) of one row into probabilities, the rest into 0; returns log Σ exp.
template <class C> REVELA_INLINE C softmax_row_body(C *s, int64_t first, int64_t end, int64_t nk) {
  C top = -std::numeric_limits<C>::infinity(), sum = 0;
#pragma omp simd reduction(max : top)
  for (int64_t c = first; c < end; c++) top = s[c] > top ? s[c] : top;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = first; c < end; c++) {
    s[c] = exp_inline(s[c] - top);
    sum += s[c];
  }
  C inverse = 1 / sum;
#pragma omp simd
  for (int64_t c = first; c < end; c++) s[c] *= inverse;
  std::fill(s, s + first, C(0));
  std::fill(s + end, s + nk, C(0));
  return top + std::log(sum);
}
REVELA_CLONES static float softmax_row(float *s, int64_t first, int64_t end, int64_t nk) {
  return softmax_row_body(s, first, end, nk);
}
static double softmax_row(double *s, int64_t first, int64_t end, int64_t nk) {
  return softmax_row_body(s, first, end, nk);
}

// exp_row turns scores into the probabilities that softmax_row gave, from its log Σ exp.
template <class C> REVELA_INLINE void exp_row_body(C *s, C lse, int64_t first, int64_t end, int64_t nk) {
#pragma omp simd
  for (int64_t c = first; c < end; c++) s[c] = exp_inline(s[c] - lse);
  std::fill(s, s + first, C(0));
  std::fill(s + end, s + nk, C(0));
}
REVELA_CLONES static void exp_row(float *s, float lse, int64_t first, int64_t end, int64_t nk) {
  exp_row_body(s, lse, first, end, nk);
}
static void exp_row(double *s, double lse, int64_t first, int64_t end, int64_t nk) {
  exp_row_body(s, lse, first, end, nk);
}

// dot is Σ a·b.
template <class C> REVELA_INLINE C dot_body(const C *a, const C *b, int64_t n) {
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < n; c++) sum += a[c] * b[c];
  return sum;
}
REVELA_CLONES static float dot(const float *a, const float *b, int64_t n) { return dot_body(a, b, n); }
static double dot(const double *a, const double *b, int64_t n) { return dot_body(a, b, n); }

// axpy is y += a·x.
template <class C> REVELA_INLINE void axpy_body(C a, const C *x, C *y, int64_t n) {
#pragma omp simd
  for (int64_t c = 0; c < n; c++) y[c] += a * x[c];
}
REVELA_CLONES static void axpy(float a, const float *x, float *y, int64_t n) { axpy_body(a, x, y, n); }
static void axpy(double a, const double *x, double *y, int64_t n) { axpy_body(a, x, y, n); }

// score_gradient_row turns x = dO·V into the gradient of the scores: p·(a·x + b·norm − c); norm may be null.
template <class C>
REVELA_INLINE void score_gradient_row_body(const C *p, const C *norm, C a, C b, C c0, C *x, int64_t n) {
  if (norm) {
#pragma omp simd
    for (int64_t c = 0; c < n; c++) x[c] = p[c] * (a * x[c] + b * norm[c] - c0);
  } else {
#pragma omp simd
    for (int64_t c = 0; c < n; c++) x[c] = p[c] * (a * x[c] - c0);
  }
}
REVELA_CLONES static void score_gradient_row(const float *p, const float *norm, float a, float b, float c0, float *x,
                                             int64_t n) {
  score_gradient_row_body(p, norm, a, b, c0, x, n);
}
static void score_gradient_row(const double *p, const double *norm, double a, double b, double c0, double *x,
                               int64_t n) {
  score_gradient_row_body(p, norm, a, b, c0, x, n);
}

} // namespace revela
