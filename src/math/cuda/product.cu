/* product.cu - weights and products; gradients of weights by leaves. */
#include <stdlib.h>
#include "math/cuda/kernel.h"
#include "math/cuda/product.h"
#include "math/cuda/sums.h"

/* --- operands ------------------------------------------------------------------------ */

__global__ void __launch_bounds__(SK_THREADS) narrow_kernel(uint16_t *to, const float *from, size_t n)
{
    size_t step = (size_t)gridDim.x * SK_THREADS;
    for (size_t i = (size_t)blockIdx.x * SK_THREADS + threadIdx.x; i < n; i += step)
        to[i] = sk_narrow(from[i]);
}

static void narrow(struct sk_device *dev, uint16_t *to, const float *from, size_t n)
{
    const unsigned MOST_BLOCKS = 4096;
    unsigned blocks = sk_count(n, SK_THREADS);
    sk_launch(dev, narrow_kernel, dim3(blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS), SK_THREADS, to, from, n);
}

const void *sk_operand(struct sk_device *dev, enum sk_cuda_slot slot, const float *x, size_t n)
{
    if (dev->dtype == SK_FLOAT32 || dev->narrow)
        return x;
    uint16_t *to = (uint16_t *)sk_scratch(dev, slot, n * sizeof *to);
    narrow(dev, to, x, n);
    return to;
}

/* --- weights --------------------------------------------------------------------------- */

struct sk_weight *sk_cuda_weight_new(struct sk_device *dev, int N, int K, int backward)
{
    struct sk_weight *w = (struct sk_weight *)calloc(1, sizeof *w);
    (void)backward;                      /* the same matrix serves both ways */
    if (!w)
        sk_cuda_die(1, "no memory for a weight");
    w->N = N;
    w->K = K;
    w->dtype = dev->dtype;
    w->data = sk_cuda_alloc(dev, (size_t)N * (size_t)K * sk_width(dev->dtype));
    return w;
}

void sk_cuda_weight_load(struct sk_device *dev, struct sk_weight *w, const float *data)
{
    size_t n = (size_t)w->N * (size_t)w->K;
    if (w->dtype == SK_FLOAT32)
        sk_cuda_copy(dev, w->data, data, n * sizeof *data);
    else
        narrow(dev, (uint16_t *)w->data, data, n);
}

void sk_cuda_weight_free(struct sk_device *dev, struct sk_weight *w)
{
    if (!w)
        return;
    sk_cuda_free(dev, w->data);
    free(w);
}

size_t sk_cuda_weight_size(const struct sk_device *dev, int N, int K, int backward)
{
    (void)backward;
    return sk_cuda_alloc_size(dev, (size_t)N * (size_t)K * sk_width(dev->dtype));
}

/* --- products ---------------------------------------------------------------------------- */

template <class R>
__global__ void __launch_bounds__(SK_THREADS) bias_kernel(R *c, const float *bias, int N, size_t n)
{
    size_t i = (size_t)blockIdx.x * SK_THREADS + threadIdx.x;
    if (i < n)
        sk_put(c + i, sk_get(c + i) + bias[i % N]);
}

void sk_product_forward(struct sk_device *dev, void *c, enum sk_dtype out, const void *a, const struct sk_weight *w,
                        const float *bias, int T)
{
    struct sk_gemm g = {SK_GEMM_FORWARD, w->dtype, T, w->N, w->K, a, w->data, w->K, w->K, w->N, out, c, NULL, 0, 0};
    const size_t n = (size_t)T * (size_t)w->N;
    dim3 grid(sk_count(n, SK_THREADS));
    if (T <= 0)
        return;
    if (bias && !dev->unfused && out == SK_BFLOAT16) {   /* cuBLASLt wants it in the type of c */
        uint16_t *narrowed = (uint16_t *)sk_scratch(dev, SK_SLOT_C, (size_t)w->N * sizeof *narrowed);
        narrow(dev, narrowed, bias, (size_t)w->N);
        g.bias = narrowed;
    } else if (!dev->unfused) {
        g.bias = bias;
    }
    sk_gemm_run(dev, &g);
    if (dev->unfused && bias && out == SK_BFLOAT16)
        sk_launch(dev, bias_kernel<uint16_t>, grid, SK_THREADS, (uint16_t *)c, bias, w->N, n);
    else if (dev->unfused && bias)
        sk_launch(dev, bias_kernel<float>, grid, SK_THREADS, (float *)c, bias, w->N, n);
}

void sk_product_data(struct sk_device *dev, void *c, enum sk_dtype out, const void *a, const struct sk_weight *w, int T,
                     int add)
{
    struct sk_gemm g = {SK_GEMM_DATA, w->dtype, T, w->K, w->N, a, w->data, w->N, w->K, w->K, out, c, NULL, add, 0};
    if (T > 0)
        sk_gemm_run(dev, &g);
}

void sk_cuda_linear_forward(struct sk_device *dev, float *y, const float *x, const struct sk_weight *w,
                            const float *bias, int T)
{
    if (T > 0)
        sk_product_forward(dev, y, sk_rows_type(dev), sk_operand(dev, SK_SLOT_A, x, (size_t)T * (size_t)w->K), w, bias, T);
}

void sk_cuda_linear_backward_data(struct sk_device *dev, float *dx, const float *dy, const struct sk_weight *w, int T,
                                  int add)
{
    if (T > 0)
        sk_product_data(dev, dx, sk_rows_type(dev), sk_operand(dev, SK_SLOT_A, dy, (size_t)T * (size_t)w->N), w, T, add);
}

/* --- gradients of weights ------------------------------------------------------------------- */

static int levels(int leaves)
{
    int n = 0;
    while (1 << n < leaves)
        n++;
    return n;
}

struct sk_weight_sum sk_weight_sum_begin(struct sk_device *dev, float *dw, int N, int K, int leaves)
{
    struct sk_weight_sum s = {};
    s.dev = dev, s.N = N, s.K = K, s.leaves = leaves, s.dw = dw;
    if (leaves > 1)
        s.spare = sk_floats(dev, SK_SLOT_LEAVES, (size_t)levels(leaves) * (size_t)N * (size_t)K);
    return s;
}

/* Where subtree number i of those that stand there has its place. */
static float *place(const struct sk_weight_sum *s, int i)
{
    return i == 0 ? s->dw : s->spare + (size_t)(i - 1) * (size_t)s->N * (size_t)s->K;
}

void sk_weight_sum_leaf(struct sk_weight_sum *s, const void *dy, const void *x, int rows, int first, int last)
{
    size_t n = (size_t)s->N * (size_t)s->K;
    struct sk_gemm g = {SK_GEMM_WEIGHT, s->dev->dtype, s->N, s->K, rows, dy, x, s->N, s->K, s->K,
                        SK_FLOAT32, NULL, NULL, !first, 0};
    if (first) {
        /* A leaf that comes whole may go onto its sister at once: the sum is the same. */
        int sister = last && s->n > 0 && s->size[s->n - 1] == 1;
        g.add = sister;
        s->n += !sister;
        s->size[s->n - 1] = sister ? 2 : 1;
    }
    float *c = place(s, s->n - 1);
    g.c = c;
    if (rows > 0)
        sk_gemm_run(s->dev, &g);
    else if (!g.add)
        sk_cuda_zero(s->dev, c, n * sizeof *c);
    if (!last)
        return;
    for (; s->n > 1 && s->size[s->n - 2] == s->size[s->n - 1]; s->n--) {
        sk_cuda_add(s->dev, place(s, s->n - 2), place(s, s->n - 1), n);
        s->size[s->n - 2] *= 2;
    }
}

/* Few tiles do not fill a GPU: the leaves of such a product go side by side. */
static void side_by_side(struct sk_device *dev, float *dw, const char *a, const char *b, int N, int K,
                         struct sk_leaves leaves)
{
    const size_t n = (size_t)N * (size_t)K, item = sk_width(dev->dtype);
    float *parts = sk_floats(dev, SK_SLOT_LEAVES, (size_t)leaves.n * n);
    sk_fork(dev);
    for (int l = 0; l < leaves.n; l++) {
        const size_t row = (size_t)leaves.row[l];
        struct sk_gemm g = {SK_GEMM_WEIGHT, dev->dtype, N, K, leaves.row[l + 1] - leaves.row[l],
                            a + row * (size_t)N * item, b + row * (size_t)K * item, N, K, K, SK_FLOAT32,
                            parts + (size_t)l * n, NULL, 0, 1 + l % SK_SIDES};
        if (g.K > 0)
            sk_gemm_run(dev, &g);
        else
            sk_cuda_zero(dev, parts + (size_t)l * n, n * sizeof *parts);
    }
    sk_join(dev);
    sk_sum_tree(dev, dw, parts, leaves.n, n);
}

void sk_cuda_linear_backward_weight(struct sk_device *dev, float *dw, float *db, const float *dy, const float *x,
                                    int N, int K, struct sk_leaves leaves)
{
    size_t rows = (size_t)leaves.row[leaves.n], item = sk_width(dev->dtype);
    const char *a = (const char *)sk_operand(dev, SK_SLOT_A, dy, rows * (size_t)N);
    const char *b = (const char *)sk_operand(dev, SK_SLOT_B, x, rows * (size_t)K);
    if (leaves.n > 1 && !dev->unfused && (size_t)N * (size_t)K <= SK_SIDE_MOST) {
        side_by_side(dev, dw, a, b, N, K, leaves);
    } else {
        struct sk_weight_sum s = sk_weight_sum_begin(dev, dw, N, K, leaves.n);
        for (int l = 0; l < leaves.n; l++) {
            size_t row = (size_t)leaves.row[l];
            sk_weight_sum_leaf(&s, a + row * (size_t)N * item, b + row * (size_t)K * item,
                               leaves.row[l + 1] - leaves.row[l], 1, 1);
        }
    }
    if (db)
        sk_sum_columns(dev, db, dy, N, leaves);
}
