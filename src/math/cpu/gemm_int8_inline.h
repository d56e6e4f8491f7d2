/* gemm_int8_inline.h - products of int8 values (product.h), for files that
 * define what gemm_inline.h wants, and
 *
 *   value            type of a value in an element; VALUES are one element
 *   put16(to, q)     16 whole numbers as values of the right-hand matrix
 *   put16_left(to, q)     and of the left-hand one
 *   UNIT             depth is a multiple of this many elements: zeros on the right
 *   OFFSET(sum)      what a column's sums have too much, from the sum of its
 *                    values
 */
#ifndef SK_MATH_CPU_GEMM_INT8_INLINE_H
#define SK_MATH_CPU_GEMM_INT8_INLINE_H

#ifdef __AVX512F__
#define SK_FINISH_INT8(r, j, s)                                                                          \
    {                                                                                                    \
        __m512 factor = _mm512_mul_ps(_mm512_set1_ps(end.row_scale[r]),                                  \
                                      _mm512_loadu_ps(end.column_scale + j * LANES));                    \
        __m512 sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(s, FETCH_ONE(end.column_offset + j * LANES)));  \
        _mm512_storeu_ps(c + r * ldc + j * LANES,                                                        \
                         end.bias ? _mm512_fmadd_ps(sum, factor, _mm512_loadu_ps(end.bias + j * LANES))  \
                                  : _mm512_mul_ps(sum, factor));                                         \
    }
#endif
#include "math/cpu/gemm_inline.h"

/* What makes the largest of n values 127; not finite if one of them is not. */
static float scale_of(const float *x, int n)
{
    sk_v16 most = sk_zero16(), nothing = sk_zero16();
    for (int i = 0; i < n; i += 16) {
        sk_v16 v = n - i < 16 ? sk_load_part16(x + i, n - i, 0) : sk_load16(x + i);
        most = sk_larger16(most, sk_abs16(v));
        nothing = sk_add16(nothing, sk_sub16(v, v));
    }
    return sk_max16(most) / 127.0f + sk_sum16(nothing);
}

/* Elements of n values over their scale, zeros behind them. Returns the sum. */
SK_INLINE float quantise_row(float *to, const float *x, float scale, int n, int left)
{
    value part[16], *at = (value *)to;
    const sk_v16 over = sk_set16(scale > 1e-30f ? 1.0f / scale : 0.0f), most = sk_set16(127), least_q = sk_set16(-127);
    sk_v16 sum = sk_zero16();
    for (int i = 0; i < n; i += 16) {
        int whole = n - i >= 16;
        sk_v16 q = sk_mul16(whole ? sk_load16(x + i) : sk_load_part16(x + i, n - i, 0), over);
        q = sk_larger16(least_q, sk_smaller16(most, sk_round16(q)));
        sum = sk_add16(sum, q);
        if (left)
            put16_left(whole ? at + i : part, q);
        else
            put16(whole ? at + i : part, q);
        if (!whole)
            memcpy(at + i, part, (size_t)((n - i + VALUES - 1) / VALUES) * sizeof(float));
    }
    return sk_sum16(sum);
}

void NAME(sk_rows)(float *to, float *scale, const float *a, size_t lda, int M, int K)
{
    size_t depth = (size_t)sk_round_up((K + VALUES - 1) / VALUES, UNIT);
    for (int m = 0; m < M; m++, a += lda, to += depth) {
        scale[m] = scale_of(a, K);
        quantise_row(to, a, scale[m], K, 1);
    }
}

void NAME(sk_quantise)(float *panels, float *scale, int32_t *offset, const float *b, int N, int K, int p)
{
    enum { DEEP = 64 * VALUES };         /* values of a row turned over at a time */
    _Alignas(64) float rows[16][64];
    int depth = sk_round_up((K + VALUES - 1) / VALUES, UNIT), part = least(WIDTH, N - p * WIDTH);
    float *to = panels + (size_t)p * WIDTH * (size_t)depth;
    const float *from = b + (size_t)p * WIDTH * (size_t)K;
    for (int j = 0; j < WIDTH; j += 16) {
        float sum[16] = { 0 }, s[16];
        for (int i = 0; i < 16; i++)
            s[i] = j + i < part ? scale_of(from + (size_t)(j + i) * (size_t)K, K) : 0.0f;
        for (int k = 0; k < K; k += DEEP) {
            if (k == 0 || K - k < DEEP)
                memset(rows, 0, sizeof rows);
            for (int i = 0; i < 16 && j + i < part; i++)
                sum[i] += quantise_row(rows[i], from + (size_t)(j + i) * (size_t)K + k, s[i], least(DEEP, K - k), 0);
            int e = k / VALUES;
            for (int n = 0; n < least(64, depth - e); n += 16)
                sk_turn(to + (size_t)(e + n) * WIDTH + j, WIDTH, rows[0] + n, 64, least(16, depth - e - n));
        }
        for (int i = 0; i < 16; i++) {
            scale[p * WIDTH + j + i] = s[i];
            offset[p * WIDTH + j + i] = OFFSET((int32_t)sum[i]);
        }
    }
}
#endif
