/* recurrent.cu - cells and steps of recurrent layers; ops.h has the formulas. */
#include "math/cuda/kernel.h"

/* A thread a value: number i of n. */
#define VALUE_INDEX(i, n)                                                    \
    size_t i = (size_t)blockIdx.x * SK_THREADS + threadIdx.x;                \
    if (i >= (n))                                                            \
        return
static dim3 a_thread_each(size_t n) { return dim3(sk_count(n, SK_THREADS)); }
/* A warp a row. */
static dim3 a_warp_each(int n) { return dim3(sk_count((size_t)(n > 0 ? n : 0), SK_WARPS)); }

/* --- rows from here to there -------------------------------------------------- */

struct move { float *out; const float *in; int ldo, ldi, n, D, add; const int32_t *to, *from; };

__global__ void __launch_bounds__(SK_THREADS) move_kernel(struct move m)
{
    int i = sk_row_of_warp();
    if (i >= m.n)
        return;
    int from = m.from ? m.from[i] : i;
    float *out = m.out + (size_t)(m.to ? m.to[i] : i) * m.ldo;
    const float *in = m.in + (size_t)(from < 0 ? 0 : from) * m.ldi;
    for (int e = sk_lane(); e < m.D; e += SK_WARP) {
        float x = from < 0 ? 0 : in[e];
        if (!m.add)
            out[e] = x;
        else if (from >= 0)
            out[e] += x;
    }
}

void sk_cuda_rows_move(struct sk_device *dev, float *out, int ldo, const int32_t *to, const float *in, int ldi,
                       const int32_t *from, int n, int D, int add)
{
    if (n <= 0)
        return;
    struct move m = {out, in, ldo, ldi, n, D, add, to ? sk_stage_ints(dev, to, (size_t)n) : NULL,
                     from ? sk_stage_ints(dev, from, (size_t)n) : NULL};
    sk_launch(dev, move_kernel, a_warp_each(n), SK_THREADS, m);
}

__global__ void __launch_bounds__(SK_THREADS) mean_kernel(float *mean, const float *x, int D, struct sk_device_rows rows)
{
    VALUE_INDEX(i, (size_t)rows.sentences * D);
    int s = (int)(i / D), e = (int)(i % D), first = rows.offset[s], end = rows.offset[s + 1];
    float sum = 0;
    for (int t = first; t < end; t++)
        sum += x[(size_t)t * D + e];
    mean[i] = sum / (float)(end - first);
}

void sk_cuda_rows_mean(struct sk_device *dev, float *mean, const float *x, int D, struct sk_rows rows)
{
    sk_launch(dev, mean_kernel, a_thread_each((size_t)rows.sentences * (size_t)D), SK_THREADS, mean, x, D,
              sk_stage_rows(dev, rows));
}

__global__ void __launch_bounds__(SK_THREADS) mean_gradient_kernel(float *dx, const float *dmean, int D,
                                                                   struct sk_device_rows rows)
{
    int t = sk_row_of_warp();
    if (t >= rows.rows)
        return;
    int s = sk_sentence_of(rows.offset, rows.sentences, t);
    for (int e = sk_lane(); e < D; e += SK_WARP)
        dx[(size_t)t * D + e] += dmean[(size_t)s * D + e] / (float)(rows.offset[s + 1] - rows.offset[s]);
}

void sk_cuda_rows_mean_backward(struct sk_device *dev, float *dx, const float *dmean, int D, struct sk_rows rows)
{
    sk_launch(dev, mean_gradient_kernel, a_warp_each(rows.rows), SK_THREADS, dx, dmean, D, sk_stage_rows(dev, rows));
}

/* --- value by value -------------------------------------------------------------- */

__global__ void __launch_bounds__(SK_THREADS) multiply_kernel(float *out, const float *a, const float *b, size_t n)
{
    VALUE_INDEX(i, n);
    out[i] = a[i] * b[i];
}
__global__ void __launch_bounds__(SK_THREADS) tanh_kernel(float *y, const float *x, size_t n)
{
    VALUE_INDEX(i, n);
    y[i] = tanhf(x[i]);
}
__global__ void __launch_bounds__(SK_THREADS) tanh_gradient_kernel(float *dx, const float *dy, const float *y, size_t n)
{
    VALUE_INDEX(i, n);
    dx[i] = dy[i] * (1 - y[i] * y[i]);
}

void sk_cuda_multiply(struct sk_device *dev, float *out, const float *a, const float *b, size_t n)
{
    sk_launch(dev, multiply_kernel, a_thread_each(n), SK_THREADS, out, a, b, n);
}
void sk_cuda_tanh_forward(struct sk_device *dev, float *y, const float *x, size_t n)
{
    sk_launch(dev, tanh_kernel, a_thread_each(n), SK_THREADS, y, x, n);
}
void sk_cuda_tanh_backward(struct sk_device *dev, float *dx, const float *dy, const float *y, size_t n)
{
    sk_launch(dev, tanh_gradient_kernel, a_thread_each(n), SK_THREADS, dx, dy, y, n);
}

/* --- cells ---------------------------------------------------------------------------- */

struct cells {
    int n, H;
    float *h, *c, *gates;
    const float *x, *hx, *before;
    float *dx, *dhx, *dbefore;
    const float *dh, *kept_c, *kept_gates;
};

/* A thread does unit e of row i. */
#define UNIT_INDEX(j)                                                                                     \
    VALUE_INDEX(at, (size_t)(j).n * (j).H);                                                               \
    const size_t H = (size_t)(j).H, row = at / H, e = at % H

__global__ void __launch_bounds__(SK_THREADS) lstm_kernel(struct cells j)
{
    UNIT_INDEX(j);
    const float *x = j.x + 4 * row * H + e, *hx = j.hx + 4 * row * H + e;
    float *gates = j.gates + 4 * row * H + e;
    float i = sk_sigmoid(x[0] + hx[0]), f = sk_sigmoid(x[H] + hx[H]);
    float g = tanhf(x[2 * H] + hx[2 * H]), o = sk_sigmoid(x[3 * H] + hx[3 * H]);
    float c = fmaf(f, j.before[at], i * g);
    gates[0] = i, gates[H] = f, gates[2 * H] = g, gates[3 * H] = o;
    j.c[at] = c;
    j.h[at] = o * tanhf(c);
}

__global__ void __launch_bounds__(SK_THREADS) gru_kernel(struct cells j)
{
    UNIT_INDEX(j);
    const float *x = j.x + 3 * row * H + e, *hx = j.hx + 3 * row * H + e;
    float *gates = j.gates + 4 * row * H + e;
    float hn = hx[2 * H], r = sk_sigmoid(x[0] + hx[0]), z = sk_sigmoid(x[H] + hx[H]);
    float n = tanhf(fmaf(r, hn, x[2 * H]));
    gates[0] = r, gates[H] = z, gates[2 * H] = n, gates[3 * H] = hn;
    j.h[at] = fmaf(z, j.before[at], (1 - z) * n);
}

void sk_cuda_cell_forward(struct sk_device *dev, enum sk_cell cell, float *h, float *c, float *gates, const float *x,
                          const float *hx, const float *before, int n, int H)
{
    struct cells j = {};
    j.n = n, j.H = H, j.h = h, j.c = c, j.gates = gates, j.x = x, j.hx = hx, j.before = before;
    if (n > 0)
        sk_launch(dev, cell == SK_LSTM ? lstm_kernel : gru_kernel, a_thread_each((size_t)n * (size_t)H), SK_THREADS, j);
}

__global__ void __launch_bounds__(SK_THREADS) lstm_gradient_kernel(struct cells j)
{
    UNIT_INDEX(j);
    const float *gates = j.kept_gates + 4 * row * H + e;
    float i = gates[0], f = gates[H], g = gates[2 * H], o = gates[3 * H];
    float t = tanhf(j.kept_c[at]), dh = j.dh[at], dc = fmaf(dh * o, 1 - t * t, j.dbefore[at]);
    float d[4] = {dc * g * (i * (1 - i)), dc * j.before[at] * (f * (1 - f)), dc * i * (1 - g * g),
                  dh * t * (o * (1 - o))};
    for (int k = 0; k < 4; k++) {
        j.dx[4 * row * H + e + (size_t)k * H] = d[k];
        if (j.dhx)
            j.dhx[4 * row * H + e + (size_t)k * H] = d[k];
    }
    j.dbefore[at] = dc * f;
}

__global__ void __launch_bounds__(SK_THREADS) gru_gradient_kernel(struct cells j)
{
    UNIT_INDEX(j);
    const float *gates = j.kept_gates + 4 * row * H + e;
    float r = gates[0], z = gates[H], n = gates[2 * H], hn = gates[3 * H], dh = j.dh[at];
    float dn = dh * (1 - z) * (1 - n * n), dr = dn * hn * (r * (1 - r)), dz = dh * (j.before[at] - n) * (z * (1 - z));
    float *dx = j.dx + 3 * row * H + e, *dhx = j.dhx + 3 * row * H + e;
    dx[0] = dhx[0] = dr;
    dx[H] = dhx[H] = dz;
    dx[2 * H] = dn;
    dhx[2 * H] = dn * r;
    j.dbefore[at] = dh * z;
}

void sk_cuda_cell_backward(struct sk_device *dev, enum sk_cell cell, float *dx, float *dhx, float *dbefore,
                           const float *dh, const float *gates, const float *c, const float *before, int n, int H)
{
    struct cells j = {};
    j.n = n, j.H = H, j.before = before, j.dx = dx, j.dhx = dhx, j.dbefore = dbefore, j.dh = dh, j.kept_c = c;
    j.kept_gates = gates;
    if (n > 0)
        sk_launch(dev, cell == SK_LSTM ? lstm_gradient_kernel : gru_gradient_kernel,
                  a_thread_each((size_t)n * (size_t)H), SK_THREADS, j);
}
