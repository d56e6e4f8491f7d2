/* decode_isa.c - translating: attention of single new rows. Every value is
 * the chain of operations of attention_isa.c. */
#include <math.h>
#include "math/cpu/attention_inline.h"
#include "math/cpu/decode.h"

/* --- squares turned over ---------------------------------------------------- */

#ifdef __AVX512F__
/* r[i] lane j becomes r[j] lane i. */
SK_INLINE void turn16(sk_v16 r[16])
{
    sk_v16 t[16], u[16];
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        __m512d a = _mm512_castps_pd(t[i]), b = _mm512_castps_pd(t[i + 1]);
        __m512d c = _mm512_castps_pd(t[i + 2]), d = _mm512_castps_pd(t[i + 3]);
        u[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
        u[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
        u[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
        u[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
    }
    /* u[4 i + c]: quarter l holds column 4 l + c of rows 4 i .. 4 i + 3 */
    for (int c = 0; c < 4; c++) {
        sk_v16 even0 = _mm512_shuffle_f32x4(u[c], u[4 + c], 0x88), odd0 = _mm512_shuffle_f32x4(u[c], u[4 + c], 0xdd);
        sk_v16 even1 = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0x88);
        sk_v16 odd1 = _mm512_shuffle_f32x4(u[8 + c], u[12 + c], 0xdd);
        r[c] = _mm512_shuffle_f32x4(even0, even1, 0x88);
        r[4 + c] = _mm512_shuffle_f32x4(odd0, odd1, 0x88);
        r[8 + c] = _mm512_shuffle_f32x4(even0, even1, 0xdd);
        r[12 + c] = _mm512_shuffle_f32x4(odd0, odd1, 0xdd);
    }
}
#else
SK_INLINE void turn8(__m256 r[8])
{
    __m256 t[8], u[8];
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int c = 0; c < 4; c++) {
        r[c] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x20);
        r[4 + c] = _mm256_permute2f128_ps(u[c], u[4 + c], 0x31);
    }
}

SK_INLINE void turn16(sk_v16 r[16])
{
    __m256 a[8], b[8], c[8], d[8];
    for (int i = 0; i < 8; i++) {
        a[i] = r[i].lo;
        b[i] = r[i].hi;
        c[i] = r[8 + i].lo;
        d[i] = r[8 + i].hi;
    }
    turn8(a);
    turn8(b);
    turn8(c);
    turn8(d);
    for (int i = 0; i < 8; i++) {
        r[i] = (sk_v16){a[i], c[i]};
        r[8 + i] = (sk_v16){b[i], d[i]};
    }
}
#endif

void SK_ISA_NAME(sk_keep_keys)(float *columns, const float *k, int D, int n)
{
    size_t width = (size_t)round16(n), ld = (size_t)D;
    for (int j = 0; j < n; j += 16)
        for (int e = 0; e < D; e += 16) {
            int part = D - e < 16 ? D - e : 16;
            sk_v16 r[16];
            for (int i = 0; i < 16; i++)
                r[i] = j + i < n ? get(k + (size_t)(j + i) * ld + e, part) : sk_zero16();
            turn16(r);
            for (int i = 0; i < part; i++)
                sk_store16(columns + (size_t)(e + i) * width + j, r[i]);
        }
}

/* --- attention to the source --------------------------------------------------- */

/* m heads' scores: s[i * width + 0..n) = (scale q[i]) . columns. */
SK_INLINE void cross_dots(float *s, const float *q, size_t ldq, int m, float scale, const float *columns, int d,
                          int width)
{
    for (int j = 0; j < width; j += 16) {
        sk_v16 a[SK_QUERIES];
        for (int i = 0; i < m; i++)
            a[i] = sk_zero16();
        for (int e = 0; e < d; e++) {
            sk_v16 k = sk_load16(columns + (size_t)e * (size_t)width + j);
            for (int i = 0; i < m; i++)
                a[i] = sk_fma16(sk_set16(q[(size_t)i * ldq + e] * scale), k, a[i]);
        }
        for (int i = 0; i < m; i++)
            sk_store16(s + i * width + j, a[i]);
    }
}

/* out[i] (d) = sum over keys of p[i * width + j] times row j of values. */
SK_INLINE void cross_mix(float *out, size_t ldo, const float *p, int width, int m, const float *values, size_t ld,
                         int d, int n)
{
    int e = 0;
    for (; e + 32 <= d; e += 32) {
        sk_v16 a[SK_QUERIES], b[SK_QUERIES];
        for (int i = 0; i < m; i++)
            a[i] = b[i] = sk_zero16();
        for (int j = 0; j < n; j++) {
            sk_v16 x = sk_load16(values + (size_t)j * ld + e), y = sk_load16(values + (size_t)j * ld + e + 16);
            for (int i = 0; i < m; i++) {
                sk_v16 w = sk_set16(p[i * width + j]);
                a[i] = sk_fma16(w, x, a[i]);
                b[i] = sk_fma16(w, y, b[i]);
            }
        }
        for (int i = 0; i < m; i++) {
            sk_store16(out + (size_t)i * ldo + e, a[i]);
            sk_store16(out + (size_t)i * ldo + e + 16, b[i]);
        }
    }
    for (; e < d; e += 16) {
        int part = d - e < 16 ? d - e : 16;
        for (int i = 0; i < m; i++) {
            sk_v16 a = sk_zero16();
            for (int j = 0; j < n; j++)
                a = sk_fma16(sk_set16(p[i * width + j]), get(values + (size_t)j * ld + e, part), a);
            put(out + (size_t)i * ldo + e, part, a);
        }
    }
}

SK_INLINE void cross(float *context, const float *q, int m, const float *columns, const float *values, int H, int D,
                     int n, float *s)
{
    int d = D / H, width = round16(n);
    const float scale = 1.0f / sqrtf((float)d);
    for (int h = 0; h < H; h++) {
        cross_dots(s, q + h * d, (size_t)D, m, scale, columns + (size_t)(h * d) * (size_t)width, d, width);
        for (int i = 0; i < m; i++)
            softmax(s + i * width, n);
        cross_mix(context + h * d, (size_t)D, s, width, m, values + h * d, (size_t)D, d, n);
    }
}

void SK_ISA_NAME(sk_attend_cross)(float *context, const float *q, int m, const float *columns, const float *values,
                                  int H, int D, int n, float *s)
{
    switch (m) {                         /* a constant, so that sums stay in registers */
    case 1: cross(context, q, 1, columns, values, H, D, n, s); break;
    case 2: cross(context, q, 2, columns, values, H, D, n, s); break;
    case 3: cross(context, q, 3, columns, values, H, D, n, s); break;
    case 4: cross(context, q, 4, columns, values, H, D, n, s); break;
    case 5: cross(context, q, 5, columns, values, H, D, n, s); break;
    default: cross(context, q, SK_QUERIES, columns, values, H, D, n, s);
    }
}

/* --- attention to the words before ------------------------------------------------ */

/* out (d) = sum over keys of p[j] times row[j][at..]. */
SK_INLINE void self_mix(float *out, const float *p, const float *const *row, size_t at, int d, int n)
{
    int e = 0;
    for (; e + 64 <= d; e += 64) {
        sk_v16 a[4] = {sk_zero16(), sk_zero16(), sk_zero16(), sk_zero16()};
        for (int j = 0; j < n; j++) {
            const float *v = row[j] + at + e;
            sk_v16 x = sk_set16(p[j]);
            for (int i = 0; i < 4; i++)
                a[i] = sk_fma16(x, sk_load16(v + 16 * i), a[i]);
        }
        for (int i = 0; i < 4; i++)
            sk_store16(out + e + 16 * i, a[i]);
    }
    for (; e < d; e += 16) {
        int part = d - e < 16 ? d - e : 16;
        sk_v16 a = sk_zero16();
        for (int j = 0; j < n; j++)
            a = sk_fma16(sk_set16(p[j]), get(row[j] + at + e, part), a);
        put(out + e, part, a);
    }
}

void SK_ISA_NAME(sk_attend_self)(float *context, const float *q, const float *const *cell, int H, int D, int n,
                                 float *s)
{
    int d = D / H;
    const float scale = 1.0f / sqrtf((float)d);
    for (int h = 0; h < H; h++) {
        const float *qh = q + h * d;
        /* The head's values, which lie anywhere, while its keys are worked on. */
        for (int j = 0; j < n; j++)
            for (int e = 0; e < d; e += 16)
                __builtin_prefetch(cell[j] + D + h * d + e);
        for (int j = 0; j < n; j += 16) {
            const float *const *row = cell + j;
            sk_v16 a = sk_zero16();
            int e = 0;
            for (; e + 16 <= d; e += 16) {
                sk_v16 r[16];
                for (int i = 0; i < 16; i++)
                    r[i] = sk_load16(row[i] + h * d + e);
                turn16(r);
                for (int i = 0; i < 16; i++)
                    a = sk_fma16(sk_set16(qh[e + i] * scale), r[i], a);
            }
            for (; e < d; e++) {
                float t[16];
                for (int i = 0; i < 16; i++)
                    t[i] = row[i][h * d + e];
                a = sk_fma16(sk_set16(qh[e] * scale), sk_load16(t), a);
            }
            sk_store16(s + j, a);
        }
        softmax(s, n);
        self_mix(context + h * d, s, cell, (size_t)(D + h * d), d, n);
    }
}
