/* optimizer_isa.c - passes over the flat parameters. */
#include <math.h>
#include "math/cpu/layer.h"
#include "math/cpu/math_inline.h"

/* 16 sums in double, lane i % 16, then a fixed tree. */
double SK_ISA_NAME(sk_sum_squares_chunk)(const float *g, size_t n)
{
    __m256d s[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()};
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 4; k++) {
            __m256d v = _mm256_cvtps_pd(_mm_loadu_ps(g + i + 4 * k));
            s[k] = _mm256_fmadd_pd(v, v, s[k]);
        }
    double lane[16], *l = lane;
    for (int k = 0; k < 4; k++) _mm256_storeu_pd(lane + 4 * k, s[k]);
    for (; i < n; i++, l++) *l = fma((double)g[i], (double)g[i], *l);
    for (int step = 8; step; step /= 2)
        for (int k = 0; k < step; k++) lane[k] += lane[k + step];
    return lane[0];
}

/* Constants of a step in all lanes. */
struct lanes { sk_v16 rescale, clip, minus_clip, decay, rate, minus_rate, a, a1, b, b1, eps, cg, cm, cv; };

SK_INLINE sk_v16 moving(sk_v16 keep, sk_v16 old, sk_v16 take, sk_v16 x)
{
    return sk_fma16(keep, old, sk_mul16(take, x));
}

/* What is added to w; m and v are brought up to date. d: the gradient. */
SK_INLINE sk_v16 change(enum sk_optimizer_kind kind, const struct lanes *l, sk_v16 w, sk_v16 *m, sk_v16 *v, sk_v16 d)
{
    sk_v16 delta;
    switch (kind) {
    case SK_SGD:
        return sk_mul16(l->minus_rate, d);
    case SK_SGD_MOMENTUM:
        return *m = moving(l->a, *m, l->minus_rate, d);
    case SK_NAG:
        *m = sk_fma16(l->a, *m, d);
        return sk_mul16(l->minus_rate, sk_fma16(l->a, *m, d));
    case SK_ADAM:
        *m = moving(l->a, *m, l->a1, d);
        *v = moving(l->b, *v, sk_mul16(l->b1, d), d);
        return sk_div16(sk_mul16(l->minus_rate, *m), sk_add16(sk_sqrt16(*v), l->eps));
    case SK_NADAM:
        *m = moving(l->a, *m, l->a1, d);
        *v = moving(l->b, *v, sk_mul16(l->b1, d), d);
        return sk_div16(sk_mul16(l->minus_rate, moving(l->cg, d, l->cm, *m)),
                        sk_fma16(l->cv, sk_sqrt16(*v), l->eps));
    case SK_RMSPROP:
        *v = moving(l->b, *v, sk_mul16(l->b1, d), d);
        return sk_div16(sk_mul16(l->minus_rate, d), sk_sqrt16(sk_add16(*v, l->eps)));
    case SK_ADAGRAD:
        *v = sk_fma16(d, d, *v);
        return sk_mul16(l->minus_rate, sk_fma16(l->decay, w, sk_div16(d, sk_sqrt16(sk_add16(*v, l->eps)))));
    case SK_ADADELTA:
        *v = moving(l->b, *v, sk_mul16(l->b1, d), d);
        delta = sk_mul16(sk_div16(sk_sqrt16(sk_add16(*m, l->eps)), sk_sqrt16(sk_add16(*v, l->eps))), d);
        *m = moving(l->b, *m, sk_mul16(l->b1, delta), delta);
        return sk_sub16(sk_zero16(), sk_fma16(l->decay, w, delta));
    }
    return d;
}

/* `kind` is a constant where this is called: one loop for each. */
SK_INLINE void range(enum sk_optimizer_kind kind, float *w, float *m, float *v, const float *g, size_t n,
                     const struct sk_optimizer_step *s)
{
    const struct lanes l = {
        sk_set16(s->rescale), sk_set16(s->clip), sk_set16(-s->clip), sk_set16(s->decay), sk_set16(s->rate),
        sk_set16(-s->rate), sk_set16(s->a), sk_set16(1 - s->a), sk_set16(s->b), sk_set16(1 - s->b), sk_set16(s->eps),
        sk_set16(s->cg), sk_set16(s->cm), sk_set16(s->cv)};
    const int uses_m = kind != SK_SGD && kind != SK_RMSPROP && kind != SK_ADAGRAD;
    const int uses_v = kind >= SK_ADAM, into_gradient = kind != SK_ADAGRAD && kind != SK_ADADELTA;
    for (size_t i = 0; i < n; i += 16) {
        int part = n - i < 16 ? (int)(n - i) : 16;
        sk_v16 x = sk_load_part16(w + i, part, 0), d = sk_mul16(sk_load_part16(g + i, part, 0), l.rescale);
        sk_v16 mean = uses_m ? sk_load_part16(m + i, part, 0) : x, square = uses_v ? sk_load_part16(v + i, part, 0) : x;
        if (s->clip > 0) d = sk_larger16(l.minus_clip, sk_smaller16(l.clip, d));
        if (into_gradient && s->decay != 0) d = sk_fma16(l.decay, x, d);
        x = sk_add16(x, change(kind, &l, x, &mean, &square, d));
        if (uses_m) sk_store_part16(m + i, part, mean);
        if (uses_v) sk_store_part16(v + i, part, square);
        sk_store_part16(w + i, part, x);
    }
}

void SK_ISA_NAME(sk_optimize_range)(float *w, float *m, float *v, const float *g, size_t n,
                                    const struct sk_optimizer_step *s)
{
    switch (s->kind) {
    case SK_SGD: range(SK_SGD, w, m, v, g, n, s); break;
    case SK_SGD_MOMENTUM: range(SK_SGD_MOMENTUM, w, m, v, g, n, s); break;
    case SK_NAG: range(SK_NAG, w, m, v, g, n, s); break;
    case SK_ADAM: range(SK_ADAM, w, m, v, g, n, s); break;
    case SK_NADAM: range(SK_NADAM, w, m, v, g, n, s); break;
    case SK_RMSPROP: range(SK_RMSPROP, w, m, v, g, n, s); break;
    case SK_ADAGRAD: range(SK_ADAGRAD, w, m, v, g, n, s); break;
    case SK_ADADELTA: range(SK_ADADELTA, w, m, v, g, n, s); break;
    }
}
