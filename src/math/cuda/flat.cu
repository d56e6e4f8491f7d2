/* flat.cu - passes over flat memory: sums of vectors, optimizers (ops.h has their
 * formulas), the gradient's norm, a search for what is not finite. */
#include <float.h>
#include <stdlib.h>
#include "math/cuda/kernel.h"

__global__ void __launch_bounds__(SK_THREADS) add_kernel(float *a, const float *b, size_t n)
{
    size_t step = (size_t)gridDim.x * SK_THREADS;
    for (size_t i = (size_t)blockIdx.x * SK_THREADS + threadIdx.x; i < n; i += step)
        a[i] += b[i];
}

/* Blocks of a pass in which a thread does every so manieth value. */
static dim3 blocks_for(size_t n)
{
    const unsigned MOST_BLOCKS = 4096;
    unsigned blocks = sk_count(n, SK_THREADS);
    return dim3(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS);
}

void sk_cuda_add(struct sk_device *dev, float *a, const float *b, size_t n)
{
    sk_launch(dev, add_kernel, blocks_for(n), SK_THREADS, a, b, n);
}

/* --- optimizers ----------------------------------------------------------------------- */

/* What is added to w; m and v are brought up to date. d: the gradient. */
template <int KIND>
__device__ static inline float change(const struct sk_optimizer_step &s, float w, float *m, float *v, float d)
{
    switch (KIND) {
    case SK_SGD:
        return -s.rate * d;
    case SK_SGD_MOMENTUM:
        return *m = fmaf(s.a, *m, -s.rate * d);
    case SK_NAG:
        *m = fmaf(s.a, *m, d);
        return -s.rate * fmaf(s.a, *m, d);
    case SK_ADAM:
        *m = fmaf(s.a, *m, (1 - s.a) * d);
        *v = fmaf(s.b, *v, (1 - s.b) * d * d);
        return -s.rate * *m / (sqrtf(*v) + s.eps);
    case SK_NADAM:
        *m = fmaf(s.a, *m, (1 - s.a) * d);
        *v = fmaf(s.b, *v, (1 - s.b) * d * d);
        return -s.rate * fmaf(s.cg, d, s.cm * *m) / fmaf(s.cv, sqrtf(*v), s.eps);
    case SK_RMSPROP:
        *v = fmaf(s.b, *v, (1 - s.b) * d * d);
        return -s.rate * d / sqrtf(*v + s.eps);
    case SK_ADAGRAD:
        *v = fmaf(d, d, *v);
        return -s.rate * fmaf(s.decay, w, d / sqrtf(*v + s.eps));
    default: {                           /* SK_ADADELTA */
        *v = fmaf(s.b, *v, (1 - s.b) * d * d);
        float delta = sqrtf(*m + s.eps) / sqrtf(*v + s.eps) * d;
        *m = fmaf(s.b, *m, (1 - s.b) * delta * delta);
        return -fmaf(s.decay, w, delta);
    }
    }
}

template <int KIND>
__global__ void __launch_bounds__(SK_THREADS) optimize_kernel(float *w, float *m, float *v, const float *g, size_t n,
                                                              struct sk_optimizer_step s)
{
    const bool uses_m = KIND != SK_SGD && KIND != SK_RMSPROP && KIND != SK_ADAGRAD, uses_v = KIND >= SK_ADAM;
    const bool into_gradient = KIND != SK_ADAGRAD && KIND != SK_ADADELTA;
    size_t step = (size_t)gridDim.x * SK_THREADS;
    for (size_t i = (size_t)blockIdx.x * SK_THREADS + threadIdx.x; i < n; i += step) {
        float x = w[i], d = g[i] * s.rescale, mean = uses_m ? m[i] : 0, square = uses_v ? v[i] : 0;
        if (s.clip > 0)                  /* NaN stays NaN */
            d = d > s.clip ? s.clip : d < -s.clip ? -s.clip : d;
        if (into_gradient && s.decay != 0)
            d = fmaf(s.decay, x, d);
        w[i] = x + change<KIND>(s, x, &mean, &square, d);
        if (uses_m)
            m[i] = mean;
        if (uses_v)
            v[i] = square;
    }
}

void sk_cuda_optimize(struct sk_device *dev, float *w, float *m, float *v, const float *g, size_t n,
                      const struct sk_optimizer_step *step)
{
    static void (*const kernel[])(float *, float *, float *, const float *, size_t, struct sk_optimizer_step) = {
        optimize_kernel<SK_SGD>, optimize_kernel<SK_SGD_MOMENTUM>, optimize_kernel<SK_NAG>, optimize_kernel<SK_ADAM>,
        optimize_kernel<SK_NADAM>, optimize_kernel<SK_RMSPROP>, optimize_kernel<SK_ADAGRAD>,
        optimize_kernel<SK_ADADELTA>};
    sk_launch(dev, kernel[step->kind], blocks_for(n), SK_THREADS, w, m, v, g, n, *step);
}

/* --- the norm ----------------------------------------------------------------------------- */

enum { CHUNK = 65536 };

/* A block sums a chunk, in double: each thread every 256th value, then a tree. */
__global__ void __launch_bounds__(SK_THREADS) squares_kernel(double *sum, const float *g, size_t n)
{
    SK_SHARED(double, part, SK_THREADS);
    size_t first = (size_t)blockIdx.x * CHUNK, end = n - first < CHUNK ? n : first + CHUNK;
    double s = 0;
    for (size_t i = first + threadIdx.x; i < end; i += SK_THREADS)
        s = fma((double)g[i], (double)g[i], s);
    part[threadIdx.x] = s;
    for (int step = SK_THREADS / 2; step; step /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < step)
            part[threadIdx.x] += part[threadIdx.x + step];
    }
    if (threadIdx.x == 0)
        sum[blockIdx.x] = part[0];
}

double sk_cuda_sum_squares(struct sk_device *dev, const float *g, size_t n)
{
    unsigned chunks = sk_count(n, CHUNK);
    double *part = (double *)sk_scratch(dev, SK_SLOT_RESULT, (chunks + 1) * sizeof *part), sum = 0;
    double *host = (double *)malloc((chunks + 1) * sizeof *host);
    if (!host)
        sk_cuda_die(1, "no memory for the norm's parts");
    sk_launch(dev, squares_kernel, dim3(chunks), SK_THREADS, part, g, n);
    sk_fetch(dev, host, part, chunks * sizeof *host);
    for (unsigned i = 0; i < chunks; i++)
        sum += host[i];
    free(host);
    return sum;
}

/* found[block]: the chunk's first value that is not finite, or -1. */
__global__ void __launch_bounds__(SK_THREADS) nonfinite_kernel(int64_t *found, const float *x, size_t n)
{
    SK_SHARED(int64_t, part, SK_THREADS);
    size_t first = (size_t)blockIdx.x * CHUNK, end = n - first < CHUNK ? n : first + CHUNK;
    int64_t at = INT64_MAX;
    for (size_t i = first + threadIdx.x; i < end; i += SK_THREADS)
        if (!(fabsf(x[i]) <= FLT_MAX)) {
            at = (int64_t)i;
            break;
        }
    part[threadIdx.x] = at;
    for (int step = SK_THREADS / 2; step; step /= 2) {
        __syncthreads();
        if ((int)threadIdx.x < step && part[threadIdx.x + step] < part[threadIdx.x])
            part[threadIdx.x] = part[threadIdx.x + step];
    }
    if (threadIdx.x == 0)
        found[blockIdx.x] = part[0] == INT64_MAX ? -1 : part[0];
}

int64_t sk_cuda_find_nonfinite(struct sk_device *dev, const float *x, size_t n)
{
    unsigned chunks = sk_count(n, CHUNK);
    int64_t *part = (int64_t *)sk_scratch(dev, SK_SLOT_RESULT, (chunks + 1) * sizeof *part), at = -1;
    int64_t *host = (int64_t *)malloc((chunks + 1) * sizeof *host);
    if (!host)
        sk_cuda_die(1, "no memory for a search's parts");
    sk_launch(dev, nonfinite_kernel, dim3(chunks), SK_THREADS, part, x, n);
    sk_fetch(dev, host, part, chunks * sizeof *host);
    for (unsigned i = 0; i < chunks && at < 0; i++)
        at = host[i];
    free(host);
    return at;
}
