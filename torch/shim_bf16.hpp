// Blocks of sums as they are stored; as bf16 by the processor's own rounding, for code that runs only where multiplies_bf16().
#pragma once
#include "shim_simd.hpp"
#include <immintrin.h>

namespace revela {

#define REVELA_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

REVELA_BF16 inline __m512 widen(__m256i x) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16)); }

// put_sums stores c[rows][width] to y, whose rows lie stride apart: alone, or added to onto at the same places, before they
// are rounded or after. onto may be y.
REVELA_BF16 static inline void put_sums(const float *c, int64_t rows, int64_t width, const bf16 *onto, bool after, bf16 *y,
                                        int64_t stride) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t j = 0; j < width; j += 16) {
      __mmask16 there = (__mmask16)(width - j < 16 ? (1 << (width - j)) - 1 : 0xffff);
      __m512 v = _mm512_maskz_loadu_ps(there, c + r * width + j);
      if (after) v = widen((__m256i)_mm512_cvtneps_pbh(v));
      if (onto) v = _mm512_add_ps(v, widen(_mm256_maskz_loadu_epi16(there, onto + r * stride + j)));
      _mm256_mask_storeu_epi16(y + r * stride + j, there, (__m256i)_mm512_cvtneps_pbh(v));
    }
}

// The same for sums that are stored as they are.
REVELA_CLONES static void put_sums(const float *c, int64_t rows, int64_t width, const float *onto, bool, float *y, int64_t stride) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t j = 0; j < width; j++) y[r * stride + j] = c[r * width + j] + (onto ? onto[r * stride + j] : 0.0f);
}

} // namespace revela
