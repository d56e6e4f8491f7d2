/* gemm_float_inline.h - products of elements that are one float32 value: what
 * gemm_isa.c and gemm_blocks_isa.c share; they define NAME(f).
 */
#ifndef SK_MATH_CPU_GEMM_FLOAT_INLINE_H
#define SK_MATH_CPU_GEMM_FLOAT_INLINE_H
#include <immintrin.h>
#include "math/cpu/math_inline.h"
#include "math/cpu/product.h"

#ifdef __AVX512F__
typedef __m512 vec;
enum { LANES = 16, TILE = SK_TILE_AVX512, WIDTH = SK_WIDTH_AVX512 };
#define FETCH_ONE(p) _mm512_loadu_ps(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define ZERO() _mm512_setzero_ps()
#define SPREAD(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#else
typedef __m256 vec;
enum { LANES = 8, TILE = SK_TILE_AVX2, WIDTH = SK_WIDTH_AVX2 };
#define FETCH_ONE(p) _mm256_loadu_ps(p)
#define STORE(p, v) _mm256_storeu_ps(p, v)
#define ZERO() _mm256_setzero_ps()
#define SPREAD(x) _mm256_broadcast_ss(&(x))
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#endif
enum { VALUES = 1, DEPTH_AT_ONCE = SK_DEPTH };
#define FIRST(p) FETCH_ONE(p)
#define FINISH(r, j, s)                                              \
    if (end.bias) s = ADD(s, FETCH_ONE(end.bias + j * LANES));   \
    STORE(c + r * ldc + j * LANES, s);
#include "math/cpu/leaf_inline.h"

static void narrow_row(float *to, const float *from, int n)
{
    int i = 0;
    for (; i + 16 <= n; i += 16)
        sk_store16(to + i, sk_narrow16(sk_load16(from + i)));
    if (i < n)
        sk_store_part16(to + i, n - i, sk_narrow16(sk_load_part16(from + i, n - i, 0)));
}

SK_INLINE void pack_tiles(float *a, float *db, const float *dy, size_t ldy, int M, int rows, int round)
{
    int whole = M / TILE, part = M % TILE;
    size_t tile = (size_t)rows * TILE;
    for (int t = 0; t < rows; t++, dy += ldy) {
        float *to = a + (size_t)t * TILE;
        fetch_ahead(dy, ldy, M, t, rows);
        for (int i = 0; i < whole; i++) {
            if (round)
                narrow_row(to + (size_t)i * tile, dy + i * TILE, TILE);
            else
                memcpy(to + (size_t)i * tile, dy + i * TILE, TILE * sizeof *a);
        }
        if (part) {
            float *last = to + (size_t)whole * tile;
            for (int j = 0; j < TILE; j++)
                last[j] = j < part ? dy[whole * TILE + j] : 0.0f;
            if (round)
                narrow_row(last, last, part);
        }
        if (db)
            add_row(db, dy, M);
    }
}

#endif
