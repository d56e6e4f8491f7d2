#include "modeldir/average.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "model/tensors.h"

/* --- choosing ----------------------------------------------------------------- */

struct candidate { struct sk_point point; int maximize, lifespan, order; };

static int better(const struct sk_point *a, const struct sk_point *b, int maximize)
{
    if (a->value != b->value) return maximize ? a->value > b->value : a->value < b->value;
    return maximize ? a->checkpoint > b->checkpoint : a->checkpoint < b->checkpoint;
}

static int by_value(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return better(&x->point, &y->point, x->maximize) ? -1 : better(&y->point, &x->point, x->maximize);
}

/* Equal lifespans and values stay in the order in which they ended. */
static int by_lifespan(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    double v = x->point.value, w = y->point.value;
    if (x->lifespan != y->lifespan) return x->lifespan > y->lifespan ? -1 : 1;
    if (v != w) return (v > w) == x->maximize ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int choose_last(int maximize, const struct sk_point *points, int n_points, int n, struct sk_point *chosen)
{
    int best = 0;
    for (int i = 1; i < n_points; i++)
        if (better(&points[i], &points[best], maximize)) best = i;
    int first = best + 1 > n ? best + 1 - n : 0;
    memcpy(chosen, points + first, (size_t)(best + 1 - first) * sizeof *chosen);
    return best + 1 - first;
}

/* How long each point stayed the best one, in order of their ends. */
static void find_lifespans(int maximize, const struct sk_point *points, int n_points, struct candidate *c)
{
    struct sk_point best = points[0];
    int lifespan = 0, n = 0;
    for (int i = 1; i < n_points; i++)
        if (better(&points[i], &best, maximize)) {
            c[n++] = (struct candidate){best, maximize, lifespan, i};
            best = points[i];
            lifespan = 0;
        } else {
            c[n++] = (struct candidate){points[i], maximize, 0, i};
            lifespan++;
        }
    c[n] = (struct candidate){best, maximize, lifespan, n_points};
}

int sk_average_choose(enum sk_strategy strategy, int maximize, const struct sk_point *points, int n_points,
                      int n, struct sk_point *chosen)
{
    if (n_points == 0) return 0;
    if (strategy == SK_STRATEGY_LAST) return choose_last(maximize, points, n_points, n, chosen);
    struct candidate *c = sk_xcalloc((size_t)n_points, sizeof *c);
    if (strategy == SK_STRATEGY_LIFESPAN) find_lifespans(maximize, points, n_points, c);
    else
        for (int i = 0; i < n_points; i++) c[i] = (struct candidate){points[i], maximize, 0, i};
    qsort(c, (size_t)n_points, sizeof *c, strategy == SK_STRATEGY_LIFESPAN ? by_lifespan : by_value);
    if (n > n_points) n = n_points;
    for (int i = 0; i < n; i++) chosen[i] = c[i].point;
    free(c);
    return n;
}

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return x < y ? -1 : x > y;
}

int sk_average_points(const struct sk_metrics *t, const char *metric, const int *there, int n_there,
                      struct sk_point **points, int *without, int *gone)
{
    char *column = sk_xprintf("%s-val", metric);
    int n = 0;
    *points = sk_xcalloc((size_t)t->n + 1, sizeof **points);
    *without = *gone = 0;
    for (int i = 0; i < t->n; i++) {
        double value;
        int checkpoint = t->line[i].checkpoint;
        if ((!sk_metrics_get(t, checkpoint, column, &value) && !sk_metrics_get(t, checkpoint, metric, &value)) ||
            !isfinite(value))
            ++*without;
        else if (!n_there || !bsearch(&checkpoint, there, (size_t)n_there, sizeof *there, ascending))
            ++*gone;
        else
            (*points)[n++] = (struct sk_point){value, checkpoint};
    }
    free(column);
    return n;
}

/* --- the mean ----------------------------------------------------------------- */

enum { CHUNK = 1 << 15 };            /* floats of a tensor at a time: all buffers stay in the second-level cache */

struct input {
    struct sk_tensors *file;
    struct sk_hash *hash;            /* of what has been read, if that is the data section in order */
};
struct mean {
    struct input *in;
    int n;
    float *values;                   /* (CHUNK) */
    double *sum;                     /* (CHUNK) */
};

static int check_same(const struct sk_tensors *a, const struct sk_tensors *b)
{
    const char *path[] = {sk_tensors_path(a), sk_tensors_path(b)};
    int na = sk_tensors_count(a), nb = sk_tensors_count(b);
    for (int i = 0; i < na || i < nb; i++) {
        int order = i >= na ? 1 : i >= nb ? -1 : strcmp(sk_tensors_at(a, i)->name, sk_tensors_at(b, i)->name);
        if (order)
            return sk_fail(SK_EXIT_DATA, "%s and %s are of different models: only %s has a tensor %.200s", path[0],
                           path[1], path[order > 0], sk_tensors_at(order > 0 ? b : a, i)->name);
        const struct sk_tensor *x = sk_tensors_at(a, i), *y = sk_tensors_at(b, i);
        if (x->ndim != y->ndim || memcmp(x->shape, y->shape, (size_t)x->ndim * sizeof *x->shape)) {
            char sx[SK_SHAPE_TEXT], sy[SK_SHAPE_TEXT];
            sk_tensor_shape(x->ndim, x->shape, sx);
            sk_tensor_shape(y->ndim, y->shape, sy);
            return sk_fail(SK_EXIT_DATA, "%s and %s are of different models: tensor %.200s is %s and %s", path[0],
                           path[1], x->name, sx, sy);
        }
    }
    return 0;
}

/* A file whose data stand in the order of names, as ours do, is checked while
 * it is read; any other takes a pass of its own. */
static int begin_check(struct input *in)
{
    uint64_t before = 0;
    for (int i = 0; i < sk_tensors_count(in->file); i++) {
        const struct sk_tensor *t = sk_tensors_at(in->file, i);
        if (t->begin < before) return sk_tensors_verify(in->file);
        before = t->begin;
    }
    return sk_tensors_check_begin(in->file, &in->hash);
}

static int end_check(struct input *in)
{
    struct sk_hash *h = in->hash;
    in->hash = NULL;
    return sk_tensors_check_end(in->file, h);
}

static int open_input(struct mean *m, int i, const char *path)
{
    m->in[i].file = sk_tensors_open(path);
    if (!m->in[i].file) return -1;
    return (i > 0 && check_same(m->in[0].file, m->in[i].file)) || begin_check(&m->in[i]) ? -1 : 0;
}

/* Which file brought the value in that is no number. */
static int fail_nonfinite(struct mean *m, int tensor, size_t at)
{
    for (int i = 0; i < m->n; i++) {
        const struct sk_tensor *t = sk_tensors_at(m->in[i].file, tensor);
        float x;
        if (sk_tensors_read(m->in[i].file, t, at, 1, &x)) return -1;
        if (!isfinite(x))
            return sk_fail(SK_EXIT_DATA, "%s: tensor %.200s: value %zu is not finite", sk_tensors_path(m->in[i].file),
                           t->name, at);
    }
    return sk_fail(SK_EXIT_DATA, "%s: changed while it was read", sk_tensors_path(m->in[0].file));
}

static int add_chunk(struct mean *m, int i, int tensor, size_t first, size_t n)
{
    struct input *in = &m->in[i];
    float *values = m->values;
    double *sum = m->sum;
    if (sk_tensors_read(in->file, sk_tensors_at(in->file, tensor), first, n, values)) return -1;
    if (in->hash) sk_hash_add(in->hash, values, n * sizeof *values);
    if (i == 0)
        for (size_t k = 0; k < n; k++) sum[k] = (double)values[k];
    else
        for (size_t k = 0; k < n; k++) sum[k] += (double)values[k];
    return 0;
}

static int write_tensor(struct mean *m, struct sk_tensors_writer *w, int tensor)
{
    size_t size = sk_tensors_at(m->in[0].file, tensor)->size;
    for (size_t first = 0; first < size; first += CHUNK) {
        size_t n = size - first < CHUNK ? size - first : CHUNK, finite = 0;
        for (int i = 0; i < m->n; i++)
            if (add_chunk(m, i, tensor, first, n)) return -1;
        for (size_t k = 0; k < n; k++) {
            m->values[k] = (float)(m->sum[k] / m->n);
            finite += fabs(m->sum[k]) <= DBL_MAX;
        }
        for (size_t k = 0; finite < n && k < n; k++)
            if (!isfinite(m->sum[k])) return fail_nonfinite(m, tensor, first + k);
        if (sk_tensors_write(w, m->values, n)) return -1;
    }
    return 0;
}

static int write_mean(struct mean *m, const char *output)
{
    const struct sk_tensors *f = m->in[0].file;
    int n = sk_tensors_count(f), r = 0;
    struct sk_tensor *t = sk_xcalloc((size_t)n + 1, sizeof *t);
    for (int i = 0; i < n; i++) t[i] = *sk_tensors_at(f, i);
    struct sk_tensors_writer *w = sk_tensors_create(output, t, n, NULL, 0);
    free(t);
    if (!w) return -1;
    for (int i = 0; i < n && !r; i++) r = write_tensor(m, w, i);
    for (int i = 0; i < m->n && !r; i++) r = end_check(&m->in[i]);
    if (!r) return sk_tensors_finish(w, SK_REPLACE, NULL);
    sk_tensors_abandon(w);
    return -1;
}

int sk_average_files(const char *const *paths, int n, const char *output)
{
    struct mean m = {.in = sk_xcalloc((size_t)n, sizeof *m.in), .n = n};
    int r = 0;
    SK_ENSURE(n > 0);
    for (int i = 0; i < n && !r; i++) r = open_input(&m, i, paths[i]);
    if (!r) {
        m.values = sk_xaligned(CHUNK * sizeof *m.values);
        m.sum = sk_xaligned(CHUNK * sizeof *m.sum);
        r = write_mean(&m, output);
    }
    for (int i = 0; i < n; i++) {
        char hex[SK_HASH_HEX];
        if (m.in[i].hash) sk_hash_end(m.in[i].hash, hex);
        sk_tensors_close(m.in[i].file);
    }
    free(m.in);
    free(m.values);
    free(m.sum);
    return r;
}
