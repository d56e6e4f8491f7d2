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

void SK_ISA_NAME(sk_adam_range)(float *w, float *m, float *v, const float *g, size_t n, float rescale, float clip,
                                float decay, float lr_t, float b1, float b2, float eps)
{
    const sk_v16 r = sk_set16(rescale), c = sk_set16(clip), minus_c = sk_set16(-clip), wd = sk_set16(decay),
                 lr = sk_set16(-lr_t), m1 = sk_set16(b1), m2 = sk_set16(1 - b1), v1 = sk_set16(b2),
                 v2 = sk_set16(1 - b2), ep = sk_set16(eps);
    for (size_t i = 0; i < n; i += 16) {
        int part = n - i < 16 ? (int)(n - i) : 16;
        sk_v16 x = sk_load_part16(w + i, part, 0), d = sk_mul16(sk_load_part16(g + i, part, 0), r);
        if (clip > 0) d = sk_larger16(minus_c, sk_smaller16(c, d));
        if (decay != 0) d = sk_fma16(wd, x, d);
        sk_v16 mean = sk_fma16(m1, sk_load_part16(m + i, part, 0), sk_mul16(m2, d));
        sk_v16 square = sk_fma16(v1, sk_load_part16(v + i, part, 0), sk_mul16(sk_mul16(v2, d), d));
        x = sk_add16(x, sk_div16(sk_mul16(lr, mean), sk_add16(sk_sqrt16(square), ep)));
        sk_store_part16(m + i, part, mean);
        sk_store_part16(v + i, part, square);
        sk_store_part16(w + i, part, x);
    }
}
