/* linear.c - weights as packed panels; products with them, over the threads. */
#include <stdlib.h>
#include "base/mem.h"
#include "math/cpu/product.h"

/* --- weights ---------------------------------------------------------------- */

struct sk_weight *sk_cpu_weight_new(struct sk_device *dev, int N, int K, int backward)
{
    const struct sk_kernels *k = sk_weight_kernels(dev, K, backward);
    struct sk_weight *w = sk_xcalloc(1, sizeof *w);
    w->kernels = k;
    w->N = N;
    w->K = K;
    w->forward = sk_cpu_alloc(dev, sk_panels_size(dev, N, sk_elements(k, K)) * sizeof *w->forward);
    if (backward)
        w->backward = sk_cpu_alloc(dev, sk_panels_size(dev, K, sk_elements(k, N)) * sizeof *w->backward);
    if (k->quantise) {
        size_t columns = (size_t)sk_round_up(N, sk_width(dev));
        w->scale = sk_cpu_alloc(dev, columns * sizeof *w->scale);
        w->offset = sk_cpu_alloc(dev, columns * sizeof *w->offset);
    }
    return w;
}

void sk_cpu_weight_free(struct sk_device *dev, struct sk_weight *w)
{
    if (!w)
        return;
    void *all[] = { w->forward, w->backward, w->scale, w->offset };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sk_cpu_free(dev, all[i]);
    free(w);
}

static int count(int n, int size) { return (n + size - 1) / size; }
static int least(int a, int b) { return a < b ? a : b; }

struct load_job { struct sk_weight *w; const float *data; int width; };

/* One panel's width of rows of the weight. */
static void load_part(void *ctx, int part, int thread)
{
    const struct load_job *j = ctx;
    struct sk_weight *w = j->w;
    const struct sk_kernels *k = w->kernels;
    int n = part * j->width, width = j->width;
    (void)thread;
    if (k->quantise)
        k->quantise(w->forward, w->scale, w->offset, j->data, w->N, w->K, part);
    else
        k->pack_transposed(w->forward, j->data, w->N, w->K, part);
    if (w->backward)         /* width is a multiple of an element's values */
        k->pack(w->backward + (size_t)(n / k->values) * (size_t)width, (size_t)sk_elements(k, w->N) * (size_t)width,
                j->data + (size_t)n * (size_t)w->K, (size_t)w->K, w->K, least(width, w->N - n));
}

void sk_cpu_weight_load(struct sk_device *dev, struct sk_weight *w, const float *data)
{
    struct load_job j = { w, data, sk_width(dev) };
    sk_pool_run(dev->pool, count(w->N, j.width), load_part, &j);
}

/* --- products --------------------------------------------------------------- */

struct product {
    struct sk_device *dev;
    const struct sk_kernels *kernels;
    float *c;
    size_t ldc;
    const float *a;
    size_t lda;
    const float *panels;
    struct sk_tail tail;
    int M, N, K, depth, add;
    int rows, columns, across;           /* of a part; parts side by side */
    float *elements;                     /* of a, packed beforehand; NULL: each part does it */
};

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
    double work = (double)p->M * p->N * p->depth;
    double most = work / 1e5;            /* below that, waking a thread costs more than it saves */
    int wanted = threads == 1 ? 1 : most < 8 * threads ? (int)most : 8 * threads;
    p->rows = even(p->M, 192, tile);
    p->columns = even(p->N, SK_PANELS / p->depth, width);
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

/* tail from row m and column n on. */
static struct sk_tail tail_at(const struct sk_tail *t, int m, int n)
{
    struct sk_tail at = { .bias = t->bias ? t->bias + n : NULL };
    if (t->column_scale) {
        at.row_scale = t->row_scale ? t->row_scale + m : NULL;
        at.column_scale = t->column_scale + n;
        at.column_offset = t->column_offset + n;
    }
    return at;
}

static void product_part(void *ctx, int part, int thread)
{
    const struct product *p = ctx;
    const struct sk_kernels *k = p->kernels;
    int m = part / p->across * p->rows, n = part % p->across * p->columns;
    int M = least(p->rows, p->M - m), N = least(p->columns, p->N - n), width = sk_width(p->dev);
    size_t depth = (size_t)p->depth, step = depth * (size_t)width;
    float *c = p->c + (size_t)m * p->ldc + n;
    const float *a = p->a + (size_t)m * p->lda, *panels = p->panels + (size_t)n * depth;
    struct sk_tail tail = tail_at(&p->tail, m, n);
    unsigned mode = sk_flush_begin(k);
    if (!k->rows) {
        k->gemm(c, p->ldc, a, p->lda, panels, step, M, N, p->depth, p->add, &tail);
    } else if (p->elements) {
        k->gemm(c, p->ldc, p->elements + (size_t)m * depth, depth, panels, step, M, N, p->depth, p->add, &tail);
    } else {
        /* a block of depth at a time; all of it where sums do not rest in c */
        int at_once = k->quantise ? p->depth : least(SK_DEPTH, p->depth);
        size_t block = (size_t)M * (size_t)at_once;
        float *own = sk_cpu_scratch(p->dev, thread, (block + (size_t)M) * sizeof *own), *scale = own + block;
        if (k->quantise)
            tail.row_scale = scale;
        for (int e = 0; e < p->depth; e += at_once) {
            int deep = least(at_once, p->depth - e), values = least(at_once * k->values, p->K - e * k->values);
            k->rows(own, scale, a + (size_t)e * (size_t)k->values, p->lda, M, values);
            k->gemm(c, p->ldc, own, (size_t)deep, panels + (size_t)e * (size_t)width, step, M, N, deep,
                    p->add || e > 0, e + deep == p->depth ? &tail : NULL);
        }
    }
    sk_flush_end(mode);
}

enum { PACK_ROWS = 32 };

static void pack_part(void *ctx, int part, int thread)
{
    const struct product *p = ctx;
    int m = part * PACK_ROWS;
    float *scale = p->elements + (size_t)p->M * (size_t)p->depth + m;
    (void)thread;
    p->kernels->rows(p->elements + (size_t)m * (size_t)p->depth, scale, p->a + (size_t)m * p->lda, p->lda,
                     least(PACK_ROWS, p->M - m), p->K);
}

static void run(struct product *p)
{
    enum { FEW = 16 };                   /* rows that are packed sooner than a thread is woken */
    if (p->M <= 0)
        return;
    p->depth = sk_elements(p->kernels, p->K);
    cut(p);
    int parts = count(p->M, p->rows) * p->across;
    /* Rows that several parts read are packed once, before. */
    if (p->kernels->rows && p->across > 1 && p->M > FEW) {
        p->elements = sk_cpu_shared(p->dev, SK_SLOT_ROWS, (size_t)p->M * (size_t)(p->depth + 1) * sizeof *p->elements);
        if (p->kernels->quantise)
            p->tail.row_scale = p->elements + (size_t)p->M * (size_t)p->depth;
        sk_pool_run(p->dev->pool, count(p->M, PACK_ROWS), pack_part, p);
    }
    sk_pool_run(p->dev->pool, parts, product_part, p);
}

void sk_cpu_forward(struct sk_device *dev, float *c, size_t ldc, const float *a, const struct sk_weight *w, int M,
                    const float *bias)
{
    struct product p = { .dev = dev, .kernels = w->kernels, .c = c, .ldc = ldc, .a = a, .lda = (size_t)w->K,
                         .panels = w->forward, .tail = { bias, NULL, w->scale, w->offset }, .M = M, .N = w->N,
                         .K = w->K };
    run(&p);
}

void sk_cpu_backward(struct sk_device *dev, float *c, const float *a, size_t lda, const struct sk_weight *w, int M,
                     int add)
{
    struct product p = { .dev = dev, .kernels = w->kernels, .c = c, .ldc = (size_t)w->K, .a = a, .lda = lda,
                         .panels = w->backward, .M = M, .N = w->K, .K = w->N, .add = add };
    run(&p);
}

void sk_cpu_linear_forward(struct sk_device *dev, float *y, const float *x, const struct sk_weight *w,
                           const float *bias, int T)
{
    sk_cpu_forward(dev, y, (size_t)w->N, x, w, T, bias);
}

void sk_cpu_linear_backward_data(struct sk_device *dev, float *dx, const float *dy,
                                 const struct sk_weight *w, int T, int add)
{
    sk_cpu_backward(dev, dx, dy, (size_t)w->N, w, T, add);
}
