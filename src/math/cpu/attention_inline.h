/* attention_inline.h - pieces of attention that the passes over whole
 * sentences and the steps of translating share, so that both give the same
 * bits. For *_isa.c files only. */
#ifndef SK_MATH_CPU_ATTENTION_INLINE_H
#define SK_MATH_CPU_ATTENTION_INLINE_H
#include "math/cpu/math_inline.h"

SK_INLINE int round16(int n) { return (n + 15) / 16 * 16; }
SK_INLINE sk_v16 get(const float *p, int part)
{
    return part == 16 ? sk_load16(p) : sk_load_part16(p, part, 0);
}
SK_INLINE void put(float *p, int part, sk_v16 v)
{
    if (part == 16) sk_store16(p, v);
    else sk_store_part16(p, part, v);
}

SK_INLINE void softmax(float *p, int n)
{
    const float none = -INFINITY;
    sk_v16 m = sk_set16(none), sum = sk_zero16();
    for (int j = 0; j < n; j += 16) {
        sk_v16 v = n - j < 16 ? sk_load_part16(p + j, n - j, none) : sk_load16(p + j);
        m = sk_larger16(m, v);
    }
    const sk_v16 most = sk_set16(sk_max16(m));
    for (int j = 0; j < n; j += 16) {
        int part = n - j < 16 ? n - j : 16;
        sk_v16 v = sk_exp16(sk_sub16(sk_load_part16(p + j, part, none), most));
        sum = sk_add16(sum, v);
        put(p + j, part, v);
    }
    const sk_v16 all = sk_set16(sk_sum16(sum));
    for (int j = 0; j < n; j += 16) {
        int part = n - j < 16 ? n - j : 16;
        put(p + j, part, sk_div16(get(p + j, part), all));
    }
}

/* out (d) = sum over keys of p[j] times row j. */
SK_INLINE void mix(float *out, const float *p, const float *rows, int ld, int d, int n)
{
    int e = 0;
    for (; e + 64 <= d; e += 64) {
        sk_v16 a[4] = {sk_zero16(), sk_zero16(), sk_zero16(), sk_zero16()};
        for (int j = 0; j < n; j++) {
            const float *row = rows + (size_t)j * (size_t)ld + e;
            sk_v16 x = sk_set16(p[j]);
            for (int i = 0; i < 4; i++) a[i] = sk_fma16(x, sk_load16(row + 16 * i), a[i]);
        }
        for (int i = 0; i < 4; i++) sk_store16(out + e + 16 * i, a[i]);
    }
    for (; e < d; e += 16) {
        int part = d - e < 16 ? d - e : 16;
        sk_v16 a = sk_zero16();
        for (int j = 0; j < n; j++)
            a = sk_fma16(sk_set16(p[j]), get(rows + (size_t)j * (size_t)ld + e, part), a);
        put(out + e, part, a);
    }
}
#endif
