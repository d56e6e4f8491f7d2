/* scoring.c - lines to statistics, by threads. */
#include <stdlib.h>
#include <string.h>
#include "base/pool.h"
#include "score/scoring.h"

enum { PART = 16 };                  /* lines a thread takes at once */

struct sk_scoring_threads {
    int wanted;
    struct sk_pool *pool;            /* NULL: not started yet */
    struct sk_measure **measure;       /* (wanted, measures); NULL: not made yet */
    double *block;                   /* (cap, systems, S) */
    int cap;
};

void sk_scoring_open(struct sk_scoring *s, const struct sk_measure_options *measure, int measures, int systems,
                     int threads, int keep)
{
    *s = (struct sk_scoring){.measure = measure, .measures = measures, .systems = systems};
    for (int i = 0; i < measures; i++)
        s->at[i + 1] = s->at[i] + sk_measure_stats(&measure[i]);
    s->stats = s->at[measures];
    s->sum = sk_xcalloc((size_t)systems * (size_t)s->stats, sizeof *s->sum);
    s->kept = keep ? sk_xcalloc(1, sizeof *s->kept) : NULL;
    s->threads = sk_xcalloc(1, sizeof *s->threads);
    s->threads->wanted = threads;
    s->threads->measure = sk_xcalloc((size_t)threads * (size_t)measures, sizeof *s->threads->measure);
}

void sk_scoring_close(struct sk_scoring *s)
{
    struct sk_scoring_threads *t = s->threads;
    sk_pool_free(t->pool);
    for (int i = 0; i < t->wanted * s->measures; i++)
        if (t->measure[i])
            sk_measure_free(t->measure[i]);
    free(t->measure);
    free(t->block);
    free(t);
    free(s->sum);
    free(s->kept);
}

struct job { const struct sk_scoring *s; const struct sk_segment *segment; int n; };

static void score_part(void *ctx, int part, int thread)
{
    const struct job *job = ctx;
    const struct sk_scoring *s = job->s;
    struct sk_measure **measure = s->threads->measure + thread * s->measures;
    int end = part * PART + PART < job->n ? part * PART + PART : job->n;
    for (int k = 0; k < s->measures; k++) {
        if (!measure[k])
            measure[k] = sk_measure_new(&s->measure[k]);
        for (int i = part * PART; i < end; i++) {
            const struct sk_segment *g = &job->segment[i];
            double *stats = s->threads->block + (size_t)i * (size_t)(s->systems * s->stats) + s->at[k];
            sk_measure_references(measure[k], g->reference, g->references);
            for (int h = 0; h < s->systems; h++)
                sk_measure_hypothesis(measure[k], g->hypothesis[h], stats + h * s->stats);
        }
    }
}

/* Adds a block's statistics to those kept; memory doubles as it fills. */
static void keep(struct sk_scoring *s, int n)
{
    size_t row = (size_t)s->systems * (size_t)s->stats;
    for (int i = 0; i < n; i++) {
        size_t at = (size_t)s->lines + (size_t)i;
        if ((at & (at - 1)) == 0)    /* 0, or a power of two: full */
            s->kept = sk_xrealloc(s->kept, at > 0 ? 2 * at : 1, row * sizeof *s->kept);
        memcpy(s->kept + at * row, s->threads->block + (size_t)i * row, row * sizeof *s->kept);
    }
}

const double *sk_scoring_add(struct sk_scoring *s, const struct sk_segment *segment, int n)
{
    struct sk_scoring_threads *t = s->threads;
    size_t row = (size_t)s->systems * (size_t)s->stats;
    int parts = (n + PART - 1) / PART;
    struct job job = {s, segment, n};
    if (n > t->cap) {
        t->cap = n;
        t->block = sk_xrealloc(t->block, (size_t)n * row, sizeof *t->block);
    }
    if (!t->pool && t->wanted > 1 && parts > 1)
        t->pool = sk_pool_new(t->wanted);
    if (t->pool)
        sk_pool_run(t->pool, parts, score_part, &job);
    for (int i = 0; !t->pool && i < parts; i++)
        score_part(&job, i, 0);
    for (int i = 0; i < n; i++) {
        for (size_t k = 0; k < row; k++)
            s->sum[k] += t->block[(size_t)i * row + k];
        int references = segment[i].references;
        s->least = s->lines + i == 0 || references < s->least ? references : s->least;
        s->most = references > s->most ? references : s->most;
    }
    if (s->kept)
        keep(s, n);
    s->lines += n;
    return t->block;
}

double sk_scoring_value(const struct sk_scoring *s, int system, int measure)
{
    return sk_measure_value(&s->measure[measure], s->sum + system * s->stats + s->at[measure]);
}

int sk_scoring_references(const struct sk_scoring *s)
{
    return s->least == s->most ? s->most : 0;
}
