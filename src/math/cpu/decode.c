/* decode.c - translating: shared out by sentences, rows, or columns. */
#include <string.h>
#include "base/msg.h"
#include "math/cpu/decode.h"
#include "math/cpu/product.h"

static int parts_of(int n, int at_once) { return (n + at_once - 1) / at_once; }
static int least(int a, int b) { return a < b ? a : b; }

/* --- attention ---------------------------------------------------------------- */

struct keep_job {
    struct sk_device *dev;
    float *keys, *values;
    const float *k, *v;
    int D;
    size_t place;                        /* floats of a slot */
    struct sk_rows rows;
    const int32_t *slot;
};

static void keep_part(void *ctx, int s, int thread)
{
    const struct keep_job *j = ctx;
    size_t first = (size_t)j->rows.offset[s], D = (size_t)j->D, at = (size_t)j->slot[s] * j->place;
    int n = j->rows.offset[s + 1] - j->rows.offset[s];
    (void)thread;
    SK_ISA_PICK(j->dev, sk_keep_keys)(j->keys + at, j->k + first * D, j->D, n);
    memcpy(j->values + at, j->v + first * D, (size_t)n * D * sizeof *j->v);
}

void sk_cpu_attention_keep(struct sk_device *dev, float *keys, float *values, int W, const float *k, const float *v,
                           int D, struct sk_rows rows, const int32_t *slot)
{
    struct keep_job j = {dev, keys, values, k, v, D, (size_t)W * (size_t)D, rows, slot};
    SK_ENSURE(W % 16 == 0);
    sk_pool_run(dev->pool, rows.sentences, keep_part, &j);
}

struct cross_job {
    struct sk_device *dev;
    float *context;
    const float *q, *keys, *values;
    size_t place;
    int H, D, W, G;
    const int32_t *first, *slot, *n;
};
enum { CROSS_GROUPS = 4 };               /* of a part */

/* What is read long before it is used: into the second cache. */
static void fetch(const float *p, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        __builtin_prefetch(p + i, 0, 2);
}

static void cross_group(const struct cross_job *j, int g, float *s)
{
    size_t at = (size_t)j->slot[g] * j->place, D = (size_t)j->D;
    int row = j->first[g], left = j->first[g + 1] - row;
    /* as few calls as can be, of nearly the same size */
    for (int calls = parts_of(left, SK_QUERIES); left > 0; calls--) {
        int m = parts_of(left, calls);
        SK_ISA_PICK(j->dev, sk_attend_cross)(j->context + (size_t)row * D, j->q + (size_t)row * D, m, j->keys + at,
                                             j->values + at, j->H, j->D, j->n[g], s);
        row += m;
        left -= m;
    }
}

static void cross_part(void *ctx, int part, int thread)
{
    const struct cross_job *j = ctx;
    int g = part * CROSS_GROUPS, end = least(j->G, g + CROSS_GROUPS);
    float *s = sk_cpu_scratch(j->dev, thread, SK_QUERIES * (size_t)j->W * sizeof *s);
    for (; g < end; g++) {
        if (g + 1 < end) {
            size_t at = (size_t)j->slot[g + 1] * j->place, D = (size_t)j->D;
            fetch(j->keys + at, D * (size_t)sk_round_up(j->n[g + 1], 16));
            fetch(j->values + at, D * (size_t)j->n[g + 1]);
        }
        cross_group(j, g, s);
    }
}

void sk_cpu_attention_cross(struct sk_device *dev, float *context, const float *q, const float *keys,
                            const float *values, int W, int H, int D, int G, const int32_t *first,
                            const int32_t *slot, const int32_t *n)
{
    struct cross_job j = {dev, context, q, keys, values, (size_t)W * (size_t)D, H, D, W, G, first, slot, n};
    sk_pool_run(dev->pool, parts_of(G, CROSS_GROUPS), cross_part, &j);
}

struct self_job {
    struct sk_device *dev;
    float *context, *const *cells;
    const float *qkv;
    int rows, H, D, R;
    const int32_t *const *index;
    const int32_t *n;
};
enum { SELF_ROWS = 16 };                 /* of a part: rows of a sentence have cells in common */

static void self_part(void *ctx, int part, int thread)
{
    const struct self_job *j = ctx;
    size_t D = (size_t)j->D;
    for (int r = part * SELF_ROWS; r < least(j->R, (part + 1) * SELF_ROWS); r++) {
        const float *q = j->qkv + (size_t)r * 3 * D;
        int n = j->n[r], width = sk_round_up(n, 16);
        const float **cell = sk_cpu_scratch(j->dev, thread, (size_t)width * (sizeof *cell + sizeof(float)));
        float *own;                          /* the last one: there is one at least */
        int i = 0;
        do {
            int c = j->index[r][i];
            cell[i] = own = j->cells[c / j->rows] + (size_t)(c % j->rows) * 2 * D;
        } while (++i < n);
        memcpy(own, q + D, 2 * D * sizeof *q);
        for (; i < width; i++)               /* read, but not used */
            cell[i] = own;
        SK_ISA_PICK(j->dev, sk_attend_self)(j->context + (size_t)r * D, q, cell, j->H, j->D, n, (float *)(cell + width));
    }
}

void sk_cpu_attention_self(struct sk_device *dev, float *context, const float *qkv, float *const *cells,
                           int rows, int H, int D, int R, const int32_t *const *index, const int32_t *n)
{
    struct self_job j = {dev, context, cells, qkv, rows, H, D, R, index, n};
    sk_pool_run(dev->pool, parts_of(R, SELF_ROWS), self_part, &j);
}

/* --- the best words -------------------------------------------------------------- */

struct top_job {
    struct sk_device *dev;
    const struct sk_top *top;
    float *x;
    size_t ld;
    int V, rows, row0, normal;           /* row0: number of the first row for the results */
};
enum { TOP_ROWS = 4 };

static void top_part(void *ctx, int part, int thread)
{
    const struct top_job *j = ctx;
    (void)thread;
    for (int r = part * TOP_ROWS; r < least(j->rows, (part + 1) * TOP_ROWS); r++)
        SK_ISA_PICK(j->dev, sk_top_row)(j->top, j->row0 + r, j->x + (size_t)r * j->ld, j->V, j->normal);
}

void sk_cpu_output_top(struct sk_device *dev, const struct sk_top *top, const float *x, const struct sk_weight *w,
                       const float *bias, int V, int R)
{
    enum { CHUNK = 1024 };               /* rows whose logits stand in memory */
    size_t ld = (size_t)sk_round_up(V, 16);
    float *logits = sk_cpu_shared(dev, SK_SLOT_LOGITS, ld * (size_t)least(R, CHUNK) * sizeof *logits);
    for (int r = 0; r < R; r += CHUNK) {
        struct top_job j = {dev, top, logits, ld, V, least(CHUNK, R - r), r, 0};
        sk_cpu_forward(dev, logits, ld, x + (size_t)r * (size_t)w->K, w, j.rows, bias);
        sk_pool_run(dev->pool, parts_of(j.rows, TOP_ROWS), top_part, &j);
    }
}

void sk_cpu_logprob_top(struct sk_device *dev, const struct sk_top *top, float *logp, int V, int R)
{
    struct top_job j = {dev, top, logp, (size_t)V, V, R, 0, 1};
    sk_pool_run(dev->pool, parts_of(R, TOP_ROWS), top_part, &j);
}

struct mean_job { struct sk_device *dev; float *const *logp; int n, log_linear, V; };
enum { MOST_MODELS = 64 };

static void mean_part(void *ctx, int r, int thread)
{
    const struct mean_job *j = ctx;
    float *row[MOST_MODELS];
    (void)thread;
    for (int i = 0; i < j->n; i++)
        row[i] = j->logp[i] + (size_t)r * (size_t)j->V;
    SK_ISA_PICK(j->dev, sk_mean_row)(row, j->n, j->log_linear, j->V);
    if (j->log_linear)
        SK_ISA_PICK(j->dev, sk_logprob_row)(row[0], j->V);
}

void sk_cpu_logprob_mean(struct sk_device *dev, float *const *logp, int n, int log_linear, int V, int R)
{
    struct mean_job j = {dev, logp, n, log_linear, V};
    SK_ENSURE(n > 0 && n <= MOST_MODELS);
    sk_pool_run(dev->pool, R, mean_part, &j);
}
