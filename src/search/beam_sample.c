/* beam_sample.c - hypotheses that go each its own way: the next word is drawn
 * from the model's distribution. What is drawn is a function of (seed, line,
 * piece, sample, position). */
#include <math.h>
#include <stdlib.h>
#include "base/rng.h"
#include "search/beam_private.h"

/* Uniform in [0, 1) with 53 bits. */
static double draw(const struct sk_beam *b, const struct search *s, int sample)
{
    const struct sk_sentence *t = s->sentence;
    struct sk_rng r = sk_philox(b->o.seed, (uint32_t)t->line, (uint32_t)t->piece, (uint32_t)s->step,
                                (uint32_t)sample << 16 | (uint32_t)(t->line >> 32 & 0xffff));
    return (double)(((uint64_t)r.v[0] << 32 | r.v[1]) >> 11) * 0x1p-53;
}

/* Which of n weights, given as running sums, u of [0, 1) falls on; -1: there are none. */
static int pick(const double *sum, int n, double u)
{
    double all = n > 0 ? sum[n - 1] : 0;
    int low = 0, high = n - 1;
    if (!(all > 0) || !isfinite(all))
        return -1;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (sum[middle] > u * all)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Of the most probable words of a row. */
static int32_t of_best(struct sk_beam *b, int row, double u, double *logp)
{
    const int32_t *id = b->top.id + (size_t)row * (size_t)b->top.k;
    const float *p = b->top.logp + (size_t)row * (size_t)b->top.k;
    double all = 0;
    int n = 0;
    for (; n < b->top.k && id[n] >= 0; n++)
        b->sum[n] = all += exp((double)p[n]);
    int i = pick(b->sum, n, u);
    *logp = i < 0 ? -INFINITY : (double)p[i];
    return i < 0 ? SK_EOS : id[i];
}

/* Of all words. */
static int32_t of_all(struct sk_beam *b, int row, double u, double *logp)
{
    const float *p = b->logp + (size_t)row * (size_t)b->V;
    double all = 0;
    for (int v = 0; v < b->V; v++)
        b->sum[v] = v == SK_PAD || v == SK_BOS || isnan(p[v]) ? 0 : exp((double)p[v]);
    for (int i = b->ban_first[row]; i < b->ban_first[row + 1]; i++)
        b->sum[b->ban.word[i]] = 0;
    for (int v = 0; v < b->V; v++)
        b->sum[v] = all += b->sum[v];
    int32_t word = pick(b->sum, b->V, u);
    *logp = word < 0 ? -INFINITY : (double)p[word];
    return word < 0 ? SK_EOS : word;
}

static int better(const void *a, const void *b)
{
    const struct hypothesis *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

int sk_beam_sample(struct sk_beam *b, struct search *s, int row)
{
    int running = 0, last = s->step + 1 == s->limit;
    for (int k = 0; k < s->n; k++) {
        struct hypothesis *h = &s->h[k];
        double logp;
        int32_t word;
        if (h->finished)
            continue;
        int r = row + h->row;
        if (last) {
            word = SK_EOS;
            logp = (double)b->label_logp[b->label_first[r]];
        } else if (b->o.sample_from) {
            word = of_best(b, r, draw(b, s, k), &logp);
        } else {
            word = of_all(b, r, draw(b, s, k), &logp);
        }
        h->logprob += logp;
        h->score = word == SK_EOS ? sk_length_score(&b->o, h->logprob, s->step) : -h->logprob / b->penalty[s->step + 1];
        sk_hypothesis_extend(b, s, h, word);
        running += !h->finished;
    }
    s->step++;
    if (running)
        return 1;
    for (int k = 0; k < s->n; k++)
        s->h[k].row = k;
    qsort(s->h, (size_t)s->n, sizeof *s->h, better);
    return 0;
}
