/* gemm_bf16.c - products of bfloat16 values, two of them an element; compiled
 * for AVX-512 with bfloat16 instructions.
 *
 * VDPBF16PS takes two fused multiply-adds in turn, first with the upper
 * halves of the elements, then with the lower ones; it rounds to nearest after
 * each, and takes and gives zeros for subnormal numbers. So with value 2e in
 * the upper half of element e and 2e + 1 in the lower, c is the same chain
 * over ascending k that float32 instructions make of the same values in a
 * mode that flushes subnormals.
 *
 * Depth is filled up to whole units of SK_UNIT_BF16 elements, for gemm_amx.c's
 * sake: by +0 on the left and -0 on the right. Adding their product, -0, changes
 * nothing, not even a zero's sign.
 */
#include "math/cpu/bf16_inline.h"
#include "math/cpu/product.h"

typedef __m512 vec;
enum { LANES = 16, TILE = SK_TILE_AVX512, WIDTH = SK_WIDTH_AVX512, VALUES = 2, DEPTH_AT_ONCE = SK_DEPTH };
#define LOAD(p) _mm512_loadu_ps(p)
#define FETCH_ONE(p) LOAD(p)
#define FIRST(p) LOAD(p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define ZERO() _mm512_setzero_ps()
#define SPREAD(x) _mm512_set1_ps(x)
#define ADD(a, b) _mm512_add_ps(a, b)
#define FMA(a, b, c) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))
#define FINISH(r, j, s)                                                       \
    if (end.bias) s = ADD(s, LOAD(end.bias + j * LANES));                \
    STORE(c + r * ldc + j * LANES, s);
#define NAME(f) f##_bf16
#include "math/cpu/leaf_inline.h"

/* --- packing ------------------------------------------------------------------ */

/* Elements of rows of n values: whole units, whose last values are `pad`. */
SK_INLINE void narrow_row(float *to, const float *from, int n, float pad)
{
    int k = 0;
    for (; k + 32 <= n; k += 32)
        _mm512_storeu_si512(to + k / 2, elements(LOAD(from + k), LOAD(from + k + 16)));
    if (k < n) {
        __m512 fill = _mm512_set1_ps(pad);
        __m512 low = _mm512_mask_loadu_ps(fill, first_lanes(n - k), from + k);
        __m512 high = _mm512_mask_loadu_ps(fill, first_lanes(n - k - 16), from + k + 16);
        _mm512_storeu_si512(to + k / 2, elements(low, high));
    }
}

static int units(int values) { return (values + 2 * SK_UNIT_BF16 - 1) / (2 * SK_UNIT_BF16); }

void sk_rows_bf16(float *to, float *scale, const float *a, size_t lda, int M, int K)
{
    (void)scale;
    for (int m = 0; m < M; m++)
        narrow_row(to + (size_t)m * (size_t)(units(K) * SK_UNIT_BF16), a + (size_t)m * lda, K, 0.0f);
}

void sk_pack_bf16(float *panels, size_t step, const float *b, size_t ldb, int N, int rows)
{
    const __m512 nothing = _mm512_set1_ps(-0.0f);
    for (int k = 0; k < units(rows) * 2 * SK_UNIT_BF16; k += 2, b += 2 * ldb, panels += WIDTH) {
        float *to = panels;
        for (int n = 0; n < N; n += WIDTH, to += step)
            for (int j = 0; j < WIDTH; j += 16) {
                __mmask16 m = first_lanes(N - n - j);
                __m512 first = k < rows ? _mm512_maskz_loadu_ps(m, b + n + j) : nothing;
                __m512 second = k + 1 < rows ? _mm512_maskz_loadu_ps(m, b + ldb + n + j) : nothing;
                _mm512_storeu_si512(to + j, pairs(first, second));
            }
    }
}

void sk_pack_transposed_bf16(float *panels, const float *b, int N, int K, int p)
{
    int depth = units(K) * SK_UNIT_BF16, part = least(WIDTH, N - p * WIDTH);
    float *to = panels + (size_t)p * WIDTH * (size_t)depth;
    const float *from = b + (size_t)p * WIDTH * (size_t)K;
    /* squares of 16 elements, turned over */
    for (int j = 0; j < WIDTH; j += 16)
        for (int e = 0; e < depth; e += 16) {
            _Alignas(64) float square[16][16] = { { 0 } };
            int rows = least(16, part - j), n = least(32, K - 2 * e);
            for (int i = 0; i < rows; i++)
                narrow_row(square[i], from + (size_t)(j + i) * (size_t)K + 2 * e, n, -0.0f);
            sk_turn(to + (size_t)e * WIDTH + j, WIDTH, square[0], 16, 16);
        }
}

/* --- gradients of weights ------------------------------------------------------- */

SK_INLINE void pack_tiles(float *a, float *db, const float *dy, size_t ldy, int M, int rows, int round)
{
    size_t tile = (size_t)((rows + 1) / 2) * TILE;
    (void)round;
    for (int t = 0; t < rows; t += 2, dy += 2 * ldy, a += TILE) {
        float *to = a;
        int two = t + 1 < rows;
        fetch_ahead(dy, ldy, M, t, rows);
        if (two)
            fetch_ahead(dy + ldy, ldy, M, t + 1, rows);
        for (int i = 0; i < M; i += TILE, to += tile) {
            __mmask16 m = first_lanes(least(TILE, M - i));
            __m512 first = _mm512_maskz_loadu_ps(m, dy + i);
            __m512 second = _mm512_maskz_loadu_ps(two ? m : 0, dy + ldy + i);
            _mm512_mask_storeu_epi32(to, first_lanes(TILE), pairs(first, second));
        }
        if (db)
            add_row(db, dy, M);
        if (db && two)
            add_row(db, dy + ldy, M);
    }
}

void sk_leaf_tile_bf16(const struct sk_leaf_tile *t) { leaf_tile(t, 0); }
