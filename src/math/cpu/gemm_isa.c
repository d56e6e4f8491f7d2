/* gemm_isa.c - products of float32 values: an element is a value.
 *
 * And of bfloat16 values on processors without instructions for them: values
 * are rounded when they are packed (the *_narrow functions), the rest is the
 * same. See gemm_bf16.c for why that gives the same bits.
 */
#define NAME(f) SK_ISA_NAME(f)
#include "math/cpu/gemm_float_inline.h"

/* --- packing ------------------------------------------------------------------ */

SK_INLINE sk_v16 rounded(sk_v16 v, int round) { return round ? sk_narrow16(v) : v; }

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

void NAME(sk_leaf_tile)(const struct sk_leaf_tile *t) { leaf_tile(t, 0); }
void NAME(sk_leaf_tile_narrow)(const struct sk_leaf_tile *t) { leaf_tile(t, 1); }
