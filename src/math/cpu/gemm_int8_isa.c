/* gemm_int8_isa.c - products of int8 values on processors without
 * instructions for them: an element is two int16 values. */
#include <immintrin.h>
#include "math/cpu/math_inline.h"
#include "math/cpu/product.h"

typedef int16_t value;
#ifdef __AVX512F__
typedef __m512i vec;
enum { LANES = 16, TILE = SK_TILE_AVX512, WIDTH = SK_WIDTH_AVX512 };
#define FETCH_ONE(p) _mm512_loadu_si512(p)
#define ZERO() _mm512_setzero_si512()
#define SPREAD(x) _mm512_castps_si512(_mm512_set1_ps(x))
#define FMA(a, b, c) _mm512_add_epi32(c, _mm512_madd_epi16(a, b))
#define FINISH(r, j, s) SK_FINISH_INT8(r, j, s)
SK_INLINE void put16(value *to, sk_v16 q)
{
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(q)));
}
#else
typedef __m256i vec;
enum { LANES = 8, TILE = SK_TILE_AVX2, WIDTH = SK_WIDTH_AVX2 };
#define FETCH_ONE(p) _mm256_loadu_si256((const __m256i *)(p))
#define ZERO() _mm256_setzero_si256()
#define SPREAD(x) _mm256_castps_si256(_mm256_broadcast_ss(&(x)))
#define FMA(a, b, c) _mm256_add_epi32(c, _mm256_madd_epi16(a, b))
#define FINISH(r, j, s)                                                                                  \
    {                                                                                                    \
        __m256 factor = _mm256_mul_ps(_mm256_broadcast_ss(end.row_scale + r),                            \
                                      _mm256_loadu_ps(end.column_scale + j * LANES));                    \
        __m256 sum = _mm256_cvtepi32_ps(_mm256_sub_epi32(s, FETCH_ONE(end.column_offset + j * LANES)));  \
        _mm256_storeu_ps(c + r * ldc + j * LANES,                                                        \
                         end.bias ? _mm256_fmadd_ps(sum, factor, _mm256_loadu_ps(end.bias + j * LANES))  \
                                  : _mm256_mul_ps(sum, factor));                                         \
    }
SK_INLINE void put16(value *to, sk_v16 q)
{
    __m256i both = _mm256_packs_epi32(_mm256_cvtps_epi32(q.lo), _mm256_cvtps_epi32(q.hi));
    _mm256_storeu_si256((__m256i *)to, _mm256_permute4x64_epi64(both, 0xd8));
}
#endif
SK_INLINE void put16_left(value *to, sk_v16 q) { put16(to, q); }
enum { VALUES = 2, UNIT = 1, DEPTH_AT_ONCE = 1 << 30 };
#define FIRST(p) ZERO()
#define OFFSET(sum) (0 * (sum))
#define INT8_NAME(f, isa) SK_ISA_PASTE(f##_int8, isa)
#define NAME(f) INT8_NAME(f, SK_ISA)
#include "math/cpu/gemm_int8_inline.h"
