/* norm.cu - layer norm, forward and backward, alone or in one kernel with the
 * dropout and the residual sum before it. A warp does a row.
 *
 * Rows of at most MOST values, by two, stay in registers: a lane has values l * B + b
 * of the blocks b of dropout's counter that are its own (layer.cu), so a row is read
 * and written once. Alone or not, sums are made in the same order: what is fused has
 * the bits of the two operations one after the other (SK_CUDA_UNFUSED=1). */
#include "math/cuda/kernel.h"
#include "math/cuda/sums.h"

enum { MOST = 1024 };

template <class R> struct norm_job {
    int n, T;
    struct sk_device_rows rows;
    struct sk_drop drop;
    R *out, *y;                          /* out NULL: f is what is normalised */
    const R *f, *residual;               /* residual may be NULL */
    float *stat;
    const float *gamma, *beta;
};

/* Where a row stands, if anything of it is to be dropped. */
struct place { int64_t ordinal; int position; };
__device__ static inline struct place place_of(const struct sk_device_rows &rows, const struct sk_drop &drop, int row)
{
    if (!drop.on)
        return {0, 0};
    const int s = sk_sentence_of(rows.offset, rows.sentences, row);
    return {rows.ordinal[s], row - rows.offset[s]};
}

/* Dropout of blocks b and b + 1 of a row; of value l of both. */
struct draw { unsigned first, second; };
__device__ static inline struct draw draw_at(const struct sk_drop &drop, const struct place &p, int b, int B)
{
    if (b >= B || !drop.on)
        return {0, 0};
    return {sk_drop_bits(drop, p.ordinal, p.position, b), sk_drop_bits(drop, p.ordinal, p.position, b + 1)};
}
__device__ static inline struct sk_two dropped(const struct sk_drop &drop, const struct draw &d, int l, struct sk_two x)
{
    if (!drop.on)
        return x;
    return {x.x * (d.first >> l & 1 ? drop.keep : 0), x.y * (d.second >> l & 1 ? drop.keep : 0)};
}

/* --- forward ------------------------------------------------------------------------ */

template <int ITER, class R> __global__ void __launch_bounds__(SK_THREADS, 2) norm_row_kernel(struct norm_job<R> j)
{
    const int row = sk_row_of_warp(), n = j.n, B = n / 8;
    if (row >= j.T)
        return;
    const struct place p = place_of(j.rows, j.drop, row);
    const R *f = j.f + (size_t)row * n, *residual = j.residual ? j.residual + (size_t)row * n : NULL;
    R *out = j.out ? j.out + (size_t)row * n : NULL, *y = j.y + (size_t)row * n;
    struct sk_two v[ITER][8];
    float sum = 0, squares = 0;
#pragma unroll
    for (int k = 0; k < ITER; k++) {
        const int b = 2 * (sk_lane() + k * SK_WARP);
        const struct draw kept = draw_at(j.drop, p, b, B);
#pragma unroll
        for (int l = 0; l < 8; l++) {
            v[k][l] = {0, 0};
            if (b >= B)
                continue;
            struct sk_two x = sk_get2(f + l * B + b);
            if (out) {
                x = dropped(j.drop, kept, l, x);
                if (residual) {
                    const struct sk_two r = sk_get2(residual + l * B + b);
                    x = {r.x + x.x, r.y + x.y};
                }
                sk_put2(out + l * B + b, x);
                x = {sk_stored(f, x.x), sk_stored(f, x.y)};
            }
            v[k][l] = x;
            sum += x.x + x.y;
        }
    }
    const float mean = sk_warp_sum(sum) / (float)n;
#pragma unroll
    for (int k = 0; k < ITER; k++)
#pragma unroll
        for (int l = 0; l < 8; l++)
            if (2 * (sk_lane() + k * SK_WARP) < B) {
                squares = fmaf(v[k][l].x - mean, v[k][l].x - mean, squares);
                squares = fmaf(v[k][l].y - mean, v[k][l].y - mean, squares);
            }
    const float inverse = 1.0f / sqrtf(sk_warp_sum(squares) / (float)n + 1e-6f);
#pragma unroll
    for (int k = 0; k < ITER; k++)
#pragma unroll
        for (int l = 0; l < 8; l++) {
            const int b = 2 * (sk_lane() + k * SK_WARP);
            if (b >= B)
                continue;
            const struct sk_two g = sk_get2(j.gamma + l * B + b), c = sk_get2(j.beta + l * B + b);
            sk_put2(y + l * B + b, {fmaf((v[k][l].x - mean) * inverse, g.x, c.x),
                                    fmaf((v[k][l].y - mean) * inverse, g.y, c.y)});
        }
    if (sk_lane() == 0) {
        j.stat[2 * (size_t)row] = mean;
        j.stat[2 * (size_t)row + 1] = inverse;
    }
}

/* Rows of any length. */
template <class R> __global__ void __launch_bounds__(SK_THREADS) norm_kernel(struct norm_job<R> j)
{
    const int row = sk_row_of_warp(), n = j.n;
    if (row >= j.T)
        return;
    const R *in = j.f + (size_t)row * n;
    R *out = j.y + (size_t)row * n;
    float sum = 0, squares = 0;
    for (int e = sk_lane(); e < n; e += SK_WARP)
        sum += sk_get(in + e);
    float mean = sk_warp_sum(sum) / (float)n;
    for (int e = sk_lane(); e < n; e += SK_WARP)
        squares = fmaf(sk_get(in + e) - mean, sk_get(in + e) - mean, squares);
    float inverse = 1.0f / sqrtf(sk_warp_sum(squares) / (float)n + 1e-6f);
    for (int e = sk_lane(); e < n; e += SK_WARP)
        sk_put(out + e, fmaf((sk_get(in + e) - mean) * inverse, j.gamma[e], j.beta[e]));
    if (sk_lane() == 0) {
        j.stat[2 * (size_t)row] = mean;
        j.stat[2 * (size_t)row + 1] = inverse;
    }
}

/* Can a row stay in registers? */
static bool fits(int n, const void *a, const void *b, const void *c, const void *d, const void *e)
{
    return n <= MOST && sk_by_two(n, a, b, c) && sk_by_two(n, d, e, NULL);
}

template <class R> static void forward(struct sk_device *dev, const struct norm_job<R> &j)
{
    dim3 grid(sk_count((size_t)(j.T > 0 ? j.T : 0), SK_WARPS));
    if (!fits(j.n, j.f, j.y, j.gamma, j.beta, j.residual))
        sk_launch(dev, norm_kernel<R>, grid, SK_THREADS, j);
    else if (j.n <= MOST / 2)
        sk_launch(dev, norm_row_kernel<1, R>, grid, SK_THREADS, j);
    else
        sk_launch(dev, norm_row_kernel<2, R>, grid, SK_THREADS, j);
}

template <class R>
static void norm(struct sk_device *dev, void *y, float *stat, const void *x, const float *gamma, const float *beta, int T,
                 int D)
{
    struct norm_job<R> j = {};
    j.n = D, j.T = T, j.y = (R *)y, j.f = (const R *)x, j.stat = stat, j.gamma = gamma, j.beta = beta;
    forward(dev, j);
}

void sk_cuda_norm_forward(struct sk_device *dev, float *y, float *stat, const float *x, const float *gamma,
                          const float *beta, int T, int D)
{
#define RUN(R) norm<R>(dev, y, stat, x, gamma, beta, T, D)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
}

template <class R>
static void sum_norm(struct sk_device *dev, void *out, void *y, float *stat, const void *f, const void *residual,
                     const float *gamma, const float *beta, int D, struct sk_rows rows, struct sk_dropout drop)
{
    struct norm_job<R> j = {};
    j.n = D, j.T = rows.rows, j.drop = sk_drop_of(drop), j.out = (R *)out, j.y = (R *)y, j.f = (const R *)f;
    j.residual = (const R *)residual, j.stat = stat, j.gamma = gamma, j.beta = beta;
    if (j.drop.on)
        j.rows = sk_stage_rows(dev, rows);
    forward(dev, j);
}

void sk_cuda_dropout_add_norm(struct sk_device *dev, float *out, float *y, float *stat, const float *f,
                              const float *residual, const float *gamma, const float *beta, int D, struct sk_rows rows,
                              struct sk_dropout drop)
{
    if (dev->unfused || !fits(D, out, f, y, gamma, beta) || !sk_by_two(D, residual, NULL, NULL)) {
        sk_cuda_dropout_add(dev, out, f, residual, D, rows, drop);
        sk_cuda_norm_forward(dev, y, stat, out, gamma, beta, rows.rows, D);
        return;
    }
#define RUN(R) sum_norm<R>(dev, out, y, stat, f, residual, gamma, beta, D, rows, drop)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
}

/* --- backward -------------------------------------------------------------------------- */

template <class R> struct gradient_job {
    int n, T, add;
    struct sk_device_rows rows;
    struct sk_drop drop;
    R *dx, *df;                          /* df NULL, or dropout'(dx) */
    const R *dy, *x;
    const float *stat, *gamma;
};

/* With g = gamma dy and c = (x - mean) r: dx = r (g - mean(g) - c mean(g c)). */
template <int ITER, class R> __global__ void __launch_bounds__(SK_THREADS, 2) gradient_row_kernel(struct gradient_job<R> j)
{
    const int row = sk_row_of_warp(), n = j.n, B = n / 8;
    if (row >= j.T)
        return;
    const struct place p = place_of(j.rows, j.drop, row);
    const size_t at = (size_t)row * n;
    const float mean = j.stat[2 * (size_t)row], r = j.stat[2 * (size_t)row + 1];
    struct sk_two g[ITER][8], c[ITER][8];
    float sum = 0, sum_c = 0;
#pragma unroll
    for (int k = 0; k < ITER; k++)
#pragma unroll
        for (int l = 0; l < 8; l++) {
            const int b = 2 * (sk_lane() + k * SK_WARP), e = l * B + b;
            g[k][l] = c[k][l] = {0, 0};
            if (b >= B)
                continue;
            const struct sk_two dy = sk_get2(j.dy + at + e), x = sk_get2(j.x + at + e), m = sk_get2(j.gamma + e);
            g[k][l] = {dy.x * m.x, dy.y * m.y};
            c[k][l] = {(x.x - mean) * r, (x.y - mean) * r};
            sum += g[k][l].x + g[k][l].y;
            sum_c = fmaf(g[k][l].x, c[k][l].x, sum_c);
            sum_c = fmaf(g[k][l].y, c[k][l].y, sum_c);
        }
    const float m = sk_warp_sum(sum) / (float)n, mc = sk_warp_sum(sum_c) / (float)n;
#pragma unroll
    for (int k = 0; k < ITER; k++) {
        const int b = 2 * (sk_lane() + k * SK_WARP);
        const struct draw kept = draw_at(j.drop, p, b, B);
#pragma unroll
        for (int l = 0; l < 8; l++) {
            if (b >= B)
                continue;
            R *dx = j.dx + at + l * B + b;
            struct sk_two d = {r * fmaf(c[k][l].x, -mc, g[k][l].x - m), r * fmaf(c[k][l].y, -mc, g[k][l].y - m)};
            if (j.add) {
                const struct sk_two before = sk_get2(dx);
                d = {before.x + d.x, before.y + d.y};
            }
            sk_put2(dx, d);
            if (!j.df)
                continue;
            d = {sk_stored(dx, d.x), sk_stored(dx, d.y)};
            sk_put2(j.df + at + l * B + b, dropped(j.drop, kept, l, d));
        }
    }
}

/* Rows of any length. */
template <class R> __global__ void __launch_bounds__(SK_THREADS) gradient_kernel(struct gradient_job<R> j)
{
    const int row = sk_row_of_warp(), n = j.n;
    if (row >= j.T)
        return;
    const R *dy = j.dy + (size_t)row * n, *x = j.x + (size_t)row * n;
    R *dx = j.dx + (size_t)row * n;
    float mean = j.stat[2 * (size_t)row], r = j.stat[2 * (size_t)row + 1], sum = 0, sum_c = 0;
    for (int e = sk_lane(); e < n; e += SK_WARP) {
        float g = sk_get(dy + e) * j.gamma[e];
        sum += g;
        sum_c = fmaf(g, (sk_get(x + e) - mean) * r, sum_c);
    }
    float m = sk_warp_sum(sum) / (float)n, mc = sk_warp_sum(sum_c) / (float)n;
    for (int e = sk_lane(); e < n; e += SK_WARP) {
        float g = sk_get(dy + e) * j.gamma[e], d = r * fmaf((sk_get(x + e) - mean) * r, -mc, g - m);
        sk_put(dx + e, j.add ? sk_get(dx + e) + d : d);
    }
}

template <class R> static void backward(struct sk_device *dev, const struct gradient_job<R> &j)
{
    dim3 grid(sk_count((size_t)j.T, SK_WARPS));
    if (!fits(j.n, j.dx, j.dy, j.x, j.gamma, j.df))
        sk_launch(dev, gradient_kernel<R>, grid, SK_THREADS, j);
    else if (j.n <= MOST / 2)
        sk_launch(dev, gradient_row_kernel<1, R>, grid, SK_THREADS, j);
    else
        sk_launch(dev, gradient_row_kernel<2, R>, grid, SK_THREADS, j);
}

template <class R>
static void norm_gradient(struct sk_device *dev, void *dx, void *df, const void *dy, const void *x, const float *stat,
                          const float *gamma, int D, struct sk_rows rows, struct sk_dropout drop, int add)
{
    struct gradient_job<R> j = {};
    j.n = D, j.T = rows.rows, j.add = add, j.dx = (R *)dx, j.df = (R *)df, j.dy = (const R *)dy, j.x = (const R *)x;
    j.stat = stat, j.gamma = gamma, j.drop = sk_drop_of(drop);
    if (j.drop.on)
        j.rows = sk_stage_rows(dev, rows);
    backward(dev, j);
}

void sk_cuda_norm_backward(struct sk_device *dev, float *dx, float *dgamma, float *dbeta, const float *dy,
                           const float *x, const float *stat, const float *gamma, int D, struct sk_leaves leaves,
                           int add)
{
    const struct sk_rows rows = {leaves.row[leaves.n], 0, NULL, NULL};
    const struct sk_dropout none = {0, 0, 0, 0};
    sk_norm_columns(dev, dgamma, dbeta, dy, x, stat, D, leaves);
#define RUN(R) norm_gradient<R>(dev, dx, NULL, dy, x, stat, gamma, D, rows, none, add)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
}

void sk_cuda_norm_dropout_backward(struct sk_device *dev, float *dx, float *df, float *dgamma, float *dbeta,
                                   const float *dy, const float *x, const float *stat, const float *gamma, int D,
                                   struct sk_rows rows, struct sk_leaves leaves, struct sk_dropout drop, int add)
{
    if (dev->unfused || !fits(D, dx, dy, x, gamma, df)) {
        sk_cuda_norm_backward(dev, dx, dgamma, dbeta, dy, x, stat, gamma, D, leaves, add);
        sk_cuda_dropout_add(dev, df, dx, NULL, D, rows, drop);
        return;
    }
    sk_norm_columns(dev, dgamma, dbeta, dy, x, stat, D, leaves);
#define RUN(R) norm_gradient<R>(dev, dx, df, dy, x, stat, gamma, D, rows, drop, add)
    SK_FOR_ROWS(dev, RUN);
#undef RUN
}
