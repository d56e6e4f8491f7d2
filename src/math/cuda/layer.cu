/* layer.cu - row operations: dropout, activations, embeddings. A warp does a
 * row. Value e of a row of n belongs to block e % ceil(n / 8) of the dropout's
 * counter (ops.h): a lane draws for 8 values at once, or, of two neighbouring
 * blocks, for 16, so that values are read by two. */
#include "math/cuda/kernel.h"

enum kind { DROPOUT_ADD, ACTIVATION, ACTIVATION_GRADIENT, RELU_GRADIENT, EMBED };

/* Which members a kind uses is said at its formula. */
template <class A, class R> struct row_op {
    int n;                               /* values of a row */
    struct sk_device_rows rows;
    struct sk_drop drop;
    R *out;
    const A *a, *b;
    enum sk_activation act;
    const int32_t *id, *at;
    float scale;
};

#define GELU_C 0.7978845608028654f       /* sqrt(2 / pi) */
#define GELU_A 0.044715f

__device__ static inline float activate(float x, enum sk_activation act)
{
    if (act == SK_RELU)
        return x > 0 || x != x ? x : 0;  /* NaN stays NaN */
    if (act == SK_SWISH1)
        return x * sk_sigmoid(x);
    return 0.5f * x * (1 + tanhf(GELU_C * fmaf(GELU_A, x * x * x, x)));
}

__device__ static inline float slope(float x, enum sk_activation act)
{
    if (act == SK_SWISH1) {
        float s = sk_sigmoid(x);
        return s * fmaf(x, 1 - s, 1);
    }
    float t = tanhf(GELU_C * fmaf(GELU_A, x * x * x, x));
    return fmaf(0.5f, 1 + t, 0.5f * x * ((1 - t * t) * (GELU_C * fmaf(3 * GELU_A, x * x, 1))));
}

/* kept: by dropout; has: whether there is a b; of EMBED, it is the row of positions. */
template <int KIND, class A, class R>
__device__ static inline float value(const struct row_op<A, R> &o, float a, bool has, float b, bool kept)
{
    float factor = kept ? o.drop.keep : 0, x = a;
    if (KIND == DROPOUT_ADD) {           /* [b +] a * factor */
        x = o.drop.on ? x * factor : x;
        return has ? b + x : x;
    }
    if (KIND == ACTIVATION) {            /* act(a) * factor */
        x = activate(x, o.act);
        return o.drop.on ? x * factor : x;
    }
    if (KIND == ACTIVATION_GRADIENT)     /* act'(a) * (b * factor) */
        return (o.drop.on ? b * factor : b) * slope(x, o.act);
    if (KIND == RELU_GRADIENT)           /* b * scale where a is positive */
        return x > 0 ? b * o.scale : 0;
    x *= o.scale;                        /* EMBED: (a * scale [+ b]) * factor */
    if (has)
        x += b;
    return o.drop.on ? x * factor : x;
}

/* W values from e on, 1 or 2. */
template <int KIND, int W, class A, class R>
__device__ static inline void do_values(const struct row_op<A, R> &o, R *out, const A *a, const A *b, int e, bool first,
                                        bool second)
{
    if (W == 1) {
        sk_put(out + e, value<KIND>(o, sk_get(a + e), b != NULL, b ? sk_get(b + e) : 0, first));
    } else {
        const struct sk_two x = sk_get2(a + e);
        struct sk_two y = {0, 0};
        if (b)
            y = sk_get2(b + e);
        sk_put2(out + e, {value<KIND>(o, x.x, b != NULL, y.x, first), value<KIND>(o, x.y, b != NULL, y.y, second)});
    }
}

template <int KIND, int W, class A, class R>
__global__ void __launch_bounds__(SK_THREADS, 2) rows_kernel(struct row_op<A, R> o)
{
    int row = sk_row_of_warp(), n = o.n, blocks = (n + 7) / 8, sentence = 0, position = 0;
    if (row >= o.rows.rows)
        return;
    if (o.drop.on || (KIND == EMBED && o.b && !o.at)) {
        sentence = sk_sentence_of(o.rows.offset, o.rows.sentences, row);
        position = row - o.rows.offset[sentence];
    }
    size_t at = (size_t)row * n;
    R *out = o.out + at;
    const A *a = o.a + at, *b = o.b ? o.b + at : NULL;
    if (KIND == EMBED) {
        a = o.a + (size_t)o.id[row] * n;
        b = o.b ? o.b + (size_t)(o.at ? o.at[row] : position) * n : NULL;
    }
    if (!o.drop.on) {
        for (int e = W * sk_lane(); e < n; e += W * SK_WARP)
            do_values<KIND, W>(o, out, a, b, e, true, true);
        return;
    }
    int64_t ordinal = o.rows.ordinal[sentence];
    for (int i = W * sk_lane(); i < blocks; i += W * SK_WARP) {
        unsigned bits = sk_drop_bits(o.drop, ordinal, position, i), more = 0;
        if (W == 2)
            more = sk_drop_bits(o.drop, ordinal, position, i + 1);
        for (int l = 0; l < 8; l++)
            if (l * blocks + i < n)
                do_values<KIND, W>(o, out, a, b, l * blocks + i, bits >> l & 1, more >> l & 1);
    }
}

template <int KIND, class A, class R>
static void run(struct sk_device *dev, struct row_op<A, R> o, struct sk_rows rows, struct sk_dropout drop)
{
    o.drop = sk_drop_of(drop);
    if (rows.rows <= 0)
        return;
    o.rows = (struct sk_device_rows){rows.rows, rows.sentences, NULL, NULL};
    if (o.drop.on || (KIND == EMBED && o.b && !o.at))
        o.rows = sk_stage_rows(dev, rows);
    dim3 grid(sk_count((size_t)rows.rows, SK_WARPS));
    if (sk_by_two(o.n, o.out, o.a, o.b))
        sk_launch(dev, rows_kernel<KIND, 2, A, R>, grid, SK_THREADS, o);
    else
        sk_launch(dev, rows_kernel<KIND, 1, A, R>, grid, SK_THREADS, o);
}

/* Of rows whose pointers only say where they are. */
template <int KIND, class R>
static void run_rows(struct sk_device *dev, void *out, const void *a, const void *b, int n, enum sk_activation act,
                     float scale, struct sk_rows rows, struct sk_dropout drop)
{
    struct row_op<R, R> o = {};
    o.n = n, o.out = (R *)out, o.a = (const R *)a, o.b = (const R *)b, o.act = act, o.scale = scale;
    run<KIND>(dev, o, rows, drop);
}

void sk_cuda_dropout_add(struct sk_device *dev, float *out, const float *f, const float *residual, int D,
                         struct sk_rows rows, struct sk_dropout drop)
{
#define RUN(R) run_rows<DROPOUT_ADD, R>(dev, out, f, residual, D, SK_RELU, 1, rows, drop)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
}

void sk_cuda_dropout_backward(struct sk_device *dev, float *dx, int D, struct sk_rows rows, struct sk_dropout drop)
{
    if (drop.p > 0)
        sk_cuda_dropout_add(dev, dx, dx, NULL, D, rows, drop);
}

void sk_cuda_activation_forward(struct sk_device *dev, float *h, const float *a, enum sk_activation act, int F,
                                struct sk_rows rows, struct sk_dropout drop)
{
#define RUN(R) run_rows<ACTIVATION, R>(dev, h, a, NULL, F, act, 1, rows, drop)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
}

void sk_cuda_activation_backward(struct sk_device *dev, float *da, const float *dh, const float *kept,
                                 enum sk_activation act, int F, struct sk_rows rows, struct sk_dropout drop)
{
    const float scale = 1.0f / (1.0f - drop.p);
    const struct sk_dropout none = {0, 0, 0, 0};
#define RELU(R) run_rows<RELU_GRADIENT, R>(dev, da, kept, dh, F, act, scale, rows, none)     /* no need to draw again */
#define OTHER(R) run_rows<ACTIVATION_GRADIENT, R>(dev, da, kept, dh, F, act, 1, rows, drop)
    if (act == SK_RELU)
        SK_FOR_ROWS(dev, RELU);
    else
        SK_FOR_ROWS(dev, OTHER);
#undef RELU
#undef OTHER
}

template <class R>
static void embed(struct sk_device *dev, void *x, const int32_t *id, const float *table, float scale,
                  const float *position, int D, struct sk_rows rows, const int32_t *at, struct sk_dropout drop)
{
    struct row_op<float, R> o = {};
    o.n = D, o.out = (R *)x, o.a = table, o.b = position, o.scale = scale;
    o.id = sk_stage_ints(dev, id, (size_t)rows.rows);
    o.at = at ? sk_stage_ints(dev, at, (size_t)rows.rows) : NULL;
    run<EMBED>(dev, o, rows, drop);
}

void sk_cuda_embed_forward(struct sk_device *dev, float *x, const int32_t *id, const float *table, float scale,
                           const float *position, int D, struct sk_rows rows, const int32_t *at,
                           struct sk_dropout drop)
{
#define RUN(R) embed<R>(dev, x, id, table, scale, position, D, rows, at, drop)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
}
