/* bf16_inline.h - elements of two bfloat16 values (product.h), for AVX-512 with
 * bfloat16 instructions. Value 2e stands in the upper half of element e.
 */
#ifndef SK_MATH_CPU_BF16_INLINE_H
#define SK_MATH_CPU_BF16_INLINE_H
#include <immintrin.h>
#include "math/cpu/math_inline.h"

/* 16 elements of 32 consecutive values. */
SK_INLINE __m512i elements(__m512 low, __m512 high)
{
    return _mm512_rol_epi32((__m512i)_mm512_cvtne2ps_pbh(high, low), 16);
}

/* 16 elements of pairs (first[j], second[j]). */
SK_INLINE __m512i pairs(__m512 first, __m512 second)
{
    const __m512i order = _mm512_set_epi16(
        15, 31, 14, 30, 13, 29, 12, 28, 11, 27, 10, 26, 9, 25, 8, 24,
        7, 23, 6, 22, 5, 21, 4, 20, 3, 19, 2, 18, 1, 17, 0, 16);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

SK_INLINE __mmask16 first_lanes(int n) { return n >= 16 ? 0xffff : n > 0 ? (__mmask16)((1u << n) - 1) : 0; }
#endif
