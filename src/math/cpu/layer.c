/* layer.c - operations between products, shared out among the threads. */
#include "math/cpu/layer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"

int sk_sentence_of(const struct sk_rows *rows, int row)
{
    int low = 0, high = rows->sentences;     /* offset[low] <= row < offset[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (rows->offset[middle] <= row) low = middle;
        else high = middle;
    }
    return low;
}

/* --- row operations ----------------------------------------------------------- */

struct row_job { const struct sk_row_op *op; struct sk_device *dev; int T, step; };

static void row_part(void *ctx, int part, int thread)
{
    const struct row_job *j = ctx;
    int first = part * j->step, end = first + j->step < j->T ? first + j->step : j->T;
    float *factor = NULL;
    if (j->op->drop.p > 0)
        factor = sk_cpu_scratch(j->dev, thread, ((size_t)j->op->n + SK_FACTOR_PAD) * sizeof *factor);
    j->op->kernel(j->op, first, end, factor);
}

static void run_rows(struct sk_device *dev, const struct sk_row_op *op, int T)
{
    enum { PART = 8192 };                    /* values: some microseconds of work */
    struct row_job j = {op, dev, T, op->n < PART ? PART / op->n : 1};
    if (T > 0) sk_pool_run(dev->pool, (T + j.step - 1) / j.step, row_part, &j);
}

void sk_cpu_dropout_add(struct sk_device *dev, float *out, const float *f, const float *residual,
                        int D, struct sk_rows rows, struct sk_dropout drop)
{
    struct sk_row_op o = {.kernel = SK_ISA_PICK(dev, sk_row_dropout_add), .n = D, .rows = rows, .drop = drop,
                          .out = out, .a = f, .b = residual};
    run_rows(dev, &o, rows.rows);
}

void sk_cpu_dropout_backward(struct sk_device *dev, float *dx, int D, struct sk_rows rows, struct sk_dropout drop)
{
    if (drop.p > 0) sk_cpu_dropout_add(dev, dx, dx, NULL, D, rows, drop);
}

void sk_cpu_activation_forward(struct sk_device *dev, float *h, const float *a, enum sk_activation act,
                               int F, struct sk_rows rows, struct sk_dropout drop)
{
    struct sk_row_op o = {.kernel = SK_ISA_PICK(dev, sk_row_activation), .n = F, .rows = rows, .drop = drop,
                          .out = h, .a = a, .act = act};
    run_rows(dev, &o, rows.rows);
}

void sk_cpu_activation_backward(struct sk_device *dev, float *da, const float *dh, const float *kept,
                                enum sk_activation act, int F, struct sk_rows rows, struct sk_dropout drop)
{
    struct sk_row_op o = {.kernel = SK_ISA_PICK(dev, sk_row_activation_gradient), .n = F, .rows = rows, .drop = drop,
                          .out = da, .a = kept, .b = dh, .act = act};
    if (act == SK_RELU) {                /* no need to draw again */
        o.kernel = SK_ISA_PICK(dev, sk_row_relu_gradient);
        o.scale = 1.0f / (1.0f - drop.p);
        o.drop.p = 0;
    }
    run_rows(dev, &o, rows.rows);
}

void sk_cpu_embed_forward(struct sk_device *dev, float *x, const int32_t *id, const float *table, float scale,
                          const float *position, int D, struct sk_rows rows, const int32_t *at,
                          struct sk_dropout drop)
{
    struct sk_row_op o = {.kernel = SK_ISA_PICK(dev, sk_row_embed), .n = D, .rows = rows, .drop = drop, .out = x,
                          .a = table, .b = position, .id = id, .scale = scale, .at = at};
    run_rows(dev, &o, rows.rows);
}

void sk_cpu_norm_forward(struct sk_device *dev, float *y, float *stat, const float *x,
                         const float *gamma, const float *beta, int T, int D)
{
    struct sk_row_op o = {.kernel = SK_ISA_PICK(dev, sk_row_norm), .n = D, .out = y, .stat = stat, .a = x,
                          .gamma = gamma, .beta = beta};
    run_rows(dev, &o, T);
}

/* --- sums over rows --------------------------------------------------------------- */

struct norm_job {
    struct sk_device *dev;
    float *dgamma, *dbeta;
    const float *dy, *x, *stat;
    int D;
    struct sk_leaves leaves;
};

static void norm_part(void *ctx, int part, int thread)
{
    const struct norm_job *j = ctx;
    (void)thread;
    SK_ISA_PICK(j->dev, sk_norm_columns)(j->dgamma, j->dbeta, j->dy, j->x, j->stat, j->D, 32 * part, j->leaves);
}

void sk_cpu_norm_backward(struct sk_device *dev, float *dx, float *dgamma, float *dbeta, const float *dy,
                          const float *x, const float *stat, const float *gamma, int D,
                          struct sk_leaves leaves, int add)
{
    struct norm_job j = {dev, dgamma, dbeta, dy, x, stat, D, leaves};
    sk_pool_run(dev->pool, (D + 31) / 32, norm_part, &j);
    struct sk_row_op o = {.kernel = SK_ISA_PICK(dev, sk_row_norm_gradient), .n = D, .out = dx, .stat = (float *)stat,
                          .a = x, .b = dy, .gamma = gamma, .add = add};
    run_rows(dev, &o, leaves.row[leaves.n]);
}

void sk_cpu_dropout_add_norm(struct sk_device *dev, float *out, float *y, float *stat, const float *f,
                             const float *residual, const float *gamma, const float *beta, int D, struct sk_rows rows,
                             struct sk_dropout drop)
{
    sk_cpu_dropout_add(dev, out, f, residual, D, rows, drop);
    sk_cpu_norm_forward(dev, y, stat, out, gamma, beta, rows.rows, D);
}

void sk_cpu_norm_dropout_backward(struct sk_device *dev, float *dx, float *df, float *dgamma, float *dbeta,
                                  const float *dy, const float *x, const float *stat, const float *gamma, int D,
                                  struct sk_rows rows, struct sk_leaves leaves, struct sk_dropout drop, int add)
{
    sk_cpu_norm_backward(dev, dx, dgamma, dbeta, dy, x, stat, gamma, D, leaves, add);
    sk_cpu_dropout_add(dev, df, dx, NULL, D, rows, drop);
}

struct sum_job {
    struct sk_device *dev;
    float *out;
    int D, leaves;
    const int32_t *first;                    /* (rows of out + 1) first entry of each */
    const int32_t *cut;                      /* (parts + 1) */
    const struct sk_sum_entry *entry;
    const float *const *dx;
    const float *scale;
};

static void sum_part(void *ctx, int part, int thread)
{
    const struct sum_job *j = ctx;
    (void)thread;
    for (int i = j->cut[part]; i < j->cut[part + 1]; i++) {
        int n = j->first[i + 1] - j->first[i];
        float *out = j->out + (size_t)i * (size_t)j->D;
        if (n) SK_ISA_PICK(j->dev, sk_sum_rows)(out, j->D, j->entry + j->first[i], n, j->leaves, j->dx, j->scale);
        else memset(out, 0, (size_t)j->D * sizeof *out);
    }
}

/* out (N, D): row i is the sum of the entries first[i]..first[i + 1]-1. */
static void sum_rows(struct sk_device *dev, float *out, int N, int D, int leaves, const int32_t *first,
                     const struct sk_sum_entry *entry, const float *const *dx, const float *scale)
{
    enum { MOST = 64 };
    int32_t cut[MOST + 1] = {0};
    /* A row without entries costs about a quarter of one with. */
    int parts = 0;
    int64_t all = (int64_t)first[N] * 4 + N, share = all / MOST + 1, next = share;
    for (int i = 0; i < N; i++)
        if ((int64_t)first[i + 1] * 4 + i + 1 >= next && parts < MOST - 1) {
            cut[++parts] = i + 1;
            next += share;
        }
    cut[++parts] = N;
    struct sum_job j = {dev, out, D, leaves, first, cut, entry, dx, scale};
    sk_pool_run(dev->pool, parts, sum_part, &j);
}

/* Entries sorted by key, stable: `key` gives the row of the result. Keys come
 * leaf after leaf and stream after stream, rows ascending. */
struct sorter { int32_t *first; struct sk_sum_entry *entry; };

static struct sorter sorter_for(struct sk_device *dev, int N, int total)
{
    struct sorter s = {sk_cpu_shared(dev, SK_SLOT_LAYER0, ((size_t)N + 2) * sizeof *s.first),
                       sk_cpu_shared(dev, SK_SLOT_LAYER1, (size_t)(total ? total : 1) * sizeof *s.entry)};
    memset(s.first, 0, ((size_t)N + 2) * sizeof *s.first);
    return s;
}

void sk_cpu_embed_backward(struct sk_device *dev, float *dtable, int V, int D, int streams,
                           const int32_t *const *id, const float *const *dx, const float *scale,
                           const struct sk_leaves *leaves)
{
    int total = 0, n = leaves[0].n;
    for (int s = 0; s < streams; s++) total += leaves[s].row[n];
    struct sorter t = sorter_for(dev, V, total);
    /* first[i + 2] counts id i, then first[i + 1] runs up to its end. */
    for (int s = 0; s < streams; s++)
        for (int r = 0; r < leaves[s].row[n]; r++) t.first[id[s][r] + 2]++;
    for (int i = 2; i <= V + 1; i++) t.first[i] += t.first[i - 1];
    for (int l = 0; l < n; l++)
        for (int s = 0; s < streams; s++)
            for (int r = leaves[s].row[l]; r < leaves[s].row[l + 1]; r++)
                t.entry[t.first[id[s][r] + 1]++] = (struct sk_sum_entry){r, (int16_t)s, (int16_t)l};
    sum_rows(dev, dtable, V, D, n, t.first, t.entry, dx, scale);
}

void sk_cpu_position_backward(struct sk_device *dev, float *dposition, int P, int D, const float *dx,
                              struct sk_rows rows, struct sk_leaves leaves)
{
    const float one = 1;
    struct sorter t = sorter_for(dev, P, rows.rows);
    for (int s = 0; s < rows.sentences; s++)
        for (int r = rows.offset[s]; r < rows.offset[s + 1]; r++) t.first[r - rows.offset[s] + 2]++;
    for (int i = 2; i <= P + 1; i++) t.first[i] += t.first[i - 1];
    int leaf = 0;
    for (int s = 0; s < rows.sentences; s++)
        for (int r = rows.offset[s]; r < rows.offset[s + 1]; r++) {
            while (r >= leaves.row[leaf + 1]) leaf++;
            t.entry[t.first[r - rows.offset[s] + 1]++] = (struct sk_sum_entry){r, 0, (int16_t)leaf};
        }
    sum_rows(dev, dposition, P, D, leaves.n, t.first, t.entry, &dx, &one);
}

/* --- passes over flat memory ------------------------------------------------------- */

enum { CHUNK = 65536 };
struct flat_job {
    struct sk_device *dev;
    float *w, *m, *v;
    const float *g;
    size_t n;
    const struct sk_optimizer_step *step;
    double *sum;
    int64_t *found;
};

static size_t chunk_of(const struct flat_job *j, int part, size_t *n)
{
    size_t at = (size_t)part * CHUNK;
    *n = j->n - at < CHUNK ? j->n - at : CHUNK;
    return at;
}

static int chunks(size_t n) { return (int)((n + CHUNK - 1) / CHUNK); }

static void add_part(void *ctx, int part, int thread)
{
    const struct flat_job *j = ctx;
    size_t n, at = chunk_of(j, part, &n);
    (void)thread;
    SK_ISA_PICK(j->dev, sk_add_range)(j->w + at, j->g + at, n);
}

void sk_cpu_add(struct sk_device *dev, float *a, const float *b, size_t n)
{
    struct flat_job j = {.dev = dev, .w = a, .g = b, .n = n};
    sk_pool_run(dev->pool, chunks(n), add_part, &j);
}

static void square_part(void *ctx, int part, int thread)
{
    const struct flat_job *j = ctx;
    size_t n, at = chunk_of(j, part, &n);
    (void)thread;
    j->sum[part] = SK_ISA_PICK(j->dev, sk_sum_squares_chunk)(j->g + at, n);
}

double sk_cpu_sum_squares(struct sk_device *dev, const float *g, size_t n)
{
    int parts = chunks(n);
    struct flat_job j = {.dev = dev, .g = g, .n = n,
                         .sum = sk_cpu_shared(dev, SK_SLOT_LAYER2, (size_t)(parts + 1) * sizeof(double))};
    double sum = 0;
    sk_pool_run(dev->pool, parts, square_part, &j);
    for (int i = 0; i < parts; i++) sum += j.sum[i];
    return sum;
}

static void optimize_part(void *ctx, int part, int thread)
{
    const struct flat_job *j = ctx;
    size_t n, at = chunk_of(j, part, &n);
    (void)thread;
    SK_ISA_PICK(j->dev, sk_optimize_range)(j->w + at, j->m ? j->m + at : NULL, j->v ? j->v + at : NULL, j->g + at, n,
                                           j->step);
}

void sk_cpu_optimize(struct sk_device *dev, float *w, float *m, float *v, const float *g, size_t n,
                     const struct sk_optimizer_step *step)
{
    struct flat_job j = {.dev = dev, .w = w, .m = m, .v = v, .g = g, .n = n, .step = step};
    sk_pool_run(dev->pool, chunks(n), optimize_part, &j);
}

static void finite_part(void *ctx, int part, int thread)
{
    const struct flat_job *j = ctx;
    size_t n, at = chunk_of(j, part, &n);
    (void)thread;
    j->found[part] = -1;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(j->g[at + i])) {
            j->found[part] = (int64_t)(at + i);
            return;
        }
}

int64_t sk_cpu_find_nonfinite(struct sk_device *dev, const float *x, size_t n)
{
    int parts = chunks(n);
    struct flat_job j = {.dev = dev, .g = x, .n = n,
                         .found = sk_cpu_shared(dev, SK_SLOT_LAYER2, (size_t)(parts + 1) * sizeof(int64_t))};
    sk_pool_run(dev->pool, parts, finite_part, &j);
    for (int i = 0; i < parts; i++)
        if (j.found[i] >= 0) return j.found[i];
    return -1;
}
