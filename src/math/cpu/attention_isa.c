/* attention_isa.c - scaled dot-product attention of one sentence.
 *
 * Keys and values are turned over, so that scores and their gradients run
 * along keys and everything else along the head: each value is one chain of
 * fma, over the head's dimensions, keys or queries ascending. */
#include <math.h>
#include <string.h>
#include "math/cpu/attention_inline.h"
#include "math/cpu/layer.h"

/* to (D, round16(nk)) = the rows of x as columns. */
SK_INLINE void turn(float *to, const float *x, int ld, int D, int nk)
{
    int width = round16(nk);
    for (int j = 0; j < width; j++) {
        if (j >= nk) {
            for (int e = 0; e < D; e++) to[(size_t)e * (size_t)width + (size_t)j] = 0;
            continue;
        }
        const float *row = x + (size_t)j * (size_t)ld;
        for (int e = 0; e < D; e++) to[(size_t)e * (size_t)width + (size_t)j] = row[e];
    }
}

/* row (d) += x * from */
SK_INLINE void spread(float *row, float x, const float *from, int d)
{
    const sk_v16 v = sk_set16(x);
    for (int e = 0; e < d; e += 16) {
        int part = d - e < 16 ? d - e : 16;
        put(row + e, part, sk_fma16(v, get(from + e, part), get(row + e, part)));
    }
}

void SK_ISA_NAME(sk_attend)(const struct sk_attention *a, float *scratch)
{
    int d = a->d, D = a->H * d, width = round16(a->nk);
    float *kt = scratch, *s = kt + (size_t)D * (size_t)width, *factor = s + width;
    const float scale = 1.0f / sqrtf((float)d);
    turn(kt, a->k, a->ldk, D, a->nk);
    for (int i = 0; i < a->nq; i++) {
        int n = a->causal ? i + 1 : a->nk;
        if (a->drop.p > 0) SK_ISA_NAME(sk_dropout_factors)(factor, a->H * a->nk, a->drop, a->ordinal, i);
        for (int h = 0; h < a->H; h++) {
            float *p = a->prob + ((size_t)h * (size_t)a->nq + (size_t)i) * (size_t)a->nk;
            dots(s, a->q + (size_t)i * (size_t)a->ldq + h * d, scale, kt + (size_t)(h * d) * (size_t)width, d, n, width);
            softmax(s, n);
            memcpy(p, s, (size_t)n * sizeof *p);
            if (a->drop.p > 0)
                for (int j = 0; j < n; j++) s[j] *= factor[h * a->nk + j];
            mix(a->context + (size_t)i * (size_t)D + h * d, s, a->v + h * d, a->ldk, d, n);
        }
    }
}

void SK_ISA_NAME(sk_attend_gradient)(const struct sk_attention *a, float *scratch)
{
    int d = a->d, D = a->H * d, width = round16(a->nk);
    float *vt = scratch, *ds = vt + (size_t)D * (size_t)width, *factor = ds + width;
    const float scale = 1.0f / sqrtf((float)d);
    turn(vt, a->v, a->ldk, D, a->nk);
    for (int j = 0; j < a->nk; j++) {
        memset(a->dk + (size_t)j * (size_t)a->ldk, 0, (size_t)D * sizeof(float));
        memset(a->dv + (size_t)j * (size_t)a->ldk, 0, (size_t)D * sizeof(float));
    }
    for (int i = 0; i < a->nq; i++) {
        int n = a->causal ? i + 1 : a->nk;
        if (a->drop.p > 0) SK_ISA_NAME(sk_dropout_factors)(factor, a->H * a->nk, a->drop, a->ordinal, i);
        for (int h = 0; h < a->H; h++) {
            const float *p = a->prob + ((size_t)h * (size_t)a->nq + (size_t)i) * (size_t)a->nk, *f = factor + h * a->nk;
            const float *dc = a->dcontext + (size_t)i * (size_t)D + h * d, *q = a->q + (size_t)i * (size_t)a->ldq + h * d;
            dots(ds, dc, 1, vt + (size_t)(h * d) * (size_t)width, d, n, width);
            if (a->drop.p > 0)
                for (int j = 0; j < n; j++) ds[j] *= f[j];
            sk_v16 sum = sk_zero16();
            for (int j = 0; j < n; j += 16) {
                int part = n - j < 16 ? n - j : 16;
                sum = sk_fma16(get(p + j, part), get(ds + j, part), sum);
            }
            const float mean = sk_sum16(sum);
            for (int j = 0; j < n; j++) {
                float x = a->drop.p > 0 ? p[j] * f[j] : p[j];
                if (x != 0) spread(a->dv + (size_t)j * (size_t)a->ldk + h * d, x, dc, d);
                ds[j] = p[j] * (ds[j] - mean) * scale;
            }
            mix(a->dq + (size_t)i * (size_t)a->ldq + h * d, ds, a->k + h * d, a->ldk, d, n);
            for (int j = 0; j < n; j++) spread(a->dk + (size_t)j * (size_t)a->ldk + h * d, ds[j], q, d);
        }
    }
}
