/* attend.cu - attention of recurrent layers: single rows, one head. A warp does
 * a row, key after key; no two rows of a call have keys in common, so a warp may
 * add to the gradients of its row's keys. */
#include "math/cuda/kernel.h"

struct attend {
    int A, D, R, ldp, ldc;
    const float *q, *keys, *values, *v, *gamma, *beta;
    float scale;
    const int32_t *first, *n;
    float *prob, *context;
    const float *dcontext;
    struct sk_attend_gradients g;
    float *ds, *xhat;                    /* (R, ldp), (R, A): what a row keeps aside */
};

__device__ static inline float dot(const float *a, const float *b, int n)
{
    float s = 0;
    for (int e = sk_lane(); e < n; e += SK_WARP)
        s = fmaf(a[e], b[e], s);
    return sk_warp_sum(s);
}

/* What the tanh of a key is made of: q + k, normalised or not. */
struct inner { float mean, scale; };
__device__ static inline struct inner measure(const struct attend &a, const float *q, const float *k)
{
    struct inner in = {0, 1};
    if (!a.gamma)
        return in;
    float s = 0;
    for (int e = sk_lane(); e < a.A; e += SK_WARP)
        s += q[e] + k[e];
    in.mean = sk_warp_sum(s) / (float)a.A;
    s = 0;
    for (int e = sk_lane(); e < a.A; e += SK_WARP) {
        float x = q[e] + k[e] - in.mean;
        s = fmaf(x, x, s);
    }
    in.scale = 1.0f / sqrtf(sk_warp_sum(s) / (float)a.A + 1e-6f);
    return in;
}
__device__ static inline float hidden(const struct attend &a, float xhat, int e)
{
    return tanhf(a.gamma ? fmaf(a.gamma[e], xhat, a.beta[e]) : xhat);
}

__global__ void __launch_bounds__(SK_THREADS) attend_row_kernel(struct attend a)
{
    const int r = sk_row_of_warp(), lane = sk_lane();
    if (r >= a.R)
        return;
    const float *q = a.q + (size_t)r * a.A;
    const size_t at = (size_t)a.first[r];
    const int n = a.n[r];
    float *p = a.prob + (size_t)r * a.ldp, max = -INFINITY, sum = 0;
    for (int j = 0; j < n; j++) {
        const float *k = a.keys + (at + (size_t)j) * a.A;
        float s = 0;
        if (a.v) {
            const struct inner in = measure(a, q, k);
            for (int e = lane; e < a.A; e += SK_WARP)
                s = fmaf(a.v[e], hidden(a, (q[e] + k[e] - in.mean) * in.scale, e), s);
            s = sk_warp_sum(s);
        } else {
            s = a.scale * dot(q, k, a.A);
        }
        if (lane == 0)
            p[j] = s;
        max = fmaxf(max, s);
    }
    __syncwarp();
    for (int j = lane; j < n; j += SK_WARP) {
        p[j] = expf(p[j] - max);
        sum += p[j];
    }
    sum = sk_warp_sum(sum);
    for (int j = lane; j < n; j += SK_WARP)
        p[j] /= sum;
    __syncwarp();
    float *context = a.context + (size_t)r * a.ldc;
    for (int e = lane; e < a.D; e += SK_WARP) {
        float c = 0;
        for (int j = 0; j < n; j++)
            c = fmaf(p[j], a.values[(at + (size_t)j) * a.D + e], c);
        context[e] = c;
    }
}

static struct attend attend_of(struct sk_device *dev, const struct sk_attend *a, int R, int ldc)
{
    struct attend t = {};
    t.A = a->A, t.D = a->D, t.R = R, t.ldp = a->ldp, t.ldc = ldc, t.q = a->q, t.keys = a->keys, t.values = a->values;
    t.v = a->v, t.gamma = a->gamma, t.beta = a->beta, t.scale = a->scale, t.prob = a->prob;
    t.first = sk_stage_ints(dev, a->first, (size_t)R);
    t.n = sk_stage_ints(dev, a->n, (size_t)R);
    return t;
}

void sk_cuda_attend_forward(struct sk_device *dev, float *context, int ldc, const struct sk_attend *a, int R)
{
    if (R <= 0)
        return;
    struct attend t = attend_of(dev, a, R, ldc);
    t.context = context;
    sk_launch(dev, attend_row_kernel, dim3(sk_count((size_t)R, SK_WARPS)), SK_THREADS, t);
}

/* The gradient ds of one key's score v . tanh(...), to q, the key, and parameters. */
__device__ static inline void mlp_gradient(const struct attend &a, size_t row, float ds, const float *q, size_t key,
                                           float *du)
{
    const float *k = a.keys + key;
    const struct inner in = measure(a, q, k);
    float sum = 0, sum_x = 0;
    for (int e = sk_lane(); e < a.A; e += SK_WARP) {
        const float x = (q[e] + k[e] - in.mean) * in.scale, t = hidden(a, x, e);
        float d = ds * a.v[e] * (1 - t * t);
        a.g.dv[row + e] = fmaf(ds, t, a.g.dv[row + e]);
        if (a.gamma) {
            a.g.dgamma[row + e] = fmaf(d, x, a.g.dgamma[row + e]);
            a.g.dbeta[row + e] += d;
            d *= a.gamma[e];
            sum += d;
            sum_x = fmaf(d, x, sum_x);
        }
        du[e] = d;
    }
    float mean = 0, mean_x = 0;
    if (a.gamma) {
        mean = sk_warp_sum(sum) / (float)a.A;
        mean_x = sk_warp_sum(sum_x) / (float)a.A;
    }
    for (int e = sk_lane(); e < a.A; e += SK_WARP) {
        float d = du[e];
        if (a.gamma)
            d = in.scale * (d - mean - (q[e] + k[e] - in.mean) * in.scale * mean_x);
        a.g.dkeys[key + e] += d;
        a.g.dq[row + e] += d;
    }
}

__global__ void __launch_bounds__(SK_THREADS, 2) attend_row_gradient_kernel(struct attend a)
{
    const int r = sk_row_of_warp(), lane = sk_lane();
    if (r >= a.R)
        return;
    const size_t at = (size_t)a.first[r], row = (size_t)r * a.A;
    const float *q = a.q + row, *p = a.prob + (size_t)r * a.ldp, *dc = a.dcontext + (size_t)r * a.ldc;
    const int n = a.n[r];
    float *ds = a.ds + (size_t)r * a.ldp, mean = 0;
    for (int e = lane; e < a.A; e += SK_WARP) {
        a.g.dq[row + e] = 0;
        if (a.g.dv)
            a.g.dv[row + e] = 0;
        if (a.g.dgamma)
            a.g.dgamma[row + e] = 0;
        if (a.g.dbeta)
            a.g.dbeta[row + e] = 0;
    }
    for (int j = 0; j < n; j++) {
        const float d = dot(dc, a.values + (at + (size_t)j) * a.D, a.D);
        mean = fmaf(p[j], d, mean);
        if (lane == 0)
            ds[j] = d;
    }
    __syncwarp();
    for (int j = 0; j < n; j++) {
        const size_t key = (at + (size_t)j) * a.A, value = (at + (size_t)j) * a.D;
        const float d = p[j] * (ds[j] - mean);
        for (int e = lane; e < a.D; e += SK_WARP)
            a.g.dvalues[value + e] = fmaf(p[j], dc[e], a.g.dvalues[value + e]);
        __syncwarp();                    /* dkeys may be the same buffer */
        if (a.v) {
            mlp_gradient(a, row, d, q, key, a.xhat + row);
        } else {
            for (int e = lane; e < a.A; e += SK_WARP) {
                a.g.dq[row + e] = fmaf(a.scale * d, a.keys[key + e], a.g.dq[row + e]);
                a.g.dkeys[key + e] = fmaf(a.scale * d, q[e], a.g.dkeys[key + e]);
            }
        }
        __syncwarp();
    }
}

void sk_cuda_attend_backward(struct sk_device *dev, const struct sk_attend_gradients *g, const float *dcontext,
                             int ldc, const struct sk_attend *a, int R)
{
    if (R <= 0)
        return;
    struct attend t = attend_of(dev, a, R, ldc);
    t.dcontext = dcontext;
    t.g = *g;
    t.ds = sk_floats(dev, SK_SLOT_PARTS, (size_t)R * (size_t)(a->ldp + a->A));
    t.xhat = t.ds + (size_t)R * (size_t)a->ldp;
    sk_launch(dev, attend_row_gradient_kernel, dim3(sk_count((size_t)R, SK_WARPS)), SK_THREADS, t);
}
