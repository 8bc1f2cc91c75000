// Plain loops that the compiler vectorises, compiled once for each level of x86-64 (REVELA_CLONES).
#pragma once
#include "shim.hpp"
#include <c10/util/BFloat16.h>
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace revela {

#define REVELA_INLINE static inline __attribute__((always_inline))

using bf16 = c10::BFloat16;

REVELA_INLINE uint32_t float_to_bits(float f) {
  uint32_t i;
  __builtin_memcpy(&i, &f, 4);
  return i;
}
REVELA_INLINE float bits_to_float(uint32_t i) {
  float f;
  __builtin_memcpy(&f, &i, 4);
  return f;
}

// exp to about one unit in the last place of a float, in operations that vectorise (Cephes' expf). Adding 1.5·2²³ rounds
// to an integer, which then stands in the low bits: no conversion between float and integer is needed.
REVELA_INLINE float exp_inline(float x) {
  constexpr float magic = 12582912.0f;
  x = std::min(std::max(x, -87.0f), 88.0f);
  float shifted = x * 1.44269504088896341f + magic;
  float n = shifted - magic;
  float r = x - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * bits_to_float((float_to_bits(shifted) + 127) << 23);
}
REVELA_INLINE double exp_inline(double x) { return std::exp(x); }

REVELA_INLINE float load(const float *x) { return *x; }
REVELA_INLINE double load(const double *x) { return *x; }
REVELA_INLINE float load(const bf16 *x) { return bits_to_float((uint32_t)x->x << 16); }
REVELA_INLINE void store(float *x, float v) { *x = v; }
REVELA_INLINE void store(double *x, double v) { *x = v; }
REVELA_INLINE void store(bf16 *x, float v) { // to nearest, ties to even; NaN stays NaN
  uint32_t bits = float_to_bits(v);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  x->x = (uint16_t)(v != v ? 0x7fc0 : rounded);
}

// rounded is v as it would be after a store and a load.
template <class S, class C> REVELA_INLINE C rounded(C v) {
  S stored;
  store(&stored, v);
  return load(&stored);
}

// compute is the type in which values of storage type S are summed.
template <class S> struct compute { using type = float; };
template <> struct compute<double> { using type = double; };

// A loop has one body, inlined into a float version with clones and a double version without: the clones'
// attribute cannot stand on a template.

} // namespace revela
