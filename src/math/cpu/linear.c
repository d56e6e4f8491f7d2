/* linear.c - weights as packed panels; products with them, over the threads. */
#include <stdlib.h>
#include "base/mem.h"
#include "math/cpu/product.h"

/* --- weights ---------------------------------------------------------------- */

struct sk_weight *sk_cpu_weight_new(struct sk_device *dev, int N, int K, int backward)
{
    struct sk_weight *w = sk_xcalloc(1, sizeof *w);
    w->N = N;
    w->K = K;
    w->forward = sk_cpu_alloc(dev, sk_panels_size(dev, N, K) * sizeof *w->forward);
    if (backward)
        w->backward = sk_cpu_alloc(dev, sk_panels_size(dev, K, N) * sizeof *w->backward);
    return w;
}

void sk_cpu_weight_free(struct sk_device *dev, struct sk_weight *w)
{
    (void)dev;
    if (!w)
        return;
    free(w->forward);
    free(w->backward);
    free(w);
}

struct load_job { struct sk_device *dev; struct sk_weight *w; const float *data; };

/* One panel's width of rows of the weight. */
static void load_part(void *ctx, int part, int thread)
{
    const struct load_job *j = ctx;
    struct sk_weight *w = j->w;
    int width = sk_width(j->dev), n1 = (part + 1) * width;
    (void)thread;
    SK_ISA_PICK(j->dev, sk_pack_transposed)(w->forward, j->data, w->N, w->K, part);
    if (w->backward)
        SK_ISA_PICK(j->dev, sk_pack)(w->backward, j->data, (size_t)w->K, w->K, w->N,
                                     part * width, n1 < w->N ? n1 : w->N);
}

void sk_cpu_weight_load(struct sk_device *dev, struct sk_weight *w, const float *data)
{
    struct load_job j = { dev, w, data };
    sk_pool_run(dev->pool, sk_round_up(w->N, sk_width(dev)) / sk_width(dev), load_part, &j);
}

/* --- products --------------------------------------------------------------- */

struct product {
    struct sk_device *dev;
    float *c;
    size_t ldc;
    const float *a;
    size_t lda;
    const float *panels, *bias;
    int M, N, K, add;
    int rows, columns, across;           /* of a part; parts side by side */
};

static int count(int n, int size) { return (n + size - 1) / size; }
static int least(int a, int b) { return a < b ? a : b; }

/* Blocks of at most `most`, of nearly the same size, in whole units. */
static int even(int n, int most, int unit)
{
    int blocks = count(n, most);
    return sk_round_up(count(n, blocks), unit);
}

/* Parts large enough for the caches (rows of a in the second), small enough
 * that all threads end together. */
static void cut(struct product *p)
{
    int tile = sk_tile(p->dev), width = sk_width(p->dev), threads = p->dev->threads;
    int narrowest = p->M == 1 ? 4 * width : p->M <= 3 ? 2 * width : width;
    double work = (double)p->M * p->N * p->K;
    double most = work / 1e5;            /* below that, waking a thread costs more than it saves */
    int wanted = threads == 1 ? 1 : most < 8 * threads ? (int)most : 8 * threads;
    p->rows = even(p->M, 192, tile);
    p->columns = even(p->N, 256, width);
    while (count(p->M, p->rows) * count(p->N, p->columns) < wanted) {
        if (p->rows > 4 * tile && p->rows >= p->columns)
            p->rows = sk_round_up(p->rows / 2, tile);
        else if (p->columns > narrowest)
            p->columns = sk_round_up(p->columns / 2, width);
        else
            break;
    }
    p->across = count(p->N, p->columns);
}

static void product_part(void *ctx, int part, int thread)
{
    const struct product *p = ctx;
    int m = part / p->across * p->rows, n = part % p->across * p->columns;
    (void)thread;
    SK_ISA_PICK(p->dev, sk_gemm)(p->c + (size_t)m * p->ldc + n, p->ldc, p->a + (size_t)m * p->lda, p->lda,
                                 p->panels + (size_t)n * (size_t)p->K, least(p->rows, p->M - m),
                                 least(p->columns, p->N - n), p->K, p->add, p->bias ? p->bias + n : NULL);
}

void sk_cpu_product(struct sk_device *dev, float *c, size_t ldc, const float *a, size_t lda,
                    const float *panels, int M, int N, int K, int add, const float *bias)
{
    struct product p = { dev, c, ldc, a, lda, panels, bias, M, N, K, add, 0, 0, 0 };
    if (M <= 0)
        return;
    cut(&p);
    int parts = count(M, p.rows) * p.across;
    if (parts == 1)
        product_part(&p, 0, 0);
    else
        sk_pool_run(dev->pool, parts, product_part, &p);
}

void sk_cpu_linear_forward(struct sk_device *dev, float *y, const float *x, const struct sk_weight *w,
                           const float *bias, int T)
{
    sk_cpu_product(dev, y, (size_t)w->N, x, (size_t)w->K, w->forward, T, w->N, w->K, 0, bias);
}

void sk_cpu_linear_backward_data(struct sk_device *dev, float *dx, const float *dy,
                                 const struct sk_weight *w, int T, int add)
{
    sk_cpu_product(dev, dx, (size_t)w->K, dy, (size_t)w->N, w->backward, T, w->K, w->N, add, NULL);
}
