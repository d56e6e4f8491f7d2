/* bootstrap.c - resampling of lines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/pool.h"
#include "score/bootstrap.h"
#include "score/draw.h"

struct job {
    const struct sk_scoring *s;
    uint32_t **times;                /* (threads, lines): how often each line was drawn */
    double **sum;                    /* (threads, systems * S) */
    double *score;
    int samples, first;              /* the resample of thread 0's counts */
};

/* Scores of one resample. */
static void score_sample(void *ctx, int part, int thread)
{
    const struct job *job = ctx;
    const struct sk_scoring *s = job->s;
    size_t row = (size_t)s->systems * (size_t)s->stats;
    const uint32_t *times = job->times[part];
    double *sum = job->sum[thread];
    memset(sum, 0, row * sizeof *sum);
    for (long long i = 0; i < s->lines; i++) {
        const double *stats = s->kept + (size_t)i * row;
        double weight = times[i];
        for (size_t k = 0; times[i] > 0 && k < row; k++)
            sum[k] += weight * stats[k];
    }
    for (int h = 0; h < s->systems; h++)
        for (int k = 0; k < s->measures; k++)
            job->score[(size_t)(h * s->measures + k) * (size_t)job->samples + (size_t)(job->first + part)] =
                sk_measure_value(&s->measure[k], sum + h * s->stats + s->at[k]);
}

double *sk_bootstrap(const struct sk_scoring *s, int samples, uint64_t seed, int threads)
{
    struct sk_pool *pool = sk_pool_new(threads);
    struct sk_draw draw;
    size_t lines = (size_t)s->lines, row = (size_t)s->systems * (size_t)s->stats;
    struct job job = {.s = s, .samples = samples};
    job.score = sk_xcalloc((size_t)s->systems * (size_t)s->measures * (size_t)samples, sizeof *job.score);
    job.times = sk_xcalloc((size_t)threads, sizeof *job.times);
    job.sum = sk_xcalloc((size_t)threads, sizeof *job.sum);
    for (int i = 0; i < threads; i++) {
        job.times[i] = sk_xcalloc(lines, sizeof **job.times);
        job.sum[i] = sk_xcalloc(row, sizeof **job.sum);
    }
    sk_draw_seed(&draw, seed);
    for (job.first = 0; job.first < samples; job.first += threads) {
        int n = samples - job.first < threads ? samples - job.first : threads;
        for (int i = 0; i < n; i++) {
            memset(job.times[i], 0, lines * sizeof **job.times);
            for (size_t k = 0; k < lines; k++)
                job.times[i][sk_draw_below(&draw, (uint32_t)lines)]++;
        }
        sk_pool_run(pool, n, score_sample, &job);
    }
    for (int i = 0; i < threads; i++) {
        free(job.times[i]);
        free(job.sum[i]);
    }
    free(job.times);
    free(job.sum);
    sk_pool_free(pool);
    return job.score;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sk_bootstrap_interval(const double *score, int samples, double *mean, double *half)
{
    double *sorted = sk_xcalloc((size_t)samples, sizeof *sorted), sum = 0;
    memcpy(sorted, score, (size_t)samples * sizeof *sorted);
    qsort(sorted, (size_t)samples, sizeof *sorted, compare);
    for (int i = 0; i < samples; i++)
        sum += sorted[i];
    int outside = samples / 40;      /* at either end */
    *mean = sum / samples;
    *half = 0.5 * (sorted[samples - outside - 1] - sorted[outside]);
    free(sorted);
}

double sk_bootstrap_p(const double *score, const double *baseline, int samples, double difference)
{
    double sum = 0;
    int above = 0;
    for (int i = 0; i < samples; i++)
        sum += fabs(score[i] - baseline[i]);
    for (int i = 0; i < samples; i++)
        above += fabs(score[i] - baseline[i]) - sum / samples > fabs(difference);
    return (double)(above + 1) / (samples + 1);
}
