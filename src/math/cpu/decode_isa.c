/* decode_isa.c - translating: attention of single new rows. Every value is
 * the chain of operations of attention_isa.c. */
#include <math.h>
#include "math/cpu/attention_inline.h"
#include "math/cpu/decode.h"

void SK_ISA_NAME(sk_keep_keys)(float *columns, const float *k, int D, int n)
{
    size_t width = (size_t)round16(n), ld = (size_t)D;
    for (int j = 0; j < n; j += 16)
        for (int e = 0; e < D; e += 16) {
            int part = D - e < 16 ? D - e : 16;
            sk_v16 r[16];
            for (int i = 0; i < 16; i++)
                r[i] = j + i < n ? get(k + (size_t)(j + i) * ld + e, part) : sk_zero16();
            sk_turn16(r);
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
                sk_turn16(r);
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
