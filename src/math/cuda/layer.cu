/* layer.cu - row operations: dropout, activations, embeddings, layer norm. A
 * warp does a row. Value e of a row of n belongs to block e % ceil(n / 8) of the
 * dropout's counter (ops.h): a lane draws for 8 values at once. */
#include "math/cuda/kernel.h"
#include "math/cuda/sums.h"

enum kind { DROPOUT_ADD, ACTIVATION, ACTIVATION_GRADIENT, RELU_GRADIENT, EMBED };

/* Which members a kind uses is said at its formula. */
struct row_op {
    int n;                               /* values of a row */
    struct sk_device_rows rows;
    struct sk_drop drop;
    float *out;
    const float *a, *b;
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

/* Value e of the row at `at`; factor: of dropout; b: of EMBED, the row of positions. */
template <int KIND>
__device__ static inline void do_value(const struct row_op &o, size_t at, const float *a, const float *b, int e,
                                       bool kept)
{
    float factor = kept ? o.drop.keep : 0, x = a[e];
    if (KIND == DROPOUT_ADD) {           /* [b +] a * factor */
        x = o.drop.on ? x * factor : x;
        o.out[at + e] = b ? b[e] + x : x;
    } else if (KIND == ACTIVATION) {     /* act(a) * factor */
        x = activate(x, o.act);
        o.out[at + e] = o.drop.on ? x * factor : x;
    } else if (KIND == ACTIVATION_GRADIENT) {    /* act'(a) * (b * factor) */
        float g = b[e];
        o.out[at + e] = (o.drop.on ? g * factor : g) * slope(x, o.act);
    } else if (KIND == RELU_GRADIENT) {  /* b * scale where a is positive */
        o.out[at + e] = x > 0 ? b[e] * o.scale : 0;
    } else {                             /* (a * scale [+ b]) * factor */
        x *= o.scale;
        if (b)
            x += b[e];
        o.out[at + e] = o.drop.on ? x * factor : x;
    }
}

template <int KIND> __global__ void __launch_bounds__(SK_THREADS, 2) rows_kernel(struct row_op o)
{
    int row = sk_row_of_warp(), n = o.n, blocks = (n + 7) / 8, sentence = 0, position = 0;
    if (row >= o.rows.rows)
        return;
    if (o.drop.on || (KIND == EMBED && o.b && !o.at)) {
        sentence = sk_sentence_of(o.rows.offset, o.rows.sentences, row);
        position = row - o.rows.offset[sentence];
    }
    size_t at = (size_t)row * n;
    const float *a = o.a + at, *b = o.b ? o.b + at : NULL;
    int of_position = position;
    if (KIND == EMBED) {
        a = o.a + (size_t)o.id[row] * n;
        if (o.at)
            of_position = o.at[row];
        b = o.b ? o.b + (size_t)of_position * n : NULL;
    }
    if (!o.drop.on) {
        for (int e = sk_lane(); e < n; e += SK_WARP)
            do_value<KIND>(o, at, a, b, e, true);
        return;
    }
    int64_t ordinal = o.rows.ordinal[sentence];
    for (int i = sk_lane(); i < blocks; i += SK_WARP) {
        unsigned bits = sk_drop_bits(o.drop, ordinal, position, i);
        for (int l = 0; l < 8; l++)
            if (l * blocks + i < n)
                do_value<KIND>(o, at, a, b, l * blocks + i, bits >> l & 1);
    }
}

template <int KIND> static void run(struct sk_device *dev, struct row_op o, struct sk_rows rows, struct sk_dropout drop)
{
    o.drop = sk_drop_of(drop);
    if (rows.rows <= 0)
        return;
    o.rows = (struct sk_device_rows){rows.rows, rows.sentences, NULL, NULL};
    if (o.drop.on || (KIND == EMBED && o.b && !o.at))
        o.rows = sk_stage_rows(dev, rows);
    sk_launch(dev, rows_kernel<KIND>, dim3(sk_count((size_t)rows.rows, SK_WARPS)), SK_THREADS, o);
}

void sk_cuda_dropout_add(struct sk_device *dev, float *out, const float *f, const float *residual, int D,
                         struct sk_rows rows, struct sk_dropout drop)
{
    struct row_op o = {};
    o.n = D, o.out = out, o.a = f, o.b = residual;
    run<DROPOUT_ADD>(dev, o, rows, drop);
}

void sk_cuda_dropout_backward(struct sk_device *dev, float *dx, int D, struct sk_rows rows, struct sk_dropout drop)
{
    if (drop.p > 0)
        sk_cuda_dropout_add(dev, dx, dx, NULL, D, rows, drop);
}

void sk_cuda_activation_forward(struct sk_device *dev, float *h, const float *a, enum sk_activation act, int F,
                                struct sk_rows rows, struct sk_dropout drop)
{
    struct row_op o = {};
    o.n = F, o.out = h, o.a = a, o.act = act;
    run<ACTIVATION>(dev, o, rows, drop);
}

void sk_cuda_activation_backward(struct sk_device *dev, float *da, const float *dh, const float *kept,
                                 enum sk_activation act, int F, struct sk_rows rows, struct sk_dropout drop)
{
    struct row_op o = {};
    o.n = F, o.out = da, o.a = kept, o.b = dh, o.act = act;
    if (act == SK_RELU) {                /* no need to draw again */
        o.scale = 1.0f / (1.0f - drop.p);
        drop.p = 0;
        run<RELU_GRADIENT>(dev, o, rows, drop);
    } else {
        run<ACTIVATION_GRADIENT>(dev, o, rows, drop);
    }
}

void sk_cuda_embed_forward(struct sk_device *dev, float *x, const int32_t *id, const float *table, float scale,
                           const float *position, int D, struct sk_rows rows, const int32_t *at,
                           struct sk_dropout drop)
{
    struct row_op o = {};
    o.n = D, o.out = x, o.a = table, o.b = position, o.scale = scale;
    o.id = sk_stage_ints(dev, id, (size_t)rows.rows);
    o.at = at ? sk_stage_ints(dev, at, (size_t)rows.rows) : NULL;
    run<EMBED>(dev, o, rows, drop);
}

/* --- layer norm ---------------------------------------------------------------------- */

__global__ void __launch_bounds__(SK_THREADS) norm_kernel(float *y, float *stat, const float *x, const float *gamma,
                                                          const float *beta, int T, int D)
{
    int row = sk_row_of_warp();
    if (row >= T)
        return;
    const float *in = x + (size_t)row * D;
    float *out = y + (size_t)row * D, sum = 0, squares = 0;
    for (int e = sk_lane(); e < D; e += SK_WARP)
        sum += in[e];
    float mean = sk_warp_sum(sum) / D;
    for (int e = sk_lane(); e < D; e += SK_WARP)
        squares = fmaf(in[e] - mean, in[e] - mean, squares);
    float inverse = 1.0f / sqrtf(sk_warp_sum(squares) / D + 1e-6f);
    for (int e = sk_lane(); e < D; e += SK_WARP)
        out[e] = fmaf((in[e] - mean) * inverse, gamma[e], beta[e]);
    if (sk_lane() == 0) {
        stat[2 * (size_t)row] = mean;
        stat[2 * (size_t)row + 1] = inverse;
    }
}

void sk_cuda_norm_forward(struct sk_device *dev, float *y, float *stat, const float *x, const float *gamma,
                          const float *beta, int T, int D)
{
    sk_launch(dev, norm_kernel, dim3(sk_count((size_t)(T > 0 ? T : 0), SK_WARPS)), SK_THREADS, y, stat, x, gamma, beta,
              T, D);
}

/* With g = gamma dy and c = (x - mean) r: dx = r (g - mean(g) - c mean(g c)). */
__global__ void __launch_bounds__(SK_THREADS) norm_gradient_kernel(float *dx, const float *dy, const float *x,
                                                                   const float *stat, const float *gamma, int T, int D,
                                                                   int add)
{
    int row = sk_row_of_warp();
    if (row >= T)
        return;
    size_t at = (size_t)row * D;
    float mean = stat[2 * (size_t)row], r = stat[2 * (size_t)row + 1], sum = 0, sum_c = 0;
    for (int e = sk_lane(); e < D; e += SK_WARP) {
        float g = dy[at + e] * gamma[e];
        sum += g;
        sum_c = fmaf(g, (x[at + e] - mean) * r, sum_c);
    }
    float m = sk_warp_sum(sum) / D, mc = sk_warp_sum(sum_c) / D;
    for (int e = sk_lane(); e < D; e += SK_WARP) {
        float g = dy[at + e] * gamma[e], d = r * fmaf((x[at + e] - mean) * r, -mc, g - m);
        dx[at + e] = add ? dx[at + e] + d : d;
    }
}

void sk_cuda_norm_backward(struct sk_device *dev, float *dx, float *dgamma, float *dbeta, const float *dy,
                           const float *x, const float *stat, const float *gamma, int D, struct sk_leaves leaves,
                           int add)
{
    int T = leaves.row[leaves.n];
    sk_norm_columns(dev, dgamma, dbeta, dy, x, stat, D, leaves);
    sk_launch(dev, norm_gradient_kernel, dim3(sk_count((size_t)T, SK_WARPS)), SK_THREADS, dx, dy, x, stat, gamma, T, D,
              add);
}
