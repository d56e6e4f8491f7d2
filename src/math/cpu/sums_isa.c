/* sums_isa.c - sums over rows: per leaf in row order, then the fixed tree
 * over leaves, in which a leaf without rows counts as zeros. */
#include <stdlib.h>
#include "math/cpu/layer.h"
#include "math/cpu/math_inline.h"

SK_INLINE sk_v16 get(const float *p, int part)
{
    return part == 16 ? sk_load16(p) : sk_load_part16(p, part, 0);
}
SK_INLINE void put(float *p, int part, sk_v16 v)
{
    if (part == 16) sk_store16(p, v);
    else sk_store_part16(p, part, v);
}

/* Binary counter: after leaf i, the sums of finished subtrees. */
enum { DEPTH = 11 };

struct columns { sk_v16 g[2], b[2]; };

void SK_ISA_NAME(sk_norm_columns)(float *dgamma, float *dbeta, const float *dy, const float *x, const float *stat,
                                  int D, int first, struct sk_leaves leaves)
{
    struct columns stack[DEPTH];
    int width = D - first < 32 ? D - first : 32, parts = width > 16 ? 2 : 1, level = 0;
    int part[2] = {width < 16 ? width : 16, width - 16};
    for (int l = 0; l < leaves.n; l++) {
        struct columns s = {{sk_zero16(), sk_zero16()}, {sk_zero16(), sk_zero16()}};
        for (int t = leaves.row[l]; t < leaves.row[l + 1]; t++) {
            const float *xr = x + (size_t)t * (size_t)D + first, *gr = dy + (size_t)t * (size_t)D + first;
            sk_v16 m = sk_set16(stat[2 * (size_t)t]), r = sk_set16(stat[2 * (size_t)t + 1]);
            for (int i = 0; i < parts; i++) {
                sk_v16 g = get(gr + 16 * i, part[i]);
                sk_v16 c = sk_mul16(sk_sub16(get(xr + 16 * i, part[i]), m), r);
                s.g[i] = sk_fma16(g, c, s.g[i]);
                s.b[i] = sk_add16(s.b[i], g);
            }
        }
        for (int bit = l; bit & 1; bit >>= 1) {
            level--;
            for (int i = 0; i < 2; i++) {
                s.g[i] = sk_add16(stack[level].g[i], s.g[i]);
                s.b[i] = sk_add16(stack[level].b[i], s.b[i]);
            }
        }
        stack[level++] = s;
    }
    for (int i = 0; i < parts; i++) {
        put(dgamma + first + 16 * i, part[i], stack[0].g[i]);
        put(dbeta + first + 16 * i, part[i], stack[0].b[i]);
    }
}

void SK_ISA_NAME(sk_sum_rows)(float *out, int D, const struct sk_sum_entry *e, int n, int leaves,
                              const float *const *dx, const float *scale)
{
    for (int at = 0; at < D; at += 16) {
        int part = D - at < 16 ? D - at : 16, level = 0, i = 0;
        sk_v16 stack[DEPTH];
        for (int l = 0; l < leaves; l++) {
            sk_v16 s = sk_zero16();
            for (; i < n && e[i].leaf == l; i++)
                s = sk_fma16(sk_set16(scale[e[i].stream]),
                             get(dx[e[i].stream] + (size_t)e[i].row * (size_t)D + at, part), s);
            for (int bit = l; bit & 1; bit >>= 1) s = sk_add16(stack[--level], s);
            stack[level++] = s;
        }
        put(out + at, part, stack[0]);
    }
}

void SK_ISA_NAME(sk_add_range)(float *a, const float *b, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) sk_store16(a + i, sk_add16(sk_load16(a + i), sk_load16(b + i)));
    for (; i < n; i++) a[i] += b[i];
}
