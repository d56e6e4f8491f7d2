/* Products of the cpu backend: each element is one chain of fused
 * multiply-adds, whatever stands beside it and whoever computes it; sums
 * over rows go by leaves; the output layer's loss has the right gradient. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "math/cpu/device.h"
#include "math/ops.h"
#include "tap.h"

enum { DEVICES = 5, T_MAX = 333, LEAVES = 8 };
static const struct sk_ops *const ops = &sk_ops_cpu;
/* 1, 2 and 8 threads, 2 threads held to AVX2, 3 to plain AVX-512:
 * the same bits are due. */
static struct sk_device *device[DEVICES];
static enum sk_dtype dtype;              /* what products multiply */
static const char *const dtype_name[] = { "float32", "bfloat16", "bfloat16-amx" };

static uint32_t state = 1;
static float uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1.0f;
}
static int below(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)n);
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

/* --- linear layers ---------------------------------------------------------- */

/* x, or the nearest bfloat16; of two as near the one with an even last bit. */
static float number(float x)
{
    if (dtype == SK_FLOAT32 || x == 0)
        return x;
    double unit = exp2(ilogb(x) - 7), n = x / unit, low = floor(n);
    double up = n - low > 0.5 || (n - low == 0.5 && fmod(low, 2) != 0);
    return (float)((low + up) * unit);
}

/* Subnormal numbers count as zeros. */
static float flushed(float x) { return dtype == SK_BFLOAT16_AMX && fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; }

/* c and, of each 32 numbers, the chain of the even ones and that of the odd ones. */
static float by_blocks(float c, const float *a, size_t a_step, const float *b, size_t b_step, int n)
{
    for (int at = 0; at < n; at += 32) {
        float sum[2] = { 0, 0 };
        for (int k = at; k < n && k < at + 32; k++)
            sum[k % 2] = flushed(fmaf(number(a[(size_t)k * a_step]), number(b[(size_t)k * b_step]), sum[k % 2]));
        c += flushed(sum[0] + sum[1]);
    }
    return c;
}

static float chain(float c, const float *a, size_t a_step, const float *b, size_t b_step, int n)
{
    if (dtype == SK_BFLOAT16_AMX)
        return by_blocks(c, a, a_step, b, b_step, n);
    for (int k = 0; k < n; k++)
        c = fmaf(number(a[(size_t)k * a_step]), number(b[(size_t)k * b_step]), c);
    return c;
}

static void test_forward_and_data(int N, int K)
{
    static const int some_T[] = { 1, 2, 3, 5, 7, 64, T_MAX };
    size_t n = (size_t)N, k = (size_t)K, t = T_MAX;
    float *x = filled(t * k), *w = filled(n * k), *bias = filled(n), *dy = filled(t * n), *base = filled(t * k);
    float *y = zeros(t * n), *dx = zeros(t * k), *sum = zeros(t * k), *out = zeros(t * (n + k));
    int exact = 1, equal = 1, alone = 1;
    for (int d = 0; d < DEVICES; d++) {
        struct sk_weight *packed = ops->weight_new(device[d], N, K, 1);
        ops->weight_load(device[d], packed, w);
        if (d == 0) {
            ops->linear_forward(device[d], y, x, packed, bias, T_MAX);
            ops->linear_backward_data(device[d], dx, dy, packed, T_MAX, 0);
            memcpy(sum, base, t * k * sizeof *sum);
            ops->linear_backward_data(device[d], sum, dy, packed, T_MAX, 1);
            for (int i = 0; i < 300; i++) {
                size_t r = (size_t)below(T_MAX), a = (size_t)below(N), b = (size_t)below(K);
                exact &= y[r * n + a] == chain(0, x + r * k, 1, w + a * k, 1, K) + bias[a];
                exact &= dx[r * k + b] == chain(0, dy + r * n, 1, w + b, k, N);
                exact &= sum[r * k + b] == chain(base[r * k + b], dy + r * n, 1, w + b, k, N);
            }
        }
        for (size_t i = 0; i < sizeof some_T / sizeof *some_T; i++) {
            size_t T = (size_t)some_T[i];
            ops->linear_forward(device[d], out, x, packed, bias, some_T[i]);
            equal &= same(out, y, T * n);
            ops->linear_backward_data(device[d], out, dy, packed, some_T[i], 0);
            equal &= same(out, dx, T * k);
            memcpy(out, base, T * k * sizeof *out);
            ops->linear_backward_data(device[d], out, dy, packed, some_T[i], 1);
            equal &= same(out, sum, T * k);
        }
        for (int i = 0; i < 5; i++) {
            size_t r = (size_t)below(T_MAX);
            ops->linear_forward(device[d], out, x + r * k, packed, bias, 1);
            alone &= same(out, y + r * n, n);
            ops->linear_backward_data(device[d], out, dy + r * n, packed, 1, 0);
            alone &= same(out, dx + r * k, k);
        }
        ops->weight_free(device[d], packed);
    }
    ok(exact, "%s N=%d K=%d: y, dx and dx += are chains of fused multiply-adds", dtype_name[dtype], N, K);
    ok(equal, "%s N=%d K=%d: the same bits for any threads and number of rows", dtype_name[dtype], N, K);
    ok(alone, "%s N=%d K=%d: a row alone is the row in company", dtype_name[dtype], N, K);
    float *all[] = { x, w, bias, dy, base, y, dx, sum, out };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* q (n) of a row of n values; its scale. */
static float quantised(int *q, const float *x, size_t n)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(x[i]));
    float scale = most / 127.0f, over = scale > 1e-30f ? 1.0f / scale : 0.0f;
    for (size_t i = 0; i < n; i++)
        q[i] = (int)rintf(x[i] * over);
    return scale;
}

static void test_int8(int N, int K)
{
    static const int some_T[] = { 1, 2, 3, 5, 16, 64, T_MAX };
    size_t n = (size_t)N, k = (size_t)K, t = T_MAX;
    float *x = filled(t * k), *w = filled(n * k), *bias = filled(n), *y = zeros(t * n), *out = zeros(t * n);
    int *qx = calloc(k, sizeof *qx), *qw = calloc(k, sizeof *qw), exact = 1, equal = 1, alone = 1;
    for (size_t i = 0; i < k; i++)
        x[k + i] = 0, w[i] *= 1e-3f;     /* a row of zeros; a small one */
    double worst = 0;
    for (int d = 0; d < DEVICES; d++) {
        struct sk_weight *packed = ops->weight_new(device[d], N, K, 0);
        ops->weight_load(device[d], packed, w);
        if (d == 0)
            ops->linear_forward(device[d], y, x, packed, bias, T_MAX);
        for (size_t i = 0; i < sizeof some_T / sizeof *some_T; i++) {
            ops->linear_forward(device[d], out, x, packed, bias, some_T[i]);
            equal &= same(out, y, (size_t)some_T[i] * n);
        }
        for (int i = 0; i < 20; i++) {
            size_t r = i ? (size_t)below(T_MAX) : 1, a = (size_t)below(N);
            ops->linear_forward(device[d], out, x + r * k, packed, bias, 1);
            alone &= same(out, y + r * n, n);
            float of_x = quantised(qx, x + r * k, k), of_w = quantised(qw, w + a * k, k), f = of_x * of_w;
            int64_t sum = 0;
            double due = bias[a], most = 1e-6;    /* half a step of either side, at most */
            for (size_t j = 0; j < k; j++) {
                sum += qx[j] * qw[j];
                due += (double)x[r * k + j] * w[a * k + j];
                most += fabsf(x[r * k + j]) * of_w / 2 + fabsf(w[a * k + j]) * of_x / 2 + of_x * of_w / 4;
            }
            exact &= out[a] == fmaf((float)sum, f, bias[a]);
            worst = fmax(worst, fabs(out[a] - due) / most);
            ops->linear_forward(device[d], out, x + r * k, packed, NULL, 1);
            exact &= out[a] == (float)sum * f;
        }
        x[0] = d % 2 ? NAN : INFINITY;
        ops->linear_forward(device[d], out, x, packed, bias, 2);
        for (size_t i = 0; i < n; i++)
            exact &= isnan(out[i]) && out[n + i] == y[n + i];
        x[0] = 0.5f;
        if (d == 0)                      /* row 0 has changed */
            ops->linear_forward(device[d], y, x, packed, bias, T_MAX);
        ops->weight_free(device[d], packed);
    }
    ok(exact, "int8 N=%d K=%d: exact sums of quantised rows, scaled (off by %.2g)", N, K, worst);
    ok(worst < 1.001, "int8 N=%d K=%d: as near the products of the values as rounding allows (%.2g)", N, K, worst);
    ok(equal, "int8 N=%d K=%d: the same bits for any threads and number of rows", N, K);
    ok(alone, "int8 N=%d K=%d: a row alone is the row in company", N, K);
    float *all[] = { x, w, bias, y, out };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(qx), free(qw);
}

/* What is too deep for sums of 32 bits, and products backward, stay float32. */
static void test_not_int8(void)
{
    enum { N = 3, K = 65537 };
    float *x = filled(K), *w = filled(N * K), y[N], dx[N];
    struct sk_weight *deep = ops->weight_new(device[0], N, K, 0), *wide = ops->weight_new(device[0], K, N, 1);
    ops->weight_load(device[0], deep, w);
    ops->weight_load(device[0], wide, w);
    ops->linear_forward(device[0], y, x, deep, NULL, 1);
    ops->linear_backward_data(device[0], dx, x, wide, 1, 0);
    ok(y[1] == chain(0, x, 1, w + K, 1, K), "too deep for int8: float32");
    ok(dx[1] == chain(0, x, 1, w + 1, N, K), "products backward: float32");
    ops->weight_free(device[0], deep);
    ops->weight_free(device[0], wide);
    free(x), free(w);
}

static void test_no_bias_no_backward(void)
{
    enum { N = 40, K = 70, T = 9 };
    float *x = filled(T * K), *w = filled(N * K), *w2 = filled(N * K), *zero = zeros(N), *y = zeros(T * N), *z = zeros(T * N);
    struct sk_weight *packed = ops->weight_new(device[0], N, K, 0);
    ops->weight_load(device[0], packed, w);
    ops->linear_forward(device[0], y, x, packed, NULL, T);
    ops->linear_forward(device[0], z, x, packed, zero, T);
    ok(same(y, z, T * N), "without a bias, from a weight for products forward only");
    ops->weight_load(device[0], packed, w2);
    ops->linear_forward(device[0], z, x, packed, NULL, 1);
    ok(z[1] == chain(0, x, 1, w2 + K, 1, K), "a weight can be loaded anew");
    ops->linear_forward(device[0], z, x, packed, NULL, 0);
    ok(1, "no rows are no work");
    ops->weight_free(device[0], packed);
    free(x), free(w), free(w2), free(zero), free(y), free(z);
}

/* The tree of leaves' sums, for one element. */
static float tree(const float *leaf, int n)
{
    return n == 1 ? leaf[0] : tree(leaf, n / 2) + tree(leaf + n / 2, n / 2);
}

static void test_weight(int N, int K, const int32_t *row, const char *what)
{
    size_t n = (size_t)N, k = (size_t)K, T = (size_t)row[LEAVES], size = n * k;
    float *x = filled(T * k), *dy = filled(T * n);
    float *dw = filled(size), *db = filled(n), *dw2 = filled(size), *db2 = filled(n), *dw3 = filled(size), *db3 = filled(n);
    struct sk_leaves all = { LEAVES, row }, low = { LEAVES / 2, row }, high = { LEAVES / 2, row + LEAVES / 2 };
    int exact = 1, equal = 1, halves = 1;
    for (int d = 0; d < DEVICES; d++) {
        float *to = d ? dw2 : dw, *to_b = d ? db2 : db;
        ops->linear_backward_weight(device[d], to, to_b, dy, x, N, K, all);
        equal &= same(to, dw, size) && same(to_b, db, n);
    }
    for (int i = 0; i < 300; i++) {
        size_t a = (size_t)below(N), b = (size_t)below(K);
        float leaf[LEAVES], leaf_b[LEAVES];
        for (int l = 0; l < LEAVES; l++) {
            size_t r = (size_t)row[l];
            leaf[l] = chain(0, dy + r * n + a, n, x + r * k + b, k, row[l + 1] - row[l]);
            leaf_b[l] = 0;
            for (; r < (size_t)row[l + 1]; r++)
                leaf_b[l] += dy[r * n + a];
        }
        exact &= dw[a * k + b] == tree(leaf, LEAVES) && db[a] == tree(leaf_b, LEAVES);
    }
    ops->linear_backward_weight(device[1], dw2, db2, dy, x, N, K, low);
    ops->linear_backward_weight(device[1], dw3, db3, dy, x, N, K, high);
    for (size_t i = 0; i < size; i++)
        halves &= dw2[i] + dw3[i] == dw[i];
    for (size_t i = 0; i < n; i++)
        halves &= db2[i] + db3[i] == db[i];
    ops->linear_backward_weight(device[0], dw2, NULL, dy, x, N, K, all);
    ok(exact && same(dw2, dw, size), "%s N=%d K=%d, %s: dw, db are trees of the leaves' chains", dtype_name[dtype], N, K, what);
    ok(equal, "%s N=%d K=%d, %s: the same bits for any threads", dtype_name[dtype], N, K, what);
    ok(halves, "%s N=%d K=%d, %s: leaves 0..3 and 4..7 apart, then added", dtype_name[dtype], N, K, what);
    float *bufs[] = { x, dy, dw, db, dw2, db2, dw3, db3 };
    for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++)
        free(bufs[i]);
}

/* --- output layer ------------------------------------------------------------ */

enum { V = 53, D = 20, ROWS = 1400 };
struct problem { float x[ROWS * D], w[V * D], bias[V]; int32_t label[ROWS]; };
struct answer { float dx[ROWS * D], dw[V * D], dbias[V], nll[ROWS]; uint8_t correct[ROWS]; };

static void solve(struct sk_device *dev, const struct problem *p, struct answer *a, int grad,
                  float smoothing, struct sk_leaves leaves)
{
    struct sk_weight *w = ops->weight_new(dev, V, D, 1);
    ops->weight_load(dev, w, p->w);
    ops->output_loss(dev, grad ? a->dx : NULL, a->dw, a->dbias, a->nll, a->correct, p->x, w, p->bias, p->label,
                     smoothing, 1.0f / ROWS, V, D, leaves);
    ops->weight_free(dev, w);
}

/* Smoothed loss of row r in double; *nll: the unsmoothed one; *best: arg max. */
static double row_loss(const double *x, const double *w, const double *bias, int label, double smoothing,
                       double *nll, int *best)
{
    double z[V], max = -INFINITY, sum = 0, loss = 0;
    for (int v = 0; v < V; v++) {
        z[v] = bias[v];
        for (int d = 0; d < D; d++)
            z[v] += x[d] * w[v * D + d];
        if (z[v] > max) {
            max = z[v];
            *best = v;
        }
    }
    for (int v = 0; v < V; v++)
        sum += exp(z[v] - max);
    for (int v = 0; v < V; v++)
        loss -= (v == label ? 1 - smoothing : smoothing / (V - 1)) * (z[v] - max - log(sum));
    *nll = -(z[label] - max - log(sum));
    return loss;
}

static void widen(double *to, const float *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
}

/* Gradients against central differences of the loss in double precision. */
static void test_gradient(const struct problem *p, float smoothing, struct sk_leaves leaves)
{
    static struct answer a;
    static double x[ROWS * D], w[V * D], bias[V], dx[ROWS * D], dw[V * D], db[V];
    const double h = 1e-5;
    double worst_nll = 0, other;
    int correct = 1, best = 0, T = leaves.row[leaves.n];
    memset(dx, 0, sizeof dx), memset(dw, 0, sizeof dw), memset(db, 0, sizeof db);
    solve(device[0], p, &a, 1, smoothing, leaves);
    widen(x, p->x, ROWS * D), widen(w, p->w, V * D), widen(bias, p->bias, V);
    for (int t = 0; t < T; t++) {
        double *xt = x + t * D, nll;
        row_loss(xt, w, bias, p->label[t], smoothing, &nll, &best);
        worst_nll = fmax(worst_nll, fabs(nll - a.nll[t]) / (1 + nll));
        correct &= a.correct[t] == (best == p->label[t]);
#define DIFFERENCE(place)                                                                  \
        (place += h, other = row_loss(xt, w, bias, p->label[t], smoothing, &nll, &best),   \
         place -= 2 * h, other -= row_loss(xt, w, bias, p->label[t], smoothing, &nll, &best), \
         place += h, other / (2 * h) / ROWS)
        for (int d = 0; d < D; d++)
            dx[t * D + d] = DIFFERENCE(xt[d]);
        for (int v = 0; v < V; v++) {        /* a logit's slope is its bias'; dw sums slope times x */
            double slope = DIFFERENCE(bias[v]);
            db[v] += slope;
            for (int d = 0; d < D; d++)
                dw[v * D + d] += slope * xt[d];
        }
    }
    ok(worst_nll < 1e-5, "smoothing %g: nll (off by %.2g)", (double)smoothing, worst_nll);
    ok(correct, "smoothing %g: correct", (double)smoothing);
    double e = distance(a.dx, dx, (size_t)T * D);
    ok(e < 1e-4, "smoothing %g: dx by differences (off by %.2g)", (double)smoothing, e);
    e = distance(a.dw, dw, V * D);
    ok(e < 1e-4, "smoothing %g: dw by differences (off by %.2g)", (double)smoothing, e);
    e = distance(a.dbias, db, V);
    ok(e < 1e-4, "smoothing %g: dbias by differences (off by %.2g)", (double)smoothing, e);
}

static void test_loss_bits(const struct problem *p, const int32_t *row, const char *what)
{
    static struct answer a, b, c;
    struct sk_leaves all = { LEAVES, row }, low = { LEAVES / 2, row }, high = { LEAVES / 2, row + LEAVES / 2 };
    int equal = 1, halves = 1, without = 1, T = row[LEAVES];
    memset(&a, 0, sizeof a), memset(&b, 0, sizeof b), memset(&c, 0, sizeof c);
    for (int d = 0; d < DEVICES; d++) {
        struct answer *to = d ? &b : &a;
        solve(device[d], p, to, 1, 0.1f, all);
        equal &= memcmp(to, &a, sizeof a) == 0;
    }
    ok(equal, "%s output_loss, %s: the same bits for any threads", dtype_name[dtype], what);
    solve(device[1], p, &b, 1, 0.1f, low);
    solve(device[1], p, &c, 1, 0.1f, high);
    for (int i = 0; i < V * D; i++)
        halves &= b.dw[i] + c.dw[i] == a.dw[i];
    for (int i = 0; i < V; i++)
        halves &= b.dbias[i] + c.dbias[i] == a.dbias[i];
    size_t cut = (size_t)row[LEAVES / 2], rest = (size_t)T - cut;
    halves &= same(b.dx, a.dx, cut * D) && same(c.dx + cut * D, a.dx + cut * D, rest * D);
    halves &= same(b.nll, a.nll, cut) && same(c.nll + cut, a.nll + cut, rest);
    ok(halves, "%s output_loss, %s: leaves 0..3 and 4..7 apart, then added", dtype_name[dtype], what);
    memset(&b, 0, sizeof b);
    solve(device[2], p, &b, 0, 0.1f, all);
    without = same(b.nll, a.nll, (size_t)T) && memcmp(b.correct, a.correct, (size_t)T) == 0;
    for (int i = 0; i < V * D; i++)
        without &= b.dw[i] == 0;
    ok(without, "%s output_loss, %s: the same loss without gradients", dtype_name[dtype], what);
}

static void test_loss_edges(void)
{
    static struct problem p;
    static struct answer a;
    static const int32_t row[] = { 0, 4 };
    struct sk_leaves one = { 1, row };
    memset(&p, 0, sizeof p);
    p.label[0] = 0, p.label[1] = 1, p.label[2] = V - 1, p.label[3] = 0;
    solve(device[0], &p, &a, 1, 0, one);
    ok(a.correct[0] && !a.correct[1] && !a.correct[2], "of equal logits the lowest index wins");
    ok(fabs(a.nll[1] - log(V)) < 1e-6, "equal logits: log V");
    p.bias[5] = 500;
    solve(device[0], &p, &a, 1, 0, one);
    ok(fabs(a.nll[0] + log(1e-10)) < 1e-4, "a hopeless label costs -log 1e-10");
    ok(a.dbias[5] > 0 && isfinite(a.dbias[0]), "and its gradient is finite");
    p.bias[5] = NAN;
    solve(device[0], &p, &a, 1, 0, one);
    ok(isnan(a.nll[0]) && isnan(a.dbias[0]), "NaN is not hidden");
    p.bias[5] = 0;
    p.x[D] = INFINITY;
    p.w[3 * D] = 1;
    solve(device[0], &p, &a, 1, 0, one);
    ok(!isnan(a.nll[0]) && isnan(a.nll[1]), "an infinite activation spoils its own row's loss alone");
}

static void test_logprob(const struct problem *p)
{
    enum { R = 40 };
    static float logp[R * V], other[R * V];
    static double expected[R * V];
    int equal = 1, alone = 1;
    for (int d = 0; d < DEVICES; d++) {
        struct sk_weight *w = ops->weight_new(device[d], V, D, 0);
        ops->weight_load(device[d], w, p->w);
        float *to = d ? other : logp;
        ops->output_logprob(device[d], to, p->x, w, p->bias, V, R);
        equal &= same(to, logp, R * V);
        for (int r = 0; r < R; r++) {
            ops->output_logprob(device[d], other, p->x + r * D, w, p->bias, V, 1);
            alone &= same(other, logp + r * V, V);
        }
        ops->weight_free(device[d], w);
    }
    static double w[V * D], bias[V], x[D];
    widen(w, p->w, V * D), widen(bias, p->bias, V);
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) {
            int best;
            widen(x, p->x + r * D, D);
            row_loss(x, w, bias, v, 0, &expected[r * V + v], &best);
            expected[r * V + v] *= -1;
        }
    double e = distance(logp, expected, R * V);
    ok(e < 1e-6, "output_logprob (off by %.2g)", e);
    ok(equal, "output_logprob: the same bits for any threads");
    ok(alone, "output_logprob: a row alone is the row in company");
}

/* A vocabulary and depth wider than one block, against double precision. */
static void test_wide_loss(double tolerance)
{
    enum { T = 70, WV = 1003, WD = 600 };
    static const int32_t row[] = { 0, 0, 33, T, T };
    struct sk_leaves leaves = { 4, row };
    float *x = filled(T * WD), *w = filled(WV * WD), *bias = filled(WV), *dx = zeros(T * WD);
    float *dw = zeros(WV * WD), *db = zeros(WV), *nll = zeros(T);
    double *z = calloc(WV, sizeof *z), *dx2 = calloc(T * WD, sizeof *dx2), *db2 = calloc(WV, sizeof *db2);
    double *dw2 = calloc(WV * WD, sizeof *dw2), worst = 0;
    int32_t label[T];
    for (int i = 0; i < WV * WD; i++)
        w[i] *= 0.1f;
    for (int t = 0; t < T; t++)
        label[t] = below(WV);
    struct sk_weight *packed = ops->weight_new(device[1], WV, WD, 1);
    ops->weight_load(device[1], packed, w);
    ops->output_loss(device[1], dx, dw, db, nll, NULL, x, packed, bias, label, 0.1f, 0.5f, WV, WD, leaves);
    for (int t = 0; t < T; t++) {
        double max = -INFINITY, sum = 0;
        for (int v = 0; v < WV; v++) {
            z[v] = bias[v];
            for (int d = 0; d < WD; d++)
                z[v] += (double)x[t * WD + d] * w[v * WD + d];
            max = fmax(max, z[v]);
        }
        for (int v = 0; v < WV; v++)
            sum += exp(z[v] - max);
        worst = fmax(worst, fabs(nll[t] - (max + log(sum) - z[label[t]])));
        for (int v = 0; v < WV; v++) {
            double q = v == label[t] ? 1 - 0.1 : 0.1 / (WV - 1), g = 0.5 * (exp(z[v] - max) / sum - q);
            db2[v] += g;
            for (int d = 0; d < WD; d++) {
                dx2[t * WD + d] += g * w[v * WD + d];
                dw2[v * WD + d] += g * x[t * WD + d];
            }
        }
    }
    ok(worst < 10 * tolerance, "%s V=1003 D=600: nll (off by %.2g)", dtype_name[dtype], worst);
    struct { const char *name; const float *got; const double *due; size_t n; } all[] = {
        { "dx", dx, dx2, T * WD }, { "dw", dw, dw2, WV * WD }, { "dbias", db, db2, WV } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        double e = distance(all[i].got, all[i].due, all[i].n);
        ok(e < tolerance, "%s V=1003 D=600: %s (off by %.2g)", dtype_name[dtype], all[i].name, e);
    }
    ops->weight_free(device[1], packed);
    free(x), free(w), free(bias), free(dx), free(dw), free(db), free(nll), free(z), free(dx2), free(db2), free(dw2);
}

/* Logits stand in memory for some leaves at a time: for groups of them, for one,
 * for parts of a long one. The gradients are those of the leaves alone, added up
 * by the tree. */
static void test_loss_in_chunks(void)
{
    enum { MOST = 1700, CV = 70, CD = 40 };
    static const int32_t rows[][LEAVES + 1] = {
        { 0, 90, 180, 270, 360, 450, 540, 630, 720 },       /* four leaves at a time */
        { 0, 300, 590, 900, 1200, 1500, 1500, 1500, 1700 }, /* two; a group without rows but in one */
        { 0, 0, 0, 640, 640, 640, 640, 900, 900 },
        { 0, 0, 600, 900, 1500, 1500, 1500, 1600, 1700 },   /* one */
        { 0, 100, 100, 1100, 1200, 1200, 1300, 1400, 1400 },        /* a long one is cut */
    };
    const uint32_t before = state;       /* the tests that follow see the numbers they always saw */
    float *x = filled(MOST * CD), *w = filled(CV * CD), *bias = filled(CV);
    float *dx = zeros(MOST * CD), *dw = zeros(CV * CD), *db = zeros(CV), *dx2 = zeros(MOST * CD);
    float *part = zeros(LEAVES * CV * CD), *part_db = zeros(LEAVES * CV);
    int32_t label[MOST];
    for (int t = 0; t < MOST; t++)
        label[t] = below(CV);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int32_t *row = rows[i];
        int equal = 1;
        for (int d = 0; d < DEVICES; d++) {
            struct sk_weight *packed = ops->weight_new(device[d], CV, CD, 1);
            ops->weight_load(device[d], packed, w);
            ops->output_loss(device[d], dx, dw, db, NULL, NULL, x, packed, bias, label, 0.1f, 0.5f, CV, CD,
                             (struct sk_leaves){ LEAVES, row });
            for (int l = 0; l < LEAVES; l++) {
                int32_t own[2] = { 0, row[l + 1] - row[l] };
                ops->output_loss(device[d], dx2 + row[l] * CD, part + l * CV * CD, part_db + l * CV, NULL, NULL,
                                 x + row[l] * CD, packed, bias, label + row[l], 0.1f, 0.5f, CV, CD,
                                 (struct sk_leaves){ 1, own });
            }
            ops->weight_free(device[d], packed);
            for (int step = 1; step < LEAVES; step *= 2)
                for (int l = 0; l < LEAVES; l += 2 * step) {
                    for (int k = 0; k < CV * CD; k++)
                        part[l * CV * CD + k] += part[(l + step) * CV * CD + k];
                    for (int k = 0; k < CV; k++)
                        part_db[l * CV + k] += part_db[(l + step) * CV + k];
                }
            equal &= same(dw, part, CV * CD) && same(db, part_db, CV) && same(dx, dx2, row[LEAVES] * CD);
        }
        ok(equal, "%s: output_loss in chunks, case %zu", dtype_name[dtype], i + 1);
    }
    state = before;
    float *all[] = { x, w, bias, dx, dw, db, dx2, part, part_db };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* Numbers at the ends of the range: instructions for bfloat16 and those that
 * stand in for them must treat them alike. */
static void test_extremes(void)
{
    enum { N = 33, K = 65, T = 40 };
    static const float edge[] = { 0.0f, -0.0f, 1e-40f, -1e-40f, 1.1754944e-38f, 3e-39f, 3e38f, 3.4e38f, -3.4e38f,
                                  INFINITY, -INFINITY, NAN, 1.0f, -1.0f, 1e-19f, -1.5e-19f, 1e-20f, 65535.5f };
    enum { EDGES = sizeof edge / sizeof *edge };
    static const int32_t row[] = { 0, 1, 4, 19, 19, 20, 33, 38, T };
    struct sk_leaves leaves = { LEAVES, row };
    float *x = filled(T * K), *w = filled(N * K), *dy = filled(T * N), *bias = filled(N);
    float *y = zeros(T * N), *dw = zeros(N * K), *db = zeros(N), *y2 = zeros(T * N), *dw2 = zeros(N * K), *db2 = zeros(N);
    int equal = 1, special = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < T * K; i++)      /* some rows tame: what is infinite hides all else */
            x[i] = i / K % 4 == 0 ? edge[below(EDGES)] : i / K % 4 < 3 ? (uniform() * 1e-19f) : uniform();
        for (int i = 0; i < N * K; i++)
            w[i] = below(30) ? uniform() * (i / K % 2 ? 1e-19f : 1e-18f) : edge[below(5)];
        for (int i = 0; i < N; i++)
            bias[i] = below(2) ? 0.0f : uniform() * 1e-38f;
        for (int i = 0; i < T * N; i++)
            dy[i] = below(30) ? uniform() * 1e-19f : edge[below(6)];
        for (int d = 0; d < DEVICES; d++) {
            struct sk_weight *packed = ops->weight_new(device[d], N, K, 0);
            ops->weight_load(device[d], packed, w);
            ops->linear_forward(device[d], d ? y2 : y, x, packed, bias, T);
            ops->linear_backward_weight(device[d], d ? dw2 : dw, d ? db2 : db, dy, x, N, K, leaves);
            ops->weight_free(device[d], packed);
            if (d == 0) {
                for (int i = 0; i < T * N; i++)
                    special += !isnormal(y[i]);
                continue;
            }
            for (int i = 0; i < T * N; i++)  /* a NaN's bits are its processor's affair */
                equal &= isnan(y[i]) ? isnan(y2[i]) : memcmp(y + i, y2 + i, sizeof *y) == 0;
            for (int i = 0; i < N * K; i++)
                equal &= isnan(dw[i]) ? isnan(dw2[i]) : memcmp(dw + i, dw2 + i, sizeof *dw) == 0;
            equal &= same(db2, db, N);
        }
    }
    ok(equal && special > 100, "%s: the same of tiny, huge and infinite numbers everywhere", dtype_name[dtype]);
    float *all[] = { x, w, dy, bias, y, dw, db, y2, dw2, db2 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

int main(void)
{
    static const int threads[DEVICES] = { 1, 2, 8, 2, 3 };
    static const int32_t even[] = { 0, 40, 80, 120, 160, 200, 240, 280, 320 };
    static const int32_t ragged[] = { 0, 0, 3, 290, 290, 291, 333, 600, 600 };
    static const int32_t empty[LEAVES + 1] = { 0 };
    static const int32_t leaf_rows[] = { 0, 170, 350, 530, 700, 890, 1050, 1200, ROWS };
    static const int32_t leaf_ends[] = { 0, 0, 512, 512, 512, 1024, 1400, 1400, 1400 };
    static const int32_t leaf_odd[] = { 0, 101, 255, 258, 511, 767, 1025, 1279, ROWS };
    static const int32_t few[] = { 0, 30, 60, 60, 64 };
    static const int N[] = { 1, 15, 16, 17, 100, 1024 }, K[] = { 1, 3, 16, 255, 256, 600 };
    const char *why = "";
    for (int d = 0; d < DEVICES; d++) {
        device[d] = ops->open(threads[d], &why);
        if (!device[d])
            skip_all(why);
    }
    device[3]->isa = SK_ISA_AVX2;
    device[4]->bf16 = device[4]->vnni = device[4]->amx = 0;
    char text[80];
    ops->describe(device[1], text, sizeof text);
    ok(strstr(text, "2 threads") && !strstr(text, "bfloat16"), "describe: %s", text);

    static struct problem p;
    for (int i = 0; i < ROWS * D; i++)
        p.x[i] = uniform();
    for (int i = 0; i < V * D; i++)
        p.w[i] = uniform();
    for (int i = 0; i < V; i++)
        p.bias[i] = uniform();
    for (int i = 0; i < ROWS; i++)
        p.label[i] = below(V);
    for (dtype = SK_FLOAT32; dtype <= SK_BFLOAT16_AMX; dtype++) {
        for (int d = 0; d < DEVICES; d++)
            why = ops->set_dtype(device[d], dtype);
        for (size_t i = 0; i < sizeof N / sizeof *N; i++)
            for (size_t j = 0; j < sizeof K / sizeof *K; j++)
                test_forward_and_data(N[i], K[j]);
        for (size_t i = 0; i < sizeof N / sizeof *N; i++)
            test_weight(N[i], K[sizeof K / sizeof *K - 1 - i], ragged, "ragged leaves");
        test_weight(100, 255, even, "even leaves");
        test_weight(256, 256, even, "even leaves");
        test_weight(20, 30, empty, "empty leaves");
        test_extremes();
        test_loss_bits(&p, leaf_rows, "even leaves");
        test_loss_bits(&p, leaf_ends, "leaves at the ends of chunks");
        test_loss_bits(&p, leaf_odd, "leaves across the ends of chunks");
        test_loss_bits(&p, ragged, "ragged leaves");
        test_loss_bits(&p, empty, "empty leaves");
        test_wide_loss(dtype == SK_FLOAT32 ? 1e-5 : 5e-3);
        test_loss_in_chunks();
    }
    ops->describe(device[1], text, sizeof text);
    ok(strstr(text, "bfloat16") != NULL, "describe: %s", text);
    ok(why != NULL, "where bfloat16 is no faster that is said");
    dtype = SK_FLOAT32;
    for (int d = 0; d < DEVICES; d++)
        ops->set_dtype(device[d], SK_INT8);
    for (size_t i = 0; i < sizeof N / sizeof *N; i++)
        for (size_t j = 0; j < sizeof K / sizeof *K; j++)
            test_int8(N[i], K[j]);
    test_not_int8();
    for (int d = 0; d < DEVICES; d++)
        ops->set_dtype(device[d], SK_FLOAT32);
    test_no_bias_no_backward();
    test_gradient(&p, 0, (struct sk_leaves){ 4, few });
    test_gradient(&p, 0.1f, (struct sk_leaves){ 4, few });
    test_loss_edges();
    test_logprob(&p);
    for (int d = 0; d < DEVICES; d++)
        ops->close(device[d]);
    return done_testing();
}
