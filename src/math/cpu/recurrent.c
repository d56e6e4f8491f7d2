/* recurrent.c - operations of recurrent layers, shared out among the threads. */
#include "math/cpu/recurrent.h"
#include <string.h>

/* Parts of about PART values each: some microseconds of work. */
enum { PART = 8192 };
static int rows_of_part(int values) { return values < PART ? PART / values : 1; }

struct rows_job {
    struct sk_device *dev;
    int n, step, D;
    float *out;
    const float *in;
    int ldo, ldi, add;
    const int32_t *to, *from;
    enum sk_cell cell;
    struct sk_cell_row row;
    const struct sk_attend *a;
    const struct sk_attend_gradients *g;
    struct sk_rows rows;
};

static void run(struct rows_job *j, int values, void (*part)(void *, int, int))
{
    j->step = rows_of_part(values);
    if (j->n > 0) sk_pool_run(j->dev->pool, (j->n + j->step - 1) / j->step, part, j);
}

static int part_end(const struct rows_job *j, int part)
{
    int end = (part + 1) * j->step;
    return end < j->n ? end : j->n;
}

/* --- rows from here to there -------------------------------------------------- */

static void move_part(void *ctx, int part, int thread)
{
    const struct rows_job *j = ctx;
    (void)thread;
    for (int i = part * j->step; i < part_end(j, part); i++) {
        float *out = j->out + (size_t)(j->to ? j->to[i] : i) * (size_t)j->ldo;
        int from = j->from ? j->from[i] : i;
        const float *in = j->in + (size_t)(from < 0 ? 0 : from) * (size_t)j->ldi;
        if (j->add) {
            for (int e = 0; from >= 0 && e < j->D; e++) out[e] += in[e];
        } else if (from < 0) {
            memset(out, 0, (size_t)j->D * sizeof *out);
        } else {
            memcpy(out, in, (size_t)j->D * sizeof *out);
        }
    }
}

void sk_cpu_rows_move(struct sk_device *dev, float *out, int ldo, const int32_t *to, const float *in, int ldi,
                      const int32_t *from, int n, int D, int add)
{
    struct rows_job j = {.dev = dev, .n = n, .D = D, .out = out, .in = in, .ldo = ldo, .ldi = ldi, .add = add,
                         .to = to, .from = from};
    run(&j, D, move_part);
}

static void mean_part(void *ctx, int part, int thread)
{
    const struct rows_job *j = ctx;
    size_t D = (size_t)j->D;
    (void)thread;
    for (int s = part * j->step; s < part_end(j, part); s++) {
        int first = j->rows.offset[s], end = j->rows.offset[s + 1];
        float *out = j->out + (size_t)s * D;
        memset(out, 0, D * sizeof *out);
        for (int t = first; t < end; t++)
            for (size_t e = 0; e < D; e++) out[e] += j->in[(size_t)t * D + e];
        for (size_t e = 0; e < D; e++) out[e] /= (float)(end - first);
    }
}

void sk_cpu_rows_mean(struct sk_device *dev, float *mean, const float *x, int D, struct sk_rows rows)
{
    struct rows_job j = {.dev = dev, .n = rows.sentences, .D = D, .out = mean, .in = x, .rows = rows};
    run(&j, 16 * D, mean_part);
}

static void mean_backward_part(void *ctx, int part, int thread)
{
    const struct rows_job *j = ctx;
    size_t D = (size_t)j->D;
    (void)thread;
    for (int s = part * j->step; s < part_end(j, part); s++) {
        int first = j->rows.offset[s], end = j->rows.offset[s + 1];
        for (int t = first; t < end; t++)
            for (size_t e = 0; e < D; e++)
                j->out[(size_t)t * D + e] += j->in[(size_t)s * D + e] / (float)(end - first);
    }
}

void sk_cpu_rows_mean_backward(struct sk_device *dev, float *dx, const float *dmean, int D, struct sk_rows rows)
{
    struct rows_job j = {.dev = dev, .n = rows.sentences, .D = D, .out = dx, .in = dmean, .rows = rows};
    run(&j, 16 * D, mean_backward_part);
}

/* --- value by value -------------------------------------------------------------- */

struct flat_job {
    struct sk_device *dev;
    enum sk_flat_kind kind;
    float *out;
    const float *a, *b;
    size_t n;
};

static void flat_part(void *ctx, int part, int thread)
{
    const struct flat_job *j = ctx;
    size_t at = (size_t)part * PART, n = j->n - at < PART ? j->n - at : PART;
    (void)thread;
    SK_ISA_PICK(j->dev, sk_flat)(j->kind, j->out + at, j->a + at, j->b ? j->b + at : NULL, n);
}

static void flat(struct sk_device *dev, enum sk_flat_kind kind, float *out, const float *a, const float *b, size_t n)
{
    struct flat_job j = {dev, kind, out, a, b, n};
    if (n > 0) sk_pool_run(dev->pool, (int)((n + PART - 1) / PART), flat_part, &j);
}

void sk_cpu_multiply(struct sk_device *dev, float *out, const float *a, const float *b, size_t n)
{
    flat(dev, SK_FLAT_MULTIPLY, out, a, b, n);
}

void sk_cpu_tanh_forward(struct sk_device *dev, float *y, const float *x, size_t n)
{
    flat(dev, SK_FLAT_TANH, y, x, NULL, n);
}

void sk_cpu_tanh_backward(struct sk_device *dev, float *dx, const float *dy, const float *y, size_t n)
{
    flat(dev, SK_FLAT_TANH_GRADIENT, dx, dy, y, n);
}

/* --- cells ---------------------------------------------------------------------------- */

/* Pointers of row i; NULL stays NULL. */
static struct sk_cell_row cell_row(const struct rows_job *j, int i)
{
    size_t at = (size_t)i * (size_t)j->D, products = (j->cell == SK_LSTM ? 4 : 3) * at;
    struct sk_cell_row r = j->row;
#define STEP(p, by) ((p) ? (p) + (by) : NULL)
    return (struct sk_cell_row){STEP(r.h, at), STEP(r.c, at), STEP(r.gates, SK_CELL_GATES * at), STEP(r.x, products),
                                STEP(r.hx, products), STEP(r.before, at), STEP(r.dx, products), STEP(r.dhx, products),
                                STEP(r.dbefore, at), STEP(r.dh, at)};
#undef STEP
}

static void cell_part(void *ctx, int part, int thread)
{
    const struct rows_job *j = ctx;
    (void)thread;
    for (int i = part * j->step; i < part_end(j, part); i++) {
        struct sk_cell_row r = cell_row(j, i);
        if (r.dh) SK_ISA_PICK(j->dev, sk_cell_row_gradient)(j->cell, &r, j->D);
        else SK_ISA_PICK(j->dev, sk_cell_row)(j->cell, &r, j->D);
    }
}

void sk_cpu_cell_forward(struct sk_device *dev, enum sk_cell cell, float *h, float *c, float *gates, const float *x,
                         const float *hx, const float *before, int n, int H)
{
    struct rows_job j = {.dev = dev, .n = n, .D = H, .cell = cell,
                         .row = {.h = h, .c = c, .gates = gates, .x = x, .hx = hx, .before = before}};
    run(&j, 8 * H, cell_part);
}

void sk_cpu_cell_backward(struct sk_device *dev, enum sk_cell cell, float *dx, float *dhx, float *dbefore,
                          const float *dh, const float *gates, const float *c, const float *before, int n, int H)
{
    struct rows_job j = {.dev = dev, .n = n, .D = H, .cell = cell,
                         .row = {.c = (float *)c, .gates = (float *)gates, .before = before, .dx = dx, .dhx = dhx,
                                 .dbefore = dbefore, .dh = dh}};
    run(&j, 8 * H, cell_part);
}

/* --- attention --------------------------------------------------------------------------- */

size_t sk_attend_scratch(int A, int n)
{
    return 2 * (((size_t)n + 15) / 16 * 16) + 3 * (((size_t)A + 15) / 16 * 16);
}

static void attend_part(void *ctx, int part, int thread)
{
    const struct rows_job *j = ctx;
    for (int r = part * j->step; r < part_end(j, part); r++) {
        float *scratch = sk_cpu_scratch(j->dev, thread, sk_attend_scratch(j->a->A, j->a->n[r]) * sizeof *scratch);
        if (j->g)
            SK_ISA_PICK(j->dev, sk_attend_row_gradient)(j->g, j->in + (size_t)r * (size_t)j->ldi, j->a, r, scratch);
        else
            SK_ISA_PICK(j->dev, sk_attend_row)(j->out + (size_t)r * (size_t)j->ldo, j->a, r, scratch);
    }
}

void sk_cpu_attend_forward(struct sk_device *dev, float *context, int ldc, const struct sk_attend *a, int R)
{
    struct rows_job j = {.dev = dev, .n = R, .out = context, .ldo = ldc, .a = a};
    run(&j, 8 * (a->A + a->D), attend_part);
}

void sk_cpu_attend_backward(struct sk_device *dev, const struct sk_attend_gradients *g, const float *dcontext, int ldc,
                            const struct sk_attend *a, int R)
{
    struct rows_job j = {.dev = dev, .n = R, .in = dcontext, .ldi = ldc, .a = a, .g = g};
    run(&j, 8 * (a->A + a->D), attend_part);
}
