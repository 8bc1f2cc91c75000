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

// Rows of scores come as products Q Kᵀ. They are scaled, and rounded where transformers' eager attention in storage type S
// rounds: the products, the scaled scores, the probabilities. In fp32 and fp64 nothing is rounded.
template <class S, class C> REVELA_INLINE C score(C product, C scale) { return rounded<S>(rounded<S>(product) * scale); }

// clear fills what lies outside of [first, end).
template <class X> REVELA_INLINE void clear(X *x, int64_t first, int64_t end, int64_t nk) {
  std::fill(x, x + first, X(0));
  std::fill(x + end, x + nk, X(0));
}

// Softmax is what forward needs of a row besides its probabilities: log Σ exp, and Σ p·norm where norms are given.
template <class C> struct Softmax { C lse, mean_norm; };

// softmax_row turns products [first, end) of one row into probabilities in to, which may be s; the rest is 0.
template <class S, class C, class E>
REVELA_INLINE Softmax<C> softmax_row_body(C *s, C scale, int64_t first, int64_t end, int64_t nk, const C *norms, E *to) {
  C top = -std::numeric_limits<C>::infinity(), sum = 0, mean = 0;
#pragma omp simd reduction(max : top)
  for (int64_t c = first; c < end; c++) {
    s[c] = score<S>(s[c], scale);
    top = s[c] > top ? s[c] : top;
  }
#pragma omp simd reduction(+ : sum)
  for (int64_t c = first; c < end; c++) {
    s[c] = exp_inline(s[c] - top);
    sum += s[c];
  }
  C inverse = 1 / sum;
  if (norms) {
#pragma omp simd reduction(+ : mean)
    for (int64_t c = first; c < end; c++) {
      C p = rounded<S>(s[c] * inverse);
      mean += p * norms[c];
      store(to + c, p);
    }
  } else {
#pragma omp simd
    for (int64_t c = first; c < end; c++) store(to + c, rounded<S>(s[c] * inverse));
  }
  clear(to, first, end, nk);
  return {top + std::log(sum), mean};
}

// probability_row turns products of one row into the probabilities that softmax_row gave, from its log Σ exp.
template <class S, class C>
REVELA_INLINE void probability_row_body(C *s, C scale, C lse, int64_t first, int64_t end, int64_t nk) {
#pragma omp simd
  for (int64_t c = first; c < end; c++) s[c] = rounded<S>(exp_inline(score<S>(s[c], scale) - lse));
  clear(s, first, end, nk);
}

// As names the storage type.
template <class S> struct As {};

REVELA_CLONES static Softmax<float> softmax_row(As<float>, float *s, float scale, int64_t first, int64_t end, int64_t nk,
                                                const float *norms, float *to) {
  return softmax_row_body<float>(s, scale, first, end, nk, norms, to);
}
REVELA_CLONES static Softmax<float> softmax_row(As<bf16>, float *s, float scale, int64_t first, int64_t end, int64_t nk,
                                                const float *norms, bf16 *to) {
  return softmax_row_body<bf16>(s, scale, first, end, nk, norms, to);
}
REVELA_CLONES static Softmax<float> softmax_row(As<bf16>, float *s, float scale, int64_t first, int64_t end, int64_t nk,
                                                const float *norms, float *to) {
  return softmax_row_body<bf16>(s, scale, first, end, nk, norms, to);
}
static Softmax<double> softmax_row(As<double>, double *s, double scale, int64_t first, int64_t end, int64_t nk,
                                   const double *norms, double *to) {
  return softmax_row_body<double>(s, scale, first, end, nk, norms, to);
}

REVELA_CLONES static void probability_row(As<float>, float *s, float scale, float lse, int64_t first, int64_t end, int64_t nk) {
  probability_row_body<float>(s, scale, lse, first, end, nk);
}
REVELA_CLONES static void probability_row(As<bf16>, float *s, float scale, float lse, int64_t first, int64_t end, int64_t nk) {
  probability_row_body<bf16>(s, scale, lse, first, end, nk);
}
static void probability_row(As<double>, double *s, double scale, double lse, int64_t first, int64_t end, int64_t nk) {
  probability_row_body<double>(s, scale, lse, first, end, nk);
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

// Moments are Σ p·x and Σ p·norm of a row.
template <class C> struct Moments { C x, norm; };
template <class C> REVELA_INLINE Moments<C> moments_body(const C *p, const C *x, const C *norm, int64_t n) {
  C along = 0, mean = 0;
#pragma omp simd reduction(+ : along, mean)
  for (int64_t c = 0; c < n; c++) along += p[c] * x[c], mean += p[c] * norm[c];
  return {along, mean};
}
REVELA_CLONES static Moments<float> moments(const float *p, const float *x, const float *norm, int64_t n) {
  return moments_body(p, x, norm, n);
}
static Moments<double> moments(const double *p, const double *x, const double *norm, int64_t n) { return moments_body(p, x, norm, n); }

// Slope says how a row's gradient follows from its probabilities p, from x = dO·V and from the norms of V.
template <class C> struct Slope {
  C x, norm, less; // dS = p·(x·x + norm·‖V‖ − less)
  C value;         // the factor of dO in dV is value·p
  C dnorm;         // d‖V‖ += dnorm·p
};

// slope_row turns x into the gradient of the scores and p into the factor of dO in dV, and adds to d‖V‖; norm and dnorm
// are null where there is no value norm.
template <class C> REVELA_INLINE void slope_row_body(Slope<C> f, C *p, C *x, const C *norm, C *dnorm, int64_t n) {
  if (norm) {
#pragma omp simd
    for (int64_t c = 0; c < n; c++) {
      dnorm[c] += f.dnorm * p[c];
      x[c] = p[c] * (f.x * x[c] + f.norm * norm[c] - f.less);
      p[c] *= f.value;
    }
  } else {
#pragma omp simd
    for (int64_t c = 0; c < n; c++) {
      x[c] = p[c] * (f.x * x[c] - f.less);
      p[c] *= f.value;
    }
  }
}
REVELA_CLONES static void slope_row(Slope<float> f, float *p, float *x, const float *norm, float *dnorm, int64_t n) {
  slope_row_body(f, p, x, norm, dnorm, n);
}
static void slope_row(Slope<double> f, double *p, double *x, const double *norm, double *dnorm, int64_t n) {
  slope_row_body(f, p, x, norm, dnorm, n);
}

} // namespace revela
