/* Operations against plain double precision, on whatever backend the test is built
 * for: products, their gradients by leaves, layer norm, embeddings, the output
 * layer; that sums over ranges of leaves combine to the sums of all, bit for bit. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ops.h"
#include "tap.h"

static const struct sk_ops *const ops = &TEST_OPS;
static struct sk_device *dev;
static enum sk_dtype dtype;

static uint32_t state = 1;
static float uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1.0f;
}
static int below(int n) { return (int)((uniform() + 1) / 2 * (float)n) % n; }
static float *filled(size_t n)
{
    float *p = malloc((n + 1) * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = uniform();
    return p;
}
static float *zeros(size_t n) { return calloc(n + 1, sizeof(float)); }
static double *wide(size_t n) { return calloc(n + 1, sizeof(double)); }
static const char *name(void) { return sk_dtype_name(dtype); }

/* Largest difference as a share of the largest value. */
static double distance(const float *a, const double *b, size_t n)
{
    double d = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(fabs((double)a[i] - b[i]) <= d))
            d = fabs((double)a[i] - b[i]);
        most = fmax(most, fabs(b[i]));
    }
    return most > 0 ? d / most : d;
}
/* What products may be off by. */
static double near(void) { return dtype == SK_FLOAT32 ? 3e-6 : dtype == SK_TF32 ? 3e-3 : 2e-2; }

/* --- products ------------------------------------------------------------------- */

static void test_products(int T, int N, int K)
{
    size_t t = (size_t)T, n = (size_t)N, k = (size_t)K;
    float *x = filled(t * k), *w = filled(n * k), *bias = filled(n), *dy = filled(t * n), *y = zeros(t * n);
    float *dx = filled(t * k), *alone = zeros(n + k);
    double *want = wide(t * n), *want_dx = wide(t * k);
    for (size_t i = 0; i < t; i++)
        for (size_t o = 0; o < n; o++) {
            want[i * n + o] = (double)bias[o];
            for (size_t e = 0; e < k; e++)
                want[i * n + o] += (double)x[i * k + e] * (double)w[o * k + e];
        }
    for (size_t i = 0; i < t * k; i++)
        want_dx[i] = (double)dx[i];
    for (size_t i = 0; i < t; i++)
        for (size_t o = 0; o < n; o++)
            for (size_t e = 0; e < k; e++)
                want_dx[i * k + e] += (double)dy[i * n + o] * (double)w[o * k + e];
    struct sk_weight *weight = ops->weight_new(dev, N, K, 1);
    ops->weight_load(dev, weight, w);
    ops->linear_forward(dev, y, x, weight, bias, T);
    ops->linear_backward_data(dev, dx, dy, weight, T, 1);
    double far = distance(y, want, t * n), far_dx = distance(dx, want_dx, t * k);
    ok(far < near() && far_dx < near(), "%s: %d rows, %d x %d: forward (off by %.2g), dx added (%.2g)", name(), T, N, K,
       far, far_dx);
    int same = 1;
    for (int i = 0; i < T; i += 7) {
        size_t r = (size_t)i;
        ops->linear_forward(dev, alone, x + r * k, weight, bias, 1);
        same = same && memcmp(alone, y + r * n, n * sizeof *y) == 0;
    }
    ok(same, "%s: a row alone is the row in company", name());
    ops->linear_forward(dev, y, x, weight, NULL, T);
    ops->linear_backward_data(dev, dx, dy, weight, T, 0);
    for (size_t i = 0; i < t; i++)
        for (size_t o = 0; o < n; o++)
            want[i * n + o] -= (double)bias[o];
    far = distance(y, want, t * n);
    ok(far < near(), "%s: without bias (off by %.2g)", name(), far);
    ops->weight_free(dev, weight);
    float *all[] = {x, w, bias, dy, y, dx, alone};
    for (int i = 0; i < 7; i++)
        free(all[i]);
    free(want);
    free(want_dx);
}

/* --- sums over rows, by leaves ------------------------------------------------------- */

enum { LEAVES = 8, ROWS = 120, D = 48 };
static const int32_t leaf_rows[][LEAVES + 1] = {
    {0, 15, 30, 45, 60, 75, 90, 105, ROWS}, {0, 0, 3, 40, 40, 41, 99, ROWS, ROWS}, {0, ROWS, ROWS, ROWS, ROWS, ROWS,
     ROWS, ROWS, ROWS}, {0, 0, 0, 0, 0, 0, 0, 0, 0}};

/* A range of the leaves, and the first row's number. */
static struct sk_leaves some(const int32_t *row, int first, int n, int32_t *to)
{
    for (int i = 0; i <= n; i++)
        to[i] = row[first + i] - row[first];
    return (struct sk_leaves){n, to};
}

/* parts of `step` leaves each become the sum of all, pair by pair. */
static void combine(float *part, int parts, size_t n)
{
    for (int step = 1; step < parts; step *= 2)
        for (int i = 0; i + step < parts; i += 2 * step)
            for (size_t e = 0; e < n; e++)
                part[(size_t)i * n + e] += part[(size_t)(i + step) * n + e];
}

static void test_weight(const int32_t *row, int N)
{
    size_t n = (size_t)N, all = n * D;
    float *dy = filled(ROWS * n), *x = filled(ROWS * D), *dw = filled(all), *db = filled(n);
    double *want = wide(all), *want_db = wide(n);
    for (size_t r = 0; r < (size_t)row[LEAVES]; r++)
        for (size_t o = 0; o < n; o++) {
            want_db[o] += (double)dy[r * n + o];
            for (size_t e = 0; e < D; e++)
                want[o * D + e] += (double)dy[r * n + o] * (double)x[r * D + e];
        }
    ops->linear_backward_weight(dev, dw, db, dy, x, N, D, (struct sk_leaves){LEAVES, row});
    double far = distance(dw, want, all), far_db = distance(db, want_db, n);
    ok(far < near() && far_db < 3e-6, "%s: gradient of a weight (off by %.2g), of a bias (%.2g)", name(), far, far_db);
    int same = 1;
    for (int width = 1; width < LEAVES; width *= 2) {
        int parts = LEAVES / width;
        float *part = zeros((size_t)parts * all), *part_db = zeros((size_t)parts * n);
        int32_t of[LEAVES + 1];
        for (int i = 0; i < parts; i++) {
            size_t r = (size_t)row[i * width];
            ops->linear_backward_weight(dev, part + (size_t)i * all, part_db + (size_t)i * n, dy + r * n, x + r * D, N, D,
                                        some(row, i * width, width, of));
        }
        combine(part, parts, all);
        combine(part_db, parts, n);
        same = same && !memcmp(part, dw, all * sizeof *dw) && !memcmp(part_db, db, n * sizeof *db);
        free(part), free(part_db);
    }
    ok(same, "%s: ranges of leaves give the bits of all", name());
    free(dy), free(x), free(dw), free(db), free(want), free(want_db);
}

static void test_norm(const int32_t *row)
{
    enum { WIDE = 100 };
    size_t T = (size_t)row[LEAVES], all = ROWS * WIDE;
    float *x = filled(all), *dy = filled(all), *gamma = filled(WIDE), *beta = filled(WIDE), *y = zeros(all);
    float *stat = zeros(2 * ROWS), *dx = filled(all), *dgamma = filled(WIDE), *dbeta = filled(WIDE), *part = zeros(2 * WIDE);
    double *want = wide(all), *want_dx = wide(all), want_gamma[WIDE] = {0}, want_beta[WIDE] = {0};
    for (size_t t = 0; t < T; t++) {
        double mean = 0, var = 0, g = 0, gc = 0;
        for (size_t e = 0; e < WIDE; e++)
            mean += (double)x[t * WIDE + e] / WIDE;
        for (size_t e = 0; e < WIDE; e++)
            var += pow((double)x[t * WIDE + e] - mean, 2) / WIDE;
        double r = 1 / sqrt(var + 1e-6);
        for (size_t e = 0; e < WIDE; e++) {
            double c = ((double)x[t * WIDE + e] - mean) * r, d = (double)dy[t * WIDE + e];
            want[t * WIDE + e] = (double)gamma[e] * c + (double)beta[e];
            g += d * (double)gamma[e] / WIDE;
            gc += d * (double)gamma[e] * c / WIDE;
            want_gamma[e] += d * c;
            want_beta[e] += d;
        }
        for (size_t e = 0; e < WIDE; e++) {
            double c = ((double)x[t * WIDE + e] - mean) * r;
            want_dx[t * WIDE + e] = (double)dx[t * WIDE + e] + r * ((double)dy[t * WIDE + e] * (double)gamma[e] - g - c * gc);
        }
    }
    ops->norm_forward(dev, y, stat, x, gamma, beta, (int)T, WIDE);
    ops->norm_backward(dev, dx, dgamma, dbeta, dy, x, stat, gamma, WIDE, (struct sk_leaves){LEAVES, row}, 1);
    double far = distance(y, want, T * WIDE), far_dx = distance(dx, want_dx, T * WIDE);
    double far_g = fmax(distance(dgamma, want_gamma, WIDE), distance(dbeta, want_beta, WIDE));
    ok(far < 2e-6 && far_dx < 3e-6 && far_g < 3e-6, "layer norm: forward (off by %.2g), dx (%.2g), parameters (%.2g)", far,
       far_dx, far_g);
    int32_t of[LEAVES + 1];
    float *b = part + WIDE, *half = zeros(2 * WIDE);
    size_t middle = (size_t)row[LEAVES / 2];
    ops->norm_backward(dev, dx, part, b, dy, x, stat, gamma, WIDE, some(row, 0, LEAVES / 2, of), 0);
    ops->norm_backward(dev, dx + middle * WIDE, half, half + WIDE, dy + middle * WIDE, x + middle * WIDE,
                       stat + 2 * middle, gamma, WIDE, some(row, LEAVES / 2, LEAVES / 2, of), 0);
    int same = 1;
    for (int e = 0; e < WIDE; e++)
        same = same && part[e] + half[e] == dgamma[e] && b[e] + half[WIDE + e] == dbeta[e];
    ok(same, "layer norm: two halves of the leaves give the bits of all");
    float *all_of[] = {x, dy, gamma, beta, y, stat, dx, dgamma, dbeta, part, half};
    for (int i = 0; i < 11; i++)
        free(all_of[i]);
    free(want), free(want_dx);
}

/* --- embeddings --------------------------------------------------------------------------- */

static void test_embeddings(const int32_t *row)
{
    enum { V = 37, P = 50 };
    static const int32_t offset[] = {0, 40, 41, 80, ROWS};
    static const int64_t ordinal[] = {5, 1, 9, 2};
    struct sk_rows rows = {ROWS, 4, offset, ordinal};
    float *table = filled(V * D), *position = filled(P * D), *x = zeros(ROWS * D), *dx[2] = {filled(ROWS * D), filled(ROWS * D)};
    float *dtable = filled(V * D), *dposition = filled(P * D), scale[2] = {0.5f, 2};
    double *want = wide(ROWS * D), *want_table = wide(V * D), *want_position = wide(P * D);
    int32_t id[2][ROWS], at[ROWS];
    const int32_t *ids[2] = {id[0], id[1]};
    for (int r = 0; r < ROWS; r++) {
        id[0][r] = below(V - 1);         /* the last word never comes */
        id[1][r] = below(3);
        at[r] = below(P);
    }
    for (int given = 0; given < 2; given++) {
        for (int s = 0; s < 4; s++)
            for (int r = offset[s]; r < offset[s + 1]; r++)
                for (int e = 0; e < D; e++)
                    want[r * D + e] = (double)table[id[0][r] * D + e] * 3 +
                                      (double)position[(given ? at[r] : r - offset[s]) * D + e];
        ops->embed_forward(dev, x, id[0], table, 3, position, D, rows, given ? at : NULL, (struct sk_dropout){0});
        double far = distance(x, want, ROWS * D);
        ok(far < 1e-6, "embeddings%s (off by %.2g)", given ? ", positions given" : "", far);
    }
    for (int s = 0; s < 2; s++)
        for (int r = 0; r < row[LEAVES]; r++)
            for (int e = 0; e < D; e++)
                want_table[id[s][r] * D + e] += (double)scale[s] * (double)dx[s][r * D + e];
    struct sk_leaves leaves[2] = {{LEAVES, row}, {LEAVES, row}};
    ops->embed_backward(dev, dtable, V, D, 2, ids, (const float *const *)dx, scale, leaves);
    double far = distance(dtable, want_table, V * D);
    ok(far < 2e-6 && dtable[V * D - 1] == 0, "gradient of the table, two streams (off by %.2g)", far);
    if (row[LEAVES] == ROWS) {
        for (int s = 0; s < 4; s++)
            for (int r = offset[s]; r < offset[s + 1]; r++)
                for (int e = 0; e < D; e++)
                    want_position[(r - offset[s]) * D + e] += (double)dx[0][r * D + e];
        ops->position_backward(dev, dposition, P, D, dx[0], rows, leaves[0]);
        far = distance(dposition, want_position, P * D);
        ok(far < 2e-6, "gradient of positions (off by %.2g)", far);
    }
    float *all[] = {table, position, x, dx[0], dx[1], dtable, dposition};
    for (int i = 0; i < 7; i++)
        free(all[i]);
    free(want), free(want_table), free(want_position);
}

/* --- the output layer -------------------------------------------------------------------------- */

static void test_loss(const int32_t *row, float smoothing)
{
    enum { V = 131 };
    const float scale = 0.25f;
    size_t T = (size_t)row[LEAVES];
    float *x = filled(ROWS * D), *w = filled(V * D), *bias = filled(V), *dx = filled(ROWS * D), *dw = filled(V * D);
    float *db = filled(V), nll[ROWS];
    uint8_t correct[ROWS];
    int32_t label[ROWS];
    double *want_dx = wide(ROWS * D), *want_dw = wide(V * D), want_db[V] = {0}, want_nll[ROWS], p[V];
    int right = 1;
    struct sk_weight *weight = ops->weight_new(dev, V, D, 1);
    ops->weight_load(dev, weight, w);
    for (int r = 0; r < ROWS; r++)
        label[r] = below(V);
    for (int round = 0; round < 2; round++) {    /* the second: labels are what is likeliest */
        memset(want_db, 0, sizeof want_db);
        memset(want_dx, 0, ROWS * D * sizeof *want_dx);
        memset(want_dw, 0, V * D * sizeof *want_dw);
        for (size_t r = 0; r < T; r++) {
            double sum = 0;
            int best = 0;
            for (int v = 0; v < V; v++) {
                double s = (double)bias[v];
                for (int e = 0; e < D; e++)
                    s += (double)x[r * D + (size_t)e] * (double)w[v * D + e];
                sum += p[v] = exp(s);
                best = p[v] > p[best] ? v : best;
            }
            if (round)
                label[r] = best;
            want_nll[r] = -log(p[label[r]] / sum);
            for (int v = 0; v < V; v++) {
                double g = (p[v] / sum - (v == label[r] ? 1 - (double)smoothing : (double)smoothing / (V - 1))) * (double)scale;
                want_db[v] += g;
                for (int e = 0; e < D; e++) {
                    want_dx[r * D + (size_t)e] += g * (double)w[v * D + e];
                    want_dw[v * D + e] += g * (double)x[r * D + (size_t)e];
                }
            }
        }
        ops->output_loss(dev, dx, dw, db, nll, correct, x, weight, bias, label, smoothing, scale, V, D,
                         (struct sk_leaves){LEAVES, row});
        for (size_t r = 0; round && r < T; r++)
            right += correct[r];
    }
    double far = distance(nll, want_nll, T), far_dx = distance(dx, want_dx, T * D);
    double far_w = fmax(distance(dw, want_dw, V * D), distance(db, want_db, V));
    ok(far < near() && far_dx < 3 * near() && far_w < 3 * near(),
       "%s: loss, smoothing %g (off by %.2g), its gradients (%.2g, %.2g)", name(), (double)smoothing, far, far_dx, far_w);
    if (dtype == SK_FLOAT32)
        is_int(right - 1, (int)T, "the likeliest words are found to be right");
    ops->weight_free(dev, weight);
    float *all[] = {x, w, bias, dx, dw, db};
    for (int i = 0; i < 6; i++)
        free(all[i]);
    free(want_dx), free(want_dw);
}

static void test_flat(void)
{
    enum { MANY = 200001 };
    float *x = filled(MANY), *y = filled(MANY);
    double sum = 0;
    for (int i = 0; i < MANY; i++)
        sum += (double)x[i] * (double)x[i];
    double got = ops->sum_squares(dev, x, MANY);
    ok(fabs(got - sum) < 1e-12 * sum, "sum of squares (off by %.2g)", fabs(got - sum) / sum);
    is_int(ops->find_nonfinite(dev, x, MANY), -1, "all are finite");
    x[MANY - 1] = NAN;
    x[70000] = -INFINITY;
    x[70001] = INFINITY;
    is_int(ops->find_nonfinite(dev, x, MANY), 70000, "the first that is not");
    x[70000] = x[70001] = 1;
    is_int(ops->find_nonfinite(dev, x, MANY), MANY - 1, "the last that is not");
    float before = y[5], other = x[5];
    ops->add(dev, y, x, 6);
    ok(y[5] == before + other, "a sum");
    free(x), free(y);
}

int main(void)
{
    const char *why = "";
    dev = ops->open(2, &why);
    if (!dev)
        skip_all(why);
    static const enum sk_dtype dtypes[] = {SK_FLOAT32, SK_BFLOAT16, SK_TF32};
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
        dtype = dtypes[d];
        ops->set_dtype(dev, dtype);
        test_products(1, 1, 1);
        test_products(23, 17, 33);
        test_products(64, 130, 64);
        for (size_t i = 0; i < sizeof leaf_rows / sizeof *leaf_rows; i++) {
            test_weight(leaf_rows[i], 20);
            test_loss(leaf_rows[i], i % 2 ? 0.1f : 0);
        }
    }
    ops->set_dtype(dev, SK_FLOAT32);
    for (size_t i = 0; i < sizeof leaf_rows / sizeof *leaf_rows; i++) {
        test_norm(leaf_rows[i]);
        test_embeddings(leaf_rows[i]);
    }
    test_flat();
    ops->close(dev);
    return done_testing();
}
