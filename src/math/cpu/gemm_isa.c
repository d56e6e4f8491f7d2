/* gemm_isa.c - products of float32 values: an element is a value.
 *
 * And of bfloat16 values on processors without instructions for them: values
 * are rounded when they are packed (the *_narrow functions), the rest is the
 * same. See gemm_bf16.c for why that gives the same bits.
 */
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
#define NAME(f) SK_ISA_NAME(f)
#include "math/cpu/leaf_inline.h"

/* --- packing ------------------------------------------------------------------ */

SK_INLINE sk_v16 rounded(sk_v16 v, int round) { return round ? sk_narrow16(v) : v; }

static void narrow_row(float *to, const float *from, int n)
{
    int i = 0;
    for (; i + 16 <= n; i += 16)
        sk_store16(to + i, sk_narrow16(sk_load16(from + i)));
    if (i < n)
        sk_store_part16(to + i, n - i, sk_narrow16(sk_load_part16(from + i, n - i, 0)));
}

void NAME(sk_rows_narrow)(float *to, float *scale, const float *a, size_t lda, int M, int K)
{
    (void)scale;
    for (int m = 0; m < M; m++)
        narrow_row(to + (size_t)m * (size_t)K, a + (size_t)m * lda, K);
}

SK_INLINE void pack(float *panels, size_t step, const float *b, size_t ldb, int N, int rows, int round)
{
    int whole = N / WIDTH, part = N % WIDTH;
    for (int k = 0; k < rows; k++, b += ldb, panels += WIDTH) {
        const float *from = b;
        float *to = panels;
        for (int p = 0; p < whole; p++, from += WIDTH, to += step)
            for (int j = 0; j < WIDTH; j += 16)
                sk_store16(to + j, rounded(sk_load16(from + j), round));
        if (part) {
            float last[WIDTH] = { 0 };
            memcpy(last, from, (size_t)part * sizeof *last);
            for (int j = 0; j < WIDTH; j += 16)
                sk_store16(to + j, rounded(sk_load16(last + j), round));
        }
    }
}

void NAME(sk_pack)(float *panels, size_t step, const float *b, size_t ldb, int N, int rows)
{
    pack(panels, step, b, ldb, N, rows, 0);
}

void NAME(sk_pack_narrow)(float *panels, size_t step, const float *b, size_t ldb, int N, int rows)
{
    pack(panels, step, b, ldb, N, rows, 1);
}

void NAME(sk_pack_transposed)(float *panels, const float *b, int N, int K, int p)
{
    float *to = panels + (size_t)p * WIDTH * (size_t)K;
    int part = least(WIDTH, N - p * WIDTH), deep = part == WIDTH ? K / 16 * 16 : 0;
    const float *from = b + (size_t)p * WIDTH * (size_t)K;
    for (int k = 0; k < deep; k += 16)
        for (int j = 0; j < WIDTH; j += 16)
            sk_turn(to + (size_t)k * WIDTH + j, WIDTH, from + (size_t)j * (size_t)K + k, (size_t)K, 16);
    for (int k = deep; k < K; k++)
        for (int j = 0; j < WIDTH; j++)
            to[(size_t)k * WIDTH + j] = j < part ? from[(size_t)j * (size_t)K + k] : 0.0f;
}

void NAME(sk_pack_transposed_narrow)(float *panels, const float *b, int N, int K, int p)
{
    float *to = panels + (size_t)p * WIDTH * (size_t)K;
    NAME(sk_pack_transposed)(panels, b, N, K, p);
    for (size_t i = 0; i < (size_t)K * WIDTH; i += 16)
        sk_store16(to + i, sk_narrow16(sk_load16(to + i)));
}

/* --- gradients of weights ------------------------------------------------------- */

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

void NAME(sk_leaf_tile)(const struct sk_leaf_tile *t) { leaf_tile(t, 0); }
void NAME(sk_leaf_tile_narrow)(const struct sk_leaf_tile *t) { leaf_tile(t, 1); }
