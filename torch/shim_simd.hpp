// Plain loops that the compiler vectorises, compiled once for each level of x86-64 (REVELA_CLONES).
#pragma once
#include "shim.hpp"
#include <c10/util/BFloat16.h>
#include <cmath>
#include <cstdint>

namespace revela {

using bf16 = c10::BFloat16;

// exp to about one unit in the last place of a float, in operations that vectorise (Cephes' expf).
static inline float exp_inline(float x) {
  x = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
  float n = std::floor(x * 1.44269504088896341f + 0.5f);
  float r = x - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  union { int32_t i; float f; } pow2;
  pow2.i = ((int32_t)n + 127) << 23;
  return p * pow2.f;
}
static inline double exp_inline(double x) { return std::exp(x); }

static inline float load(const float *x) { return *x; }
static inline double load(const double *x) { return *x; }
static inline float load(const bf16 *x) {
  union { uint32_t i; float f; } u;
  u.i = (uint32_t)x->x << 16;
  return u.f;
}
static inline void store(float *x, float v) { *x = v; }
static inline void store(double *x, double v) { *x = v; }
static inline void store(bf16 *x, float v) { // to nearest, ties to even; NaN stays NaN
  union { float f; uint32_t i; } u;
  u.f = v;
  uint32_t rounded = (u.i + 0x7fff + ((u.i >> 16) & 1)) >> 16;
  x->x = (uint16_t)(v != v ? 0x7fc0 : rounded);
}

// rounded is v as it would be after a store and a load.
template <class S, class C> static inline C rounded(C v) {
  S stored;
  store(&stored, v);
  return load(&stored);
}

// compute is the type in which values of storage type S are summed.
template <class S> struct compute { using type = float; };
template <> struct compute<double> { using type = double; };

#define REVELA_INLINE static inline __attribute__((always_inline))

// A loop has one body, inlined into a float version with clones and a double version without: the clones'
// attribute cannot stand on a template.

} // namespace revela
