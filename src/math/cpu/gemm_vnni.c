/* gemm_vnni.c - products of int8 values by VPDPBUSD, four of them an element;
 * compiled for AVX-512 with VNNI.
 *
 * The instruction takes unsigned values on one side: the left-hand ones are
 * stored 128 higher, which makes each sum too large by 128 times the sum of its
 * column.
 */
#include <immintrin.h>
#include "math/cpu/math_inline.h"
#include "math/cpu/product.h"

typedef int8_t value;
typedef __m512i vec;
enum { LANES = 16, TILE = SK_TILE_AVX512, WIDTH = SK_WIDTH_AVX512, VALUES = 4, UNIT = SK_UNIT_VNNI, DEPTH_AT_ONCE = 1 << 30 };
#define FETCH_ONE(p) _mm512_loadu_si512(p)
#define ZERO() _mm512_setzero_si512()
#define FIRST(p) ZERO()
#define SPREAD(x) _mm512_castps_si512(_mm512_set1_ps(x))
/* Not by its intrinsic: GCC 12 then copies every sum to another register and
 * back at each step. */
SK_INLINE vec add_products(vec a, vec b, vec c)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(c) : "v"(a), "v"(b));
    return c;
}
#define FMA(a, b, c) add_products(a, b, c)
#define FINISH(r, j, s) SK_FINISH_INT8(r, j, s)
#define OFFSET(sum) (128 * (sum))
#define NAME(f) f##_int8_vnni
SK_INLINE void put16(value *to, sk_v16 q)
{
    _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(q)));
}
SK_INLINE void put16_left(value *to, sk_v16 q)
{
    __m128i v = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(q));
    _mm_storeu_si128((__m128i *)to, _mm_xor_si128(v, _mm_set1_epi8(-128)));
}
#include "math/cpu/gemm_int8_inline.h"
