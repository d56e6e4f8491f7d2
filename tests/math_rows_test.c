/* Rows in bfloat16 (ops.h, ROWS): each operation on them gives what it gives on floats of the same
 * values, rounded once; what stays float32, the same bits. Where a device has no such rows,
 * they are floats. And operations that are fused give the bits of their steps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ops.h"
#include "tap.h"

static const struct sk_ops *const ops = &TEST_OPS;
static struct sk_device *dev;
static int exact;                        /* not on a GPU, whose libraries add in orders of their own */

static uint32_t state = 1;
/* -1 to 1 in steps of 1/128: bfloat16 has them. */
static float some(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 24) / 128.0f - 1.0f;
}
static float *filled(size_t n)
{
    float *p = malloc((n + 1) * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = some();
    return p;
}
static float rounded(float x)
{
    union { float f; uint32_t u; } v = {x};
    v.u = (v.u & 0x7f800000u) == 0 ? v.u & 0x80000000u : (v.u + 0x7fff + (v.u >> 16 & 1)) & 0xffff0000u;
    return v.f;
}

/* Rows as the device has them, and back. */
static float *rows_of(const float *x, size_t n, size_t item)
{
    char *to = malloc((n + 1) * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        uint16_t narrow = (uint16_t)(bits >> 16);
        if (item == 2)
            memcpy(to + 2 * i, &narrow, sizeof narrow);
        else
            memcpy(to + 4 * i, &bits, sizeof bits);
    }
    return (float *)(void *)to;
}
static float value(const float *rows, size_t i, size_t item)
{
    uint32_t bits = 0;
    uint16_t narrow;
    memcpy(item == 2 ? (void *)&narrow : (void *)&bits, (const char *)rows + item * i, item);
    if (item == 2)
        bits = (uint32_t)narrow << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
static float *at(float *rows, size_t i, size_t item) { return (float *)(void *)((char *)rows + item * i); }

/* Both, after an operation: rows, and floats of the operation on floats; if not exact, within a
 * hundredth of the largest. */
static int rows_agree(const float *rows, const float *floats, size_t n, size_t item)
{
    int good = 1;
    float most = 0, off = 0;
    for (size_t i = 0; i < n; i++) {
        float a = value(rows, i, item), b = item == 2 ? rounded(floats[i]) : floats[i];
        good = good && a == b;
        most = fmaxf(most, fabsf(b));
        off = fmaxf(off, a == a ? fabsf(a - b) : INFINITY);
    }
    return exact ? good : off <= 0.01f * most;
}
static int floats_agree(const float *a, const float *b, size_t n)
{
    if (exact)
        return memcmp(a, b, n * sizeof *a) == 0;
    return rows_agree(a, b, n, sizeof(float));
}

enum { SENTENCES = 5, T = 100, LEAVES = 4 };
static const int32_t offset[SENTENCES + 1] = {0, 1, 8, 24, 95, T}, leaf[LEAVES + 1] = {0, 8, 8, 24, T};
static const int64_t ordinal[SENTENCES] = {7, 3, (int64_t)5 << 31, 0, 11};
static const struct sk_rows rows = {T, SENTENCES, offset, ordinal};
static const struct sk_leaves leaves = {LEAVES, leaf};

/* Bytes of a value while an operation on rows runs; off() ends that. */
static size_t on(void) { return ops->narrow_rows(dev, 1); }
static void off(void) { ops->narrow_rows(dev, 0); }

static void test_products(int N, int K)
{
    size_t n = (size_t)N, k = (size_t)K;
    float *x = filled(T * k), *dy = filled(T * n), *w = filled(n * k), *bias = filled(n), *y = filled(T * n);
    float *dx = filled(T * k), *dw = filled(n * k), *db = filled(n), *dw2 = filled(n * k), *db2 = filled(n);
    struct sk_weight *weight = ops->weight_new(dev, N, K, 1);
    ops->weight_load(dev, weight, w);
    size_t item = on();
    float *nx = rows_of(x, T * k, item), *ndy = rows_of(dy, T * n, item), *ny = rows_of(y, T * n, item);
    float *ndx = rows_of(dx, T * k, item);
    ops->linear_forward(dev, ny, nx, weight, bias, T);
    ops->linear_backward_data(dev, ndx, ndy, weight, T, 1);
    ops->linear_backward_weight(dev, dw2, db2, ndy, nx, N, K, leaves);
    off();
    ops->linear_forward(dev, y, x, weight, bias, T);
    ops->linear_backward_data(dev, dx, dy, weight, T, 1);
    ops->linear_backward_weight(dev, dw, db, dy, x, N, K, leaves);
    ok(rows_agree(ny, y, T * n, item) && rows_agree(ndx, dx, T * k, item), "products %d x %d, forward and added", N, K);
    ok(floats_agree(dw2, dw, n * k) && floats_agree(db2, db, n), "gradients of weight and bias");
    ops->weight_free(dev, weight);
    float *all[] = {x, dy, w, bias, y, dx, dw, db, dw2, db2, nx, ndy, ny, ndx};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void test_between(int D, float p)
{
    const struct sk_dropout drop = {p, 9, 3, 5};
    size_t n = (size_t)T * (size_t)D;
    float *a = filled(n), *b = filled(n), *y = filled(n);
    int good = 1;
    for (int kind = SK_RELU; kind <= SK_SWISH1; kind++) {
        size_t item = on();
        float *na = rows_of(a, n, item), *nb = rows_of(b, n, item), *ny = rows_of(y, n, item);
        ops->activation_forward(dev, ny, na, (enum sk_activation)kind, D, rows, drop);
        ops->activation_backward(dev, nb, nb, na, (enum sk_activation)kind, D, rows, drop);
        off();
        float *da = filled(n);
        ops->activation_forward(dev, y, a, (enum sk_activation)kind, D, rows, drop);
        ops->activation_backward(dev, da, b, a, (enum sk_activation)kind, D, rows, drop);
        good = good && rows_agree(ny, y, n, item) && rows_agree(nb, da, n, item);
        free(na), free(nb), free(ny), free(da);
    }
    ok(good, "activations of %d values, dropout %g", D, (double)p);
    size_t item = on();
    float *na = rows_of(a, n, item), *nb = rows_of(b, n, item), *nc = rows_of(a, n, item);
    ops->dropout_backward(dev, nc, D, rows, drop);
    ops->dropout_add(dev, nb, na, nb, D, rows, drop);
    off();
    ops->dropout_add(dev, b, a, b, D, rows, drop);
    ops->dropout_backward(dev, a, D, rows, drop);
    ok(rows_agree(nb, b, n, item) && rows_agree(nc, a, n, item), "dropout, alone and added");
    free(a), free(b), free(y), free(na), free(nb), free(nc);
}

static void test_norm(int D)
{
    size_t d = (size_t)D, n = T * d;
    float *x = filled(n), *dy = filled(n), *gamma = filled(d), *beta = filled(d), *y = filled(n), *dx = filled(n);
    float *stat = filled(2 * T), *stat2 = filled(2 * T), *g = filled(2 * d), *g2 = filled(2 * d);
    size_t item = on();
    float *nx = rows_of(x, n, item), *ndy = rows_of(dy, n, item), *ny = rows_of(y, n, item), *ndx = rows_of(dx, n, item);
    ops->norm_forward(dev, ny, stat2, nx, gamma, beta, T, D);
    ops->norm_backward(dev, ndx, g2, g2 + d, ndy, nx, stat2, gamma, D, leaves, 1);
    off();
    ops->norm_forward(dev, y, stat, x, gamma, beta, T, D);
    ops->norm_backward(dev, dx, g, g + d, dy, x, stat, gamma, D, leaves, 1);
    ok(rows_agree(ny, y, n, item) && floats_agree(stat2, stat, 2 * T), "layer norm of %d values", D);
    ok(rows_agree(ndx, dx, n, item) && floats_agree(g2, g, 2 * d), "its gradients");
    float *all[] = {x, dy, gamma, beta, y, dx, stat, stat2, g, g2, nx, ndy, ny, ndx};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* Dropout, residual and norm in one operation. */
static void test_fused(int D, float p, int narrow, int residual)
{
    const struct sk_dropout drop = {p, 2, 3, 5};
    size_t d = (size_t)D, n = T * d, item = ops->narrow_rows(dev, narrow);
    float *f = filled(n), *r = filled(n), *gamma = filled(d), *beta = filled(d), *stat = filled(2 * T);
    float *stat2 = filled(2 * T), *g = filled(2 * d), *g2 = filled(2 * d);
    float *nf = rows_of(f, n, item), *nr = residual ? rows_of(r, n, item) : NULL, *sum = rows_of(r, n, item);
    float *y = rows_of(r, n, item), *y2 = rows_of(r, n, item), *df = rows_of(r, n, item), *df2 = rows_of(r, n, item);
    float *dx = rows_of(f, n, item), *dx2 = rows_of(f, n, item);
    ops->dropout_add(dev, sum, nf, nr, D, rows, drop);
    ops->norm_forward(dev, y, stat, sum, gamma, beta, T, D);
    ops->dropout_add_norm(dev, nf, y2, stat2, nf, nr, gamma, beta, D, rows, drop);
    ok(!memcmp(nf, sum, n * item) && !memcmp(y2, y, n * item) && !memcmp(stat2, stat, 2 * T * sizeof *stat),
       "%d values, dropout %g%s%s: sum and norm in one", D, (double)p, item == 2 ? ", bfloat16" : "",
       residual ? ", residual" : "");
    ops->norm_backward(dev, dx, g, g + d, y, sum, stat, gamma, D, leaves, residual);
    ops->dropout_add(dev, df, dx, NULL, D, rows, drop);
    ops->norm_dropout_backward(dev, dx2, df2, g2, g2 + d, y, sum, stat, gamma, D, rows, leaves, drop, residual);
    off();
    ok(!memcmp(dx2, dx, n * item) && !memcmp(df2, df, n * item) && !memcmp(g2, g, 2 * d * sizeof *g), "and backward");
    float *all[] = {f, r, gamma, beta, stat, stat2, g, g2, nf, nr, sum, y, y2, df, df2, dx, dx2};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void test_embeddings(int D, float p)
{
    enum { V = 19, P = 80 };
    const struct sk_dropout drop = {p, 2, 3, 5};
    size_t d = (size_t)D, n = T * d;
    float *table = filled(V * d), *position = filled(P * d), *x = filled(n), *dx = filled(n);
    float *t1 = filled(V * d), *t2 = filled(V * d), *p1 = filled(P * d), *p2 = filled(P * d), scale[2] = {2, 0.5f};
    int32_t id[T];
    for (int i = 0; i < T; i++)
        id[i] = (int32_t)((some() + 1) * 8);
    size_t item = on();
    float *nx = rows_of(x, n, item), *ndx = rows_of(dx, n, item);
    const int32_t *ids[2] = {id, id};
    const float *floats[2] = {dx, x}, *narrow[2] = {ndx, nx};
    const struct sk_leaves both[2] = {leaves, leaves};
    ops->embed_backward(dev, t2, V, D, 2, ids, narrow, scale, both);
    ops->position_backward(dev, p2, P, D, ndx, rows, leaves);
    ops->embed_forward(dev, nx, id, table, 3, position, D, rows, NULL, drop);
    off();
    ops->embed_backward(dev, t1, V, D, 2, ids, floats, scale, both);
    ops->position_backward(dev, p1, P, D, dx, rows, leaves);
    ops->embed_forward(dev, x, id, table, 3, position, D, rows, NULL, drop);
    ok(rows_agree(nx, x, n, item), "embeddings of %d values, dropout %g", D, (double)p);
    ok(floats_agree(t2, t1, V * d) && floats_agree(p2, p1, P * d), "gradients of tables");
    float *all[] = {table, position, x, dx, t1, t2, p1, p2, nx, ndx};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* Sentence 3 of qkv without the others, and without dropout, has the bits of all. */
static void test_alone(int H, int d, int causal, float *qkv, float *context, size_t item)
{
    enum { WHICH = 3 };
    const int32_t of_one[] = {0, offset[WHICH + 1] - offset[WHICH]};
    const struct sk_rows one = {of_one[1], 1, of_one, ordinal + WHICH};
    const struct sk_dropout none = {0, 0, 0, 0};
    const size_t D = (size_t)(H * d), n = (size_t)of_one[1] * D, first = (size_t)offset[WHICH];
    const int ld = 3 * H * d;
    float *alone = filled(n), *prob = filled(ops->attention_size(H, rows, rows)), *x = at(qkv, 3 * D * first, item);
    on();
    ops->attention_forward(dev, context, prob, qkv, ld, at(qkv, D, item), at(qkv, 2 * D, item), ld, H, H * d, rows, rows,
                           causal, none);
    ops->attention_forward(dev, alone, prob, x, ld, at(x, D, item), at(x, 2 * D, item), ld, H, H * d, one, one, causal,
                           none);
    off();
    ok(!memcmp(alone, at(context, D * first, item), n * item), "a sentence alone has the bits of it in company");
    free(alone), free(prob);
}

/* q, k and v stand beside each other, as a fused projection leaves them. */
static void test_attention(int H, int d, int causal, float p)
{
    /* Tensor cores (attention_tensor.cu) also take probabilities in bfloat16. */
    const int before = exact, tensor = TEST_CUDA && d % 16 == 0 && d <= 64;
    exact = exact && !tensor;
    const struct sk_dropout drop = {p, 2, 3, 5};
    const int D = H * d, ld = 3 * D;
    size_t n = T * (size_t)D, w = (size_t)D;
    float *qkv = filled(3 * n), *dqkv = filled(3 * n), *c = filled(n), *dc = filled(n);
    float *prob = filled(ops->attention_size(H, rows, rows)), *prob2 = filled(ops->attention_size(H, rows, rows));
    size_t item = on();
    float *nqkv = rows_of(qkv, 3 * n, item), *ndqkv = rows_of(dqkv, 3 * n, item), *nc = rows_of(c, n, item);
    float *ndc = rows_of(dc, n, item);
    ops->attention_forward(dev, nc, prob2, nqkv, ld, at(nqkv, w, item), at(nqkv, 2 * w, item), ld, H, D, rows, rows,
                           causal, drop);
    ops->attention_backward(dev, ndqkv, at(ndqkv, w, item), at(ndqkv, 2 * w, item), ndc, prob2, nqkv, ld,
                            at(nqkv, w, item), at(nqkv, 2 * w, item), ld, H, D, rows, rows, causal, drop);
    off();
    ops->attention_forward(dev, c, prob, qkv, ld, qkv + D, qkv + 2 * D, ld, H, D, rows, rows, causal, drop);
    ops->attention_backward(dev, dqkv, dqkv + D, dqkv + 2 * D, dc, prob, qkv, ld, qkv + D, qkv + 2 * D, ld, H, D, rows,
                            rows, causal, drop);
    ok(rows_agree(nc, c, n, item), "attention, %d heads of %d%s, dropout %g", H, d, causal ? ", causal" : "", (double)p);
    ok(rows_agree(ndqkv, dqkv, 3 * n, item), "its gradients");
    exact = before;
    test_alone(H, d, causal, nqkv, nc, item);
    float *all[] = {qkv, dqkv, c, dc, prob, prob2, nqkv, ndqkv, nc, ndc};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void test_loss(int V, int D)
{
    size_t v = (size_t)V, d = (size_t)D, n = T * d;
    float *x = filled(n), *w = filled(v * d), *bias = filled(v), *dx = filled(n), *dw = filled(v * d), *db = filled(v);
    float *dw2 = filled(v * d), *db2 = filled(v), nll[T], nll2[T];
    uint8_t correct[T], correct2[T];
    int32_t label[T];
    for (int i = 0; i < T; i++)
        label[i] = (int32_t)((some() + 1) / 2 * (float)V);
    struct sk_weight *weight = ops->weight_new(dev, V, D, 1);
    ops->weight_load(dev, weight, w);
    size_t item = on();
    float *nx = rows_of(x, n, item), *ndx = rows_of(dx, n, item);
    ops->output_loss(dev, ndx, dw2, db2, nll2, correct2, nx, weight, bias, label, 0.1f, 0.25f, V, D, leaves);
    off();
    ops->output_loss(dev, dx, dw, db, nll, correct, x, weight, bias, label, 0.1f, 0.25f, V, D, leaves);
    ok(floats_agree(nll2, nll, T) && !memcmp(correct2, correct, T), "losses are made in float32");
    ok(rows_agree(ndx, dx, n, item) && floats_agree(dw2, dw, v * d) && floats_agree(db2, db, v), "and their gradients");
    ops->weight_free(dev, weight);
    float *all[] = {x, w, bias, dx, dw, db, dw2, db2, nx, ndx};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

int main(void)
{
    const char *why = "";
    exact = !getenv("SK_TEST_PLUGIN") && !getenv("SK_CUDA_UNFUSED");     /* which rounds twice */
    dev = ops->open(2, &why);
    if (!dev)
        skip_all(why);
    is_int((int)ops->narrow_rows(dev, 1), sizeof(float), "no rows of bfloat16 beside products of float32");
    ops->set_dtype(dev, SK_BFLOAT16);
    const char *forbidden = getenv("SK_CUDA_ROWS");
    is_int((int)ops->narrow_rows(dev, 1), TEST_CUDA && !forbidden ? 2 : sizeof(float), "but beside products of such numbers");
    is_int((int)ops->narrow_rows(dev, 0), sizeof(float), "until they are wanted no more");
    test_products(48, 32);
    test_products(5, 7);
    static const int sizes[] = {48, 37};
    for (int i = 0; i < 2; i++) {
        test_between(sizes[i], 0);
        test_between(sizes[i], 0.3f);
        test_embeddings(sizes[i], 0);
        test_embeddings(sizes[i], 0.3f);
    }
    static const int widths[] = {16, 48, 37, 512, 528, 1024, 1040};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        test_norm(widths[i]);
        for (int k = 0; k < 8; k++)
            test_fused(widths[i], k & 1 ? 0.25f : 0, k >> 1 & 1, k >> 2);
    }
    test_attention(2, 16, 0, 0);
    test_attention(2, 16, 1, 0.2f);
    test_attention(1, 64, 0, 0.1f);
    test_attention(2, 48, 1, 0);
    test_attention(1, 80, 1, 0);
    test_attention(3, 5, 0, 0.2f);
    test_loss(67, 32);
    test_loss(64, 48);
    ops->close(dev);
    return done_testing();
}
