/* Operations between products: dropout is the function of the counter that
 * ops.h says; activations and attention, forward against double precision,
 * backward against differences of it. On all devices the same bits, of a
 * sentence alone as in company. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "ops.h"
#include "math/ops.h"
#include "tap.h"

enum { DEVICES = TEST_CUDA ? 2 : 4 };
static const struct sk_ops *const ops = &TEST_OPS;
/* 1, 2 and 8 threads, and 2 threads held to AVX2. */
static struct sk_device *device[DEVICES];

static uint32_t state = 1;
static float uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1.0f;
}
static float *filled(size_t n)
{
    float *p = malloc((n + 1) * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = uniform();
    return p;
}
static float *zeros(size_t n) { return calloc(n + 1, sizeof(float)); }
static int same(const float *a, const float *b, size_t n) { return memcmp(a, b, n * sizeof *a) == 0; }

/* Largest difference as a share of the largest value. */
static double distance(const float *a, const double *b, size_t n)
{
    double d = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        d = fmax(d, fabs(a[i] - b[i]));
        most = fmax(most, fabs(b[i]));
        if (isnan(a[i]))
            return INFINITY;
    }
    return most > 0 ? d / most : d;
}

enum { SENTENCES = 5 };
static const int32_t offset[SENTENCES + 1] = {0, 1, 8, 24, 45, 50};
static const int64_t ordinal[SENTENCES] = {7, 3, (int64_t)5 << 31, 0, 11};
static const struct sk_rows rows = {50, SENTENCES, offset, ordinal};

static int sentence_of(int row)
{
    int s = 0;
    while (row >= offset[s + 1])
        s++;
    return s;
}

/* 0, or 1 / (1 - p): value e of a row of n. */
static float factor(struct sk_dropout d, int row, int n, int e)
{
    int s = sentence_of(row), blocks = (n + 7) / 8, lane = e / blocks;
    if (d.p <= 0)
        return 1;
    struct sk_rng r = sk_philox(d.seed, (uint32_t)(e % blocks), (uint32_t)(row - offset[s]) | d.site << 16,
                                (uint32_t)ordinal[s], d.update);
    uint32_t bits = r.v[lane / 2] >> 16 * (lane % 2) & 0xffff;
    return bits >= (uint32_t)(d.p * 65536) ? 1 / (1 - d.p) : 0;
}

static void test_dropout(int n, float p)
{
    struct sk_dropout drop = {p, 40000, 123456, ((uint64_t)77 << 32) + 5};
    size_t all = (size_t)rows.rows * (size_t)n;
    float *x = filled(all), *residual = filled(all), *out = zeros(all), *sum = zeros(all);
    int exact = 1, in_place = 1;
    double kept = 0;
    for (int d = 0; d < DEVICES; d++) {
        ops->dropout_add(device[d], out, x, NULL, n, rows, drop);
        ops->dropout_add(device[d], sum, x, residual, n, rows, drop);
        for (int i = 0; i < rows.rows; i++)
            for (int e = 0; e < n; e++) {
                size_t at = (size_t)i * (size_t)n + (size_t)e;
                float f = factor(drop, i, n, e);
                exact &= out[at] == x[at] * f && sum[at] == residual[at] + x[at] * f;
                kept += f > 0;
            }
        memcpy(sum, x, all * sizeof *x);
        ops->dropout_backward(device[d], sum, n, rows, drop);
        in_place &= same(sum, out, all);
    }
    kept /= DEVICES * (double)all;
    ok(exact && in_place, "dropout of %d values at %g is the function of the counter (%.3f kept)", n, (double)p, kept);
    ok(fabs(kept - (1 - (double)p)) < 4.5 * sqrt(p * (1 - p) / (double)all) + 1e-9, "and keeps as many as it should");
    free(x), free(residual), free(out), free(sum);
}

/* --- activations ---------------------------------------------------------------- */

static double activation(double x, enum sk_activation kind)
{
    if (kind == SK_RELU)
        return x > 0 ? x : 0;
    if (kind == SK_SWISH1)
        return x / (1 + exp(-x));
    return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

static void test_activation(enum sk_activation kind, const char *name, int F, float p)
{
    const double h = 1e-6;
    struct sk_dropout drop = {p, 3, 9, 1};
    size_t all = (size_t)rows.rows * (size_t)F;
    float *a = filled(all), *dh = filled(all), *y = zeros(all), *da = zeros(all), *y2 = zeros(all), *da2 = zeros(all);
    double *want = calloc(all, sizeof *want), *slope = calloc(all, sizeof *slope);
    for (size_t i = 0; i < all; i++) {
        float f = factor(drop, (int)(i / (size_t)F), F, (int)(i % (size_t)F));
        a[i] = i % 97 == 0 ? 0.0f : a[i] * 4;
        want[i] = activation(a[i], kind) * f;
        slope[i] = (activation(a[i] + h, kind) - activation(a[i] - h, kind)) / (2 * h) * dh[i] * f;
        if (kind == SK_RELU && a[i] == 0)
            slope[i] = 0;
    }
    int equal = 1;
    for (int d = 0; d < DEVICES; d++) {
        memcpy(y2, a, all * sizeof *a);
        ops->activation_forward(device[d], y2, y2, kind, F, rows, drop);
        memcpy(da2, dh, all * sizeof *dh);
        ops->activation_backward(device[d], da2, da2, kind == SK_RELU ? y2 : a, kind, F, rows, drop);
        if (d == 0) {
            ops->activation_forward(device[0], y, a, kind, F, rows, drop);
            ops->activation_backward(device[0], da, dh, kind == SK_RELU ? y : a, kind, F, rows, drop);
        }
        equal &= same(y, y2, all) && same(da, da2, all);
    }
    double e = distance(y, want, all), g = distance(da, slope, all);
    ok(e < 1e-6, "%s, dropout %g: forward (off by %.2g)", name, (double)p, e);
    ok(g < 1e-5, "%s, dropout %g: backward by differences (off by %.2g)", name, (double)p, g);
    ok(equal, "%s, dropout %g: the same bits everywhere, and in place", name, (double)p);
    free(a), free(dh), free(y), free(da), free(y2), free(da2), free(want), free(slope);
}

/* --- attention ---------------------------------------------------------------------- */

/* Two streams of the same sentences. */
static const int32_t key_offset[SENTENCES + 1] = {0, 3, 4, 38, 50, 67};
static const struct sk_rows keys = {67, SENTENCES, key_offset, ordinal};

struct shape { int H, d, causal; float p; };
/* One sentence in double precision: q (nq, D), k, v (nk, D), context (nq, D); row0:
 * its first query, for dropout. */
static void attend(double *context, const double *q, const double *k, const double *v, int nq, int nk, int row0,
                   struct shape s, struct sk_dropout drop)
{
    int D = s.H * s.d;
    double p[64];
    for (int i = 0; i < nq; i++)
        for (int h = 0; h < s.H; h++) {
            int n = s.causal ? i + 1 : nk;
            double most = -INFINITY, sum = 0;
            for (int j = 0; j < n; j++) {
                p[j] = 0;
                for (int e = 0; e < s.d; e++)
                    p[j] += q[i * D + h * s.d + e] * k[j * D + h * s.d + e] / sqrt(s.d);
                most = fmax(most, p[j]);
            }
            for (int j = 0; j < n; j++)
                sum += p[j] = exp(p[j] - most);
            for (int e = 0; e < s.d; e++) {
                double c = 0;
                for (int j = 0; j < n; j++)
                    c += p[j] / sum * factor(drop, row0 + i, s.H * nk, h * nk + j) * v[j * D + h * s.d + e];
                context[i * D + h * s.d + e] = c;
            }
        }
}

static double *widened(const float *from, size_t n)
{
    double *to = calloc(n + 1, sizeof *to);
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
    return to;
}

/* Sum of weight * context. */
static double value(const double *q, const double *k, const double *v, const double *weight, int nq, int nk, int row0,
                    struct shape s, struct sk_dropout drop)
{
    static double context[64 * 256];
    double sum = 0;
    attend(context, q, k, v, nq, nk, row0, s, drop);
    for (int i = 0; i < nq * s.H * s.d; i++)
        sum += weight[i] * context[i];
    return sum;
}

static void test_attention(struct shape s)
{
    struct sk_dropout drop = {s.p, 21, 4, 99};
    struct sk_rows kr = s.causal ? rows : keys;
    int D = s.H * s.d, ldq = s.causal ? 3 * D : D + 5, ldk = s.causal ? 3 * D : D + 3;
    size_t Tq = (size_t)rows.rows, Tk = (size_t)kr.rows, size = ops->attention_size(s.H, rows, kr), n = Tq * (size_t)D;
    float *q = filled(Tq * (size_t)ldq), *k = filled(Tk * (size_t)ldk), *v = filled(Tk * (size_t)ldk), *dc = filled(n);
    float *out[2][5];                    /* context, prob, dq, dk, dv */
    const size_t length[5] = {n, size, Tq * (size_t)ldq, Tk * (size_t)ldk, Tk * (size_t)ldk};
    int equal = 1, alone = 1;
    for (size_t i = 0; i < Tq * (size_t)ldq; i++)
        q[i] *= 3;
    for (int i = 0; i < 5; i++)
        out[0][i] = zeros(length[i]), out[1][i] = zeros(length[i]);
    for (int d = 0; d < DEVICES; d++) {
        float **o = out[d > 0];
        ops->attention_forward(device[d], o[0], o[1], q, ldq, k, v, ldk, s.H, D, rows, kr, s.causal, drop);
        ops->attention_backward(device[d], o[2], o[3], o[4], dc, o[1], q, ldq, k, v, ldk, s.H, D, rows, kr, s.causal,
                                drop);
        for (int i = 0; d && i < 5; i++)
            equal &= i == 1 || same(out[0][i], o[i], length[i]);
    }
    char name[80];
    snprintf(name, sizeof name, "%d heads of %d%s, dropout %g", s.H, s.d, s.causal ? ", causal" : "", (double)s.p);
    ok(equal, "attention, %s: the same bits everywhere", name);

    double far = 0, far_gradient = 0;
    for (int t = 0; t < SENTENCES; t++) {
        int nq = offset[t + 1] - offset[t], nk = kr.offset[t + 1] - kr.offset[t];
        size_t q0 = (size_t)offset[t], k0 = (size_t)kr.offset[t], wide = (size_t)D;
        int32_t one[2] = {0, nq}, its[2] = {0, nk};
        struct sk_rows a = {nq, 1, one, ordinal + t}, b = {nk, 1, its, ordinal + t};
        ops->attention_forward(device[1], out[1][0], out[1][1], q + q0 * (size_t)ldq, ldq, k + k0 * (size_t)ldk,
                               v + k0 * (size_t)ldk, ldk, s.H, D, a, b, s.causal, drop);
        alone &= same(out[1][0], out[0][0] + q0 * wide, (size_t)nq * wide);
        /* dense copies in double */
        double *in[3], *want = calloc((size_t)nq * wide, sizeof *want), *weight = widened(dc + q0 * wide, (size_t)nq * wide);
        const float *from[3] = {q + q0 * (size_t)ldq, k + k0 * (size_t)ldk, v + k0 * (size_t)ldk};
        const float *got[3] = {out[0][2] + q0 * (size_t)ldq, out[0][3] + k0 * (size_t)ldk, out[0][4] + k0 * (size_t)ldk};
        for (int i = 0; i < 3; i++) {
            int m = i ? nk : nq;
            size_t ld = (size_t)(i ? ldk : ldq);
            in[i] = calloc((size_t)m * wide, sizeof *in[i]);
            for (int r = 0; r < m; r++)
                for (int e = 0; e < D; e++)
                    in[i][r * D + e] = from[i][(size_t)r * ld + (size_t)e];
        }
        attend(want, in[0], in[1], in[2], nq, nk, (int)q0, s, drop);
        far = fmax(far, distance(out[0][0] + q0 * wide, want, (size_t)nq * wide));
        for (int i = 0; i < 60; i++) {
            const double h = 1e-5;
            int which = i % 3, m = which ? nk : nq, r = (int)((uniform() + 1) / 2 * (float)m), e = (int)((uniform() + 1) / 2 * (float)D);
            r = r < m ? r : m - 1, e = e < D ? e : D - 1;
            double *x = in[which] + r * D + e, old = *x, up, down;
            *x = old + h;
            up = value(in[0], in[1], in[2], weight, nq, nk, (int)q0, s, drop);
            *x = old - h;
            down = value(in[0], in[1], in[2], weight, nq, nk, (int)q0, s, drop);
            *x = old;
            double g = got[which][(size_t)r * (size_t)(which ? ldk : ldq) + (size_t)e];
            far_gradient = fmax(far_gradient, fabs(g - (up - down) / (2 * h)));
        }
        free(want), free(weight), free(in[0]), free(in[1]), free(in[2]);
    }
    ok(alone, "attention, %s: a sentence alone is the sentence in company", name);
    ok(far < 2e-6, "attention, %s: forward (off by %.2g)", name, far);
    ok(far_gradient < 2e-5, "attention, %s: backward by differences (off by %.2g)", name, far_gradient);
    float *all[] = {q, k, v, dc};
    for (int i = 0; i < 4; i++)
        free(all[i]);
    for (int i = 0; i < 5; i++)
        free(out[0][i]), free(out[1][i]);
}

/* What is not finite at a later position stays there. */
static void test_causal_nan(void)
{
    enum { H = 2, D = 32 };
    float *x = filled(50 * 3 * D), *y = zeros(50 * D), *z = zeros(50 * D), *prob = zeros(ops->attention_size(H, rows, rows));
    int good = 1;
    ops->attention_forward(device[0], y, prob, x, 3 * D, x + D, x + 2 * D, 3 * D, H, D, rows, rows, 1, (struct sk_dropout){0});
    for (int e = 0; e < 3 * D; e++)
        x[20 * 3 * D + e] = NAN;         /* sentence 2, position 12 */
    ops->attention_forward(device[0], z, prob, x, 3 * D, x + D, x + 2 * D, 3 * D, H, D, rows, rows, 1, (struct sk_dropout){0});
    for (int t = 0; t < 50; t++)
        for (int e = 0; e < D; e++)
            good &= t >= 20 && t < 24 ? isnan(z[t * D + e]) : z[t * D + e] == y[t * D + e];
    ok(good, "attention, causal: NaN reaches later positions of its sentence, no others");
    free(x), free(y), free(z), free(prob);
}

int main(void)
{
    static const int threads[] = {1, 2, 8, 2}, n[] = {1, 7, 8, 9, 56, 64, 100, 127, 128, 130, 256, 1000};
    const char *why = "";
    for (int d = 0; d < DEVICES; d++) {
        device[d] = ops->open(threads[d], &why);
        if (!device[d])
            skip_all(why);
    }
    hold_to_avx2(device[DEVICES - 1]);
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        test_dropout(n[i], i % 2 ? 0.3f : 0.1f);
    test_dropout(256, 0);
    static const char *const names[] = {"relu", "gelu", "swish1"};
    for (int kind = SK_RELU; kind <= SK_SWISH1; kind++) {
        test_activation((enum sk_activation)kind, names[kind], 70, 0);
        test_activation((enum sk_activation)kind, names[kind], 128, 0.25f);
    }
    static const struct shape shapes[] = {{1, 1, 0, 0},     {2, 16, 1, 0.2f}, {4, 64, 0, 0.3f}, {2, 64, 1, 0},
                                          {3, 20, 1, 0.1f}, {1, 70, 0, 0.5f}, {2, 40, 0, 0},    {4, 64, 1, 0.3f}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        test_attention(shapes[i]);
    test_causal_nan();
    for (int d = 0; d < DEVICES; d++)
        ops->close(device[d]);
    return done_testing();
}
