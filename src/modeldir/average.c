#include "modeldir/average.h"
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "model/tensors.h"
#include "modeldir/paths.h"

/* --- choosing -------------------------------------------------------------- */

struct candidate { struct sk_point p; int lifespan, order; };

/* a before b: the better one as a pair (value, checkpoint). */
static int better(const struct sk_point *a, const struct sk_point *b, int maximize)
{
    if (a->value != b->value) return maximize ? a->value > b->value : a->value < b->value;
    return maximize ? a->checkpoint > b->checkpoint : a->checkpoint < b->checkpoint;
}

static int by_value_up(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return better(&x->p, &y->p, 0) ? -1 : better(&y->p, &x->p, 0);
}

static int by_value_down(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return better(&x->p, &y->p, 1) ? -1 : better(&y->p, &x->p, 1);
}

/* Longest first, then the better value, then the order in which they were found. */
static int by_lifespan(const struct candidate *x, const struct candidate *y, int maximize)
{
    if (x->lifespan != y->lifespan) return x->lifespan > y->lifespan ? -1 : 1;
    if (x->p.value != y->p.value) return (x->p.value > y->p.value) == maximize ? -1 : 1;
    return x->order - y->order;
}
static int by_lifespan_up(const void *a, const void *b) { return by_lifespan(a, b, 0); }
static int by_lifespan_down(const void *a, const void *b) { return by_lifespan(a, b, 1); }

static int lifespans(const struct sk_point *points, int n, int maximize, struct candidate *c)
{
    struct sk_point best = points[0];
    int count = 0, k = 0;
    for (int i = 1; i < n; i++) {
        if (better(&points[i], &best, maximize)) {
            c[k] = (struct candidate){best, count, k};
            best = points[i];
            count = 0;
        } else {
            c[k] = (struct candidate){points[i], 0, k};
            count++;
        }
        k++;
    }
    c[k] = (struct candidate){best, count, k};
    return k + 1;
}

int sk_average_choose(const struct sk_point *points, int n, enum sk_strategy strategy, int maximize,
                      int size, int *chosen)
{
    if (n < 1) return 0;
    struct candidate *c = sk_xcalloc((size_t)n, sizeof *c);
    int first = 0, count = n < size ? n : size, best = 0;
    for (int i = 0; i < n; i++) {
        c[i].p = points[i];
        if (better(&points[i], &points[best], maximize)) best = i;
    }
    switch (strategy) {
    case SK_AVERAGE_BEST:
        qsort(c, (size_t)n, sizeof *c, maximize ? by_value_down : by_value_up);
        break;
    case SK_AVERAGE_LAST:
        first = best + 1 > size ? best + 1 - size : 0;
        count = best + 1 - first;
        break;
    case SK_AVERAGE_LIFESPAN:
        lifespans(points, n, maximize, c);
        qsort(c, (size_t)n, sizeof *c, maximize ? by_lifespan_down : by_lifespan_up);
        break;
    }
    for (int i = 0; i < count; i++) chosen[i] = c[first + i].p.checkpoint;
    free(c);
    return count;
}

int sk_average_points(const char *dir, const char *metric, struct sk_point **points)
{
    struct sk_metrics table;
    int *there = NULL, n = 0;
    *points = NULL;
    int files = sk_md_list(dir, "params", &there);
    if (files < 0 || sk_metrics_load(&table, dir)) {
        free(there);
        return -1;
    }
    char *name = sk_xprintf("%s-val", metric);
    for (int i = 0, k = 0; i < table.n; i++) {
        int checkpoint = table.line[i].checkpoint;
        double value;
        while (k < files && there[k] < checkpoint) k++;
        if (k == files || there[k] != checkpoint) continue;
        if (!sk_metrics_get(&table, checkpoint, name, &value) || value != value) {
            sk_warn("%s/" SK_MD_METRICS ": checkpoint %d has no %s; it is left out", dir, checkpoint, name);
            continue;
        }
        *points = sk_xrealloc(*points, (size_t)n + 1, sizeof **points);
        (*points)[n++] = (struct sk_point){value, checkpoint};
    }
    free(name);
    free(there);
    sk_metrics_free(&table);
    return n;
}

/* --- averaging --------------------------------------------------------------- */

static int same_tensors(struct sk_tensors *a, struct sk_tensors *b)
{
    if (sk_tensors_count(a) != sk_tensors_count(b))
        return sk_fail(SK_EXIT_DATA, "%s has %d tensors, %s has %d: they are not of one model", sk_tensors_path(a),
                       sk_tensors_count(a), sk_tensors_path(b), sk_tensors_count(b));
    for (int i = 0; i < sk_tensors_count(a); i++) {
        const struct sk_tensor *x = sk_tensors_at(a, i), *y = sk_tensors_find(b, x->name);
        if (!y)
            return sk_fail(SK_EXIT_DATA, "%s has a tensor %s, %s has not: they are not of one model",
                           sk_tensors_path(a), x->name, sk_tensors_path(b));
        if (x->ndim != y->ndim || memcmp(x->shape, y->shape, sizeof x->shape[0] * (size_t)x->ndim))
            return sk_fail(SK_EXIT_DATA, "tensor %s has different shapes in %s and %s", x->name, sk_tensors_path(a),
                           sk_tensors_path(b));
    }
    return 0;
}

enum { CHUNK = 1 << 16 };

static int mean(struct sk_tensors *const *f, int n, const struct sk_tensor *t, struct sk_tensors_writer *w,
                float *values, double *sum)
{
    for (size_t at = 0; at < t->size; at += CHUNK) {
        size_t m = t->size - at < CHUNK ? t->size - at : CHUNK;
        for (int i = 0; i < n; i++) {
            if (sk_tensors_read(f[i], sk_tensors_find(f[i], t->name), at, m, values)) return -1;
            for (size_t k = 0; k < m; k++) sum[k] = i ? sum[k] + (double)values[k] : (double)values[k];
        }
        for (size_t k = 0; k < m; k++) values[k] = (float)(sum[k] / n);
        if (sk_tensors_write(w, values, m)) return -1;
    }
    return 0;
}

int sk_average_files(const char *const *inputs, int n, const char *path)
{
    struct sk_tensors **f = sk_xcalloc((size_t)n, sizeof *f);
    struct sk_tensor *list = NULL;
    float *values = sk_xcalloc(CHUNK, sizeof *values);
    double *sum = sk_xcalloc(CHUNK, sizeof *sum);
    int r = 0, count = 0;
    for (int i = 0; i < n && !r; i++) {
        f[i] = sk_tensors_open(inputs[i]);
        r = !f[i] || sk_tensors_verify(f[i]) || same_tensors(f[0], f[i]) ? -1 : 0;
    }
    if (!r) {
        count = sk_tensors_count(f[0]);
        list = sk_xcalloc((size_t)count + 1, sizeof *list);
        for (int i = 0; i < count; i++) list[i] = *sk_tensors_at(f[0], i);
        struct sk_tensors_writer *w = sk_tensors_create(path, list, count, NULL, 0);
        r = w ? 0 : -1;
        for (int i = 0; i < count && !r; i++) {
            sk_live("averaging %d files: tensor %d of %d", n, i + 1, count);
            r = mean(f, n, &list[i], w, values, sum);
        }
        if (w && r) sk_tensors_abandon(w);
        else if (w) r = sk_tensors_finish(w, SK_REPLACE, NULL);
    }
    for (int i = 0; i < n; i++) sk_tensors_close(f[i]);
    free(f);
    free(list);
    free(values);
    free(sum);
    return r;
}
