/* row_inline.h - maximum and sum over one row of the vocabulary: value e goes
 * to partial result e % 16, then a fixed tree. For *_isa.c files only. */
#ifndef SK_MATH_CPU_ROW_INLINE_H
#define SK_MATH_CPU_ROW_INLINE_H
#include "math/cpu/math_inline.h"

SK_INLINE float row_max(const float *x, int V)
{
    sk_v16 m = sk_set16(-__builtin_inff());
    int i = 0;
    for (; i + 16 <= V; i += 16)
        m = sk_larger16(m, sk_load16(x + i));
    if (i < V)
        m = sk_larger16(m, sk_load_part16(x + i, V - i, -__builtin_inff()));
    return sk_max16(m);
}

/* Sum of e^(x - max); keep != 0: x becomes those values. */
SK_INLINE float row_exp(float *x, int V, float max, int keep)
{
    sk_v16 s = sk_zero16(), m = sk_set16(max);
    int i = 0;
    for (; i + 16 <= V; i += 16) {
        sk_v16 e = sk_exp16(sk_sub16(sk_load16(x + i), m));
        s = sk_add16(s, e);
        if (keep)
            sk_store16(x + i, e);
    }
    if (i < V) {
        sk_v16 e = sk_exp16(sk_sub16(sk_load_part16(x + i, V - i, -__builtin_inff()), m));
        s = sk_add16(s, e);
        if (keep)
            sk_store_part16(x + i, V - i, e);
    }
    return sk_sum16(s);
}
#endif
