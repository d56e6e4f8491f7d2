/* Operations of recurrent layers against plain double precision: values, and
 * gradients by differences of those. On all devices the same bits; a row
 * alone has the bits it has in company. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ops.h"
#include "math/ops.h"
#include "tap.h"

enum { DEVICES = TEST_CUDA ? 2 : 4, MOST = 4096 };
static const struct sk_ops *const ops = &TEST_OPS;
/* 1, 2 and 8 threads, and 2 threads held to AVX2. */
static struct sk_device *device[DEVICES];

static uint32_t state = 1;
static float uniform(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1.0f;
}
static void fill(float *p, int n)
{
    for (int i = 0; i < n; i++) p[i] = uniform();
}
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

/* The largest difference, of values of about 1. */
static double distance(const float *got, const double *want, int n)
{
    double most = 0;
    for (int i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= most)) most = fabs((double)got[i] - want[i]);
    return most;
}

/* --- cells ------------------------------------------------------------------- */

/* Inputs of one row as one list: x, hx, before. Outputs: h, and c of an LSTM. */
static void cell_double(enum sk_cell cell, const double *in, double *h, double *c, int H)
{
    int G = cell == SK_LSTM ? 4 : 3;
    const double *x = in, *y = in + G * H, *before = in + 2 * G * H;
    for (int e = 0; e < H; e++) {
        if (cell == SK_LSTM) {
            double i = sigmoid(x[e] + y[e]), f = sigmoid(x[H + e] + y[H + e]);
            double g = tanh(x[2 * H + e] + y[2 * H + e]), o = sigmoid(x[3 * H + e] + y[3 * H + e]);
            c[e] = f * before[e] + i * g;
            h[e] = o * tanh(c[e]);
        } else {
            double r = sigmoid(x[e] + y[e]), z = sigmoid(x[H + e] + y[H + e]);
            double n = tanh(x[2 * H + e] + r * y[2 * H + e]);
            h[e] = (1 - z) * n + z * before[e];
        }
    }
}

static void test_cell(enum sk_cell cell, int n, int H)
{
    int G = cell == SK_LSTM ? 4 : 3, K = (2 * G + 1) * H, lstm = cell == SK_LSTM;
    static float x[MOST], hx[MOST], before[MOST], dh[MOST], dc[MOST];
    static float h[DEVICES][MOST], c[DEVICES][MOST], gates[DEVICES][MOST];
    static float dx[DEVICES][MOST], dhx[DEVICES][MOST], dbefore[DEVICES][MOST];
    static double in[MOST], want[MOST], want_c[MOST], grad[3][MOST];
    fill(x, n * G * H), fill(hx, n * G * H), fill(before, n * H), fill(dh, n * H), fill(dc, n * H);
    for (int d = 0; d < DEVICES; d++) {
        ops->cell_forward(device[d], cell, h[d], lstm ? c[d] : NULL, gates[d], x, hx, before, n, H);
        memcpy(dbefore[d], dc, sizeof dc);
        ops->cell_backward(device[d], cell, dx[d], dhx[d], dbefore[d], dh, gates[d], c[d], before, n, H);
    }
    for (int r = 0; r < n; r++) {
        for (int e = 0; e < G * H; e++) {
            in[e] = (double)x[r * G * H + e];
            in[G * H + e] = (double)hx[r * G * H + e];
        }
        for (int e = 0; e < H; e++) in[2 * G * H + e] = (double)before[r * H + e];
        cell_double(cell, in, want + r * H, want_c + r * H, H);
        for (int k = 0; k < K; k++) {
            double sum = 0, keep = in[k], y[2][2][256];
            for (int side = 0; side < 2; side++) {
                in[k] = keep + (side ? -1e-5 : 1e-5);
                cell_double(cell, in, y[side][0], y[side][1], H);
            }
            in[k] = keep;
            for (int e = 0; e < H; e++) {
                sum += (double)dh[r * H + e] * (y[0][0][e] - y[1][0][e]) / 2e-5;
                if (lstm) sum += (double)dc[r * H + e] * (y[0][1][e] - y[1][1][e]) / 2e-5;
            }
            int part = k / (G * H);
            /* what goes through hx is counted there; GRU's dbefore is the rest, as here */
            grad[part][part == 2 ? r * H + k - 2 * G * H : r * G * H + k % (G * H)] = sum;
        }
    }
    const char *name = lstm ? "LSTM" : "GRU";
    double far = distance(h[0], want, n * H);
    if (lstm && distance(c[0], want_c, n * H) > far) far = distance(c[0], want_c, n * H);
    ok(far < 2e-6, "%s, %d rows of %d: values (%.2g)", name, n, H, far);
    double worst[] = {distance(dx[0], grad[0], n * G * H), distance(dhx[0], grad[1], n * G * H),
                      distance(dbefore[0], grad[2], n * H)};
    ok(worst[0] < 3e-6 && worst[1] < 3e-6 && worst[2] < 3e-6, "%s, %d rows of %d: gradients (%.2g %.2g %.2g)", name, n,
       H, worst[0], worst[1], worst[2]);
    int same = 1;
    for (int d = 1; d < DEVICES; d++)
        same &= !memcmp(h[0], h[d], (size_t)(n * H) * 4) && !memcmp(dx[0], dx[d], (size_t)(n * G * H) * 4) &&
            !memcmp(dhx[0], dhx[d], (size_t)(n * G * H) * 4) && !memcmp(dbefore[0], dbefore[d], (size_t)(n * H) * 4);
    ok(same, "%s, %d rows of %d: the same bits on all devices", name, n, H);
}

/* --- attention ------------------------------------------------------------------ */

/* One row: in = q, keys, values, v, gamma, beta. */
struct shape { int A, D, n, mlp, norm; double scale; };
static void attend_double(const struct shape *s, const double *in, double *context)
{
    const double *q = in, *keys = q + s->A, *values = keys + s->n * s->A, *v = values + s->n * s->D;
    const double *gamma = v + s->A, *beta = gamma + s->A;
    double p[64], sum = 0, most = -INFINITY;
    for (int j = 0; j < s->n; j++) {
        double u[64], mean = 0, var = 0;
        p[j] = 0;
        for (int a = 0; a < s->A; a++) {
            u[a] = q[a] + keys[j * s->A + a];
            mean += u[a] / s->A;
            if (!s->mlp) p[j] += s->scale * q[a] * keys[j * s->A + a];
        }
        for (int a = 0; a < s->A; a++) var += (u[a] - mean) * (u[a] - mean) / s->A;
        for (int a = 0; a < s->A && s->mlp; a++)
            p[j] += v[a] * tanh(s->norm ? gamma[a] * (u[a] - mean) / sqrt(var + 1e-6) + beta[a] : u[a]);
        if (p[j] > most) most = p[j];
    }
    for (int j = 0; j < s->n; j++) sum += p[j] = exp(p[j] - most);
    for (int e = 0; e < s->D; e++) {
        context[e] = 0;
        for (int j = 0; j < s->n; j++) context[e] += p[j] / sum * values[j * s->D + e];
    }
}

static void test_attend(const char *name, int A, int D, int mlp, int norm, float scale)
{
    enum { ROWS = 3, KEYS = 41, LDP = 24 };
    static const int32_t first[ROWS] = {20, 0, 5}, n[ROWS] = {21, 1, 9};
    static float q[MOST], keys[MOST], values[MOST], v[64], gamma[64], beta[64], prob[MOST], dcontext[MOST];
    static float context[DEVICES][MOST], dq[DEVICES][MOST], dkeys[DEVICES][MOST], dvalues[DEVICES][MOST];
    static float dv[DEVICES][MOST], dgamma[DEVICES][MOST], dbeta[DEVICES][MOST];
    static double in[MOST];
    fill(q, ROWS * A), fill(keys, KEYS * A), fill(values, KEYS * D), fill(v, A), fill(gamma, A), fill(beta, A);
    fill(dcontext, ROWS * D);
    struct sk_attend a = {.A = A, .D = D, .q = q, .keys = keys, .values = values, .v = mlp ? v : NULL,
                          .gamma = norm ? gamma : NULL, .beta = norm ? beta : NULL, .scale = scale, .first = first,
                          .n = n, .prob = prob, .ldp = LDP};
    for (int d = 0; d < DEVICES; d++) {
        struct sk_attend_gradients g = {dq[d], dkeys[d], dvalues[d], mlp ? dv[d] : NULL, norm ? dgamma[d] : NULL,
                                        norm ? dbeta[d] : NULL};
        for (int i = 0; i < MOST; i++) dkeys[d][i] = dvalues[d][i] = 1;
        ops->attend_forward(device[d], context[d], D, &a, ROWS);
        ops->attend_backward(device[d], &g, dcontext, D, &a, ROWS);
    }
    double values_far = 0, worst = 0;
    for (int r = 0; r < ROWS; r++) {
        struct shape s = {A, D, n[r], mlp, norm, (double)scale};
        int k = 0;
        const float *from[] = {q + r * A, keys + first[r] * A, values + first[r] * D, v, gamma, beta};
        const float *got[] = {dq[0] + r * A, dkeys[0] + first[r] * A, dvalues[0] + first[r] * D, dv[0] + r * A,
                              dgamma[0] + r * A, dbeta[0] + r * A};
        const int count[] = {A, n[r] * A, n[r] * D, A, A, A}, parts = norm ? 6 : mlp ? 4 : 3;
        double want[64], side[2][64];
        for (int i = 0; i < 6; i++)
            for (int e = 0; e < count[i]; e++) in[k++] = (double)from[i][e];
        attend_double(&s, in, want);
        double far = distance(context[0] + r * D, want, D);
        if (!(far <= values_far)) values_far = far;
        k = 0;
        for (int i = 0; i < parts; i++)
            for (int e = 0; e < count[i]; e++, k++) {
                double keep = in[k], sum = i == 1 || i == 2 ? 1 : 0;      /* these are added to */
                for (int w = 0; w < 2; w++) {
                    in[k] = keep + (w ? -1e-5 : 1e-5);
                    attend_double(&s, in, side[w]);
                }
                in[k] = keep;
                for (int o = 0; o < D; o++) sum += (double)dcontext[r * D + o] * (side[0][o] - side[1][o]) / 2e-5;
                if (!(fabs(sum - (double)got[i][e]) <= worst)) worst = fabs(sum - (double)got[i][e]);
            }
    }
    ok(values_far < 2e-6, "%s: values (%.2g)", name, values_far);
    ok(worst < 2e-5, "%s: gradients (%.2g)", name, worst);
    int same = 1;
    for (int d = 1; d < DEVICES; d++)
        same &= !memcmp(context[0], context[d], (size_t)(ROWS * D) * 4) && !memcmp(dq[0], dq[d], (size_t)(ROWS * A) * 4) &&
            !memcmp(dkeys[0], dkeys[d], sizeof dkeys[0]) && !memcmp(dvalues[0], dvalues[d], sizeof dvalues[0]) &&
            !memcmp(dv[0], dv[d], sizeof dv[0]) && !memcmp(dgamma[0], dgamma[d], sizeof dgamma[0]);
    ok(same, "%s: the same bits on all devices", name);
    struct sk_attend one = a;
    one.q += 2 * A;
    one.first += 2;
    one.n += 2;
    ops->attend_forward(device[0], context[1], D, &one, 1);
    ok(!memcmp(context[1], context[0] + 2 * D, (size_t)D * 4), "%s: a row alone", name);
}

/* --- the small ones ----------------------------------------------------------------- */

static void test_rows(void)
{
    enum { N = 700, D = 37, LD = 40 };
    static float in[N * LD], out[DEVICES][N * LD], want[N * LD];
    static int32_t to[N], from[N];
    for (int i = 0; i < N; i++) {
        to[i] = (i * 13) % N;
        from[i] = i % 5 ? (i * 7) % N : -1;
    }
    for (int add = 0; add < 2; add++)
        for (int lists = 0; lists < 2; lists++) {
            fill(in, N * LD), fill(want, N * LD);
            for (int d = 0; d < DEVICES; d++) {
                memcpy(out[d], want, sizeof want);
                ops->rows_move(device[d], out[d], LD, lists ? to : NULL, in, LD, lists ? from : NULL, N, D, add);
            }
            for (int i = 0; i < N; i++)
                for (int e = 0; e < D; e++) {
                    int source = lists ? from[i] : i;
                    float x = source < 0 ? 0 : in[source * LD + e], *y = &want[(lists ? to[i] : i) * LD + e];
                    *y = add ? *y + x : x;
                }
            int same = 0;
            for (int d = 0; d < DEVICES; d++) same += !memcmp(out[d], want, sizeof want);
            is_int(same, DEVICES, "rows from here to there, lists %d, add %d", lists, add);
        }
}

static void test_flat(void)
{
    enum { N = 20011 };
    static float a[N], b[N], y[N], product[N], slope[N], again[N];
    fill(a, N), fill(b, N);
    int same = 1;
    double far = 0, far_slope = 0;
    for (int d = 0; d < DEVICES; d++) {
        ops->tanh_forward(device[d], again, a, N);
        if (d) same &= !memcmp(again, y, sizeof y);
        memcpy(y, again, sizeof y);
    }
    ops->multiply(device[1], product, a, b, N);
    ops->tanh_backward(device[1], slope, b, y, N);
    for (int i = 0; i < N; i++) {
        double t = tanh((double)a[i]);
        far = fmax(far, fabs((double)y[i] - t));
        far_slope = fmax(far_slope, fabs((double)slope[i] - (double)b[i] * (1 - t * t)));
        same &= product[i] == a[i] * b[i];
    }
    ok(same && far < 1e-6 && far_slope < 1e-6, "products, tanh and its slope (%.2g %.2g)", far, far_slope);
}

static void test_mean(void)
{
    enum { D = 19 };
    static const int32_t offset[] = {0, 1, 18, 23};
    static const int64_t ordinal[3];
    struct sk_rows rows = {23, 3, offset, ordinal};
    static float x[23 * D], mean[3 * D], dmean[3 * D], dx[23 * D];
    double far = 0;
    fill(x, 23 * D), fill(dmean, 3 * D), fill(dx, 23 * D);
    static float before[23 * D];
    memcpy(before, dx, sizeof dx);
    ops->rows_mean(device[1], mean, x, D, rows);
    ops->rows_mean_backward(device[1], dx, dmean, D, rows);
    for (int s = 0; s < 3; s++)
        for (int e = 0; e < D; e++) {
            double sum = 0, n = offset[s + 1] - offset[s];
            for (int t = offset[s]; t < offset[s + 1]; t++) {
                sum += (double)x[t * D + e];
                far = fmax(far, fabs((double)dx[t * D + e] - (double)before[t * D + e] - (double)dmean[s * D + e] / n));
            }
            far = fmax(far, fabs((double)mean[s * D + e] - sum / n));
        }
    ok(far < 1e-6, "means of sentences and their gradient (%.2g)", far);
}

int main(void)
{
    static const int threads[] = {1, 2, 8, 2};
    for (int i = 0; i < DEVICES; i++) {
        const char *why = NULL;
        device[i] = ops->open(threads[i], &why);
        if (!device[i]) skip_all(why);
    }
    hold_to_avx2(device[DEVICES - 1]);
    test_cell(SK_LSTM, 3, 21);
    test_cell(SK_LSTM, 1, 1);
    test_cell(SK_GRU, 3, 21);
    test_cell(SK_GRU, 2, 16);
    test_attend("dot", 16, 16, 0, 0, 1);
    test_attend("dot, scaled, widths differ", 19, 33, 0, 0, 0.3F);
    test_attend("mlp", 5, 8, 1, 0, 1);
    test_attend("mlp, normalized", 23, 17, 1, 1, 1);
    test_rows();
    test_flat();
    test_mean();
    for (int i = 0; i < DEVICES; i++) ops->close(device[i]);
    return done_testing();
}
