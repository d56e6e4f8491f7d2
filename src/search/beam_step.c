/* beam_step.c - one step of a sentence: which hypotheses stay, and whether the
 * search is over. */
#include <math.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "search/beam_private.h"

int sk_candidate_before(const struct candidate *a, const struct candidate *b)
{
    if (a->score != b->score)
        return a->score < b->score;
    return a->from != b->from ? a->from < b->from : a->word < b->word;
}

/* Puts c among the n best, which are sorted. Returns the new n. */
static int offer(struct candidate *best, int n, int most, struct candidate c)
{
    if (n == most && !sk_candidate_before(&c, &best[n - 1]))
        return n;
    int i = n < most ? n++ : n - 1;
    for (; i > 0 && sk_candidate_before(&c, &best[i - 1]); i--)
        best[i] = best[i - 1];
    best[i] = c;
    return n;
}

int sk_beam_may_end(const struct sk_beam *b, const struct search *s, const struct hypothesis *h, int row)
{
    const struct sk_phrases *p = s->sentence->required;
    uint64_t left = sk_phrases_all(p) & ~h->met;
    left &= ~sk_phrases_ended(p, sk_phrases_next(p, h->required, SK_EOS), left);
    return left == 0 && !sk_beam_banned(b, row, SK_EOS);
}

/* Offers the end of hypothesis h, which has `words` words. Its score is infinite
 * where the length penalty is none: such a one only stays if it must. */
static int offer_end(const struct sk_beam *b, int n, const struct hypothesis *h, int32_t from, int row, int words,
                     int must)
{
    double logprob = h->logprob + (double)b->label_logp[b->label_first[row]];
    double score = sk_length_score(&b->o, logprob, words);
    if (isnan(score) || (!must && isinf(score)))
        return n;
    return offer(b->best, n, b->o.beam_size, (struct candidate){logprob, score, from, SK_EOS});
}

/* Offers the best words after hypothesis h; row: of the step. */
static int offer_words(const struct sk_beam *b, int n, const struct hypothesis *h, int32_t from, int row,
                       double penalty)
{
    const int32_t *id = b->top.id + (size_t)row * (size_t)b->top.k;
    const float *logp = b->top.logp + (size_t)row * (size_t)b->top.k;
    for (int i = 0; i < b->top.k && id[i] >= 0; i++) {
        double logprob = h->logprob + (double)logp[i];
        struct candidate c = {logprob, -logprob / penalty, from, id[i]};
        if (n == b->o.beam_size && !sk_candidate_before(&c, &b->best[n - 1]))
            break;                   /* nor are the next ones better */
        n = offer(b->best, n, b->o.beam_size, c);
    }
    return n;
}

/* Is the result certain? s->h holds what stayed of the step. */
static int is_over(const struct sk_beam *b, const struct search *s)
{
    int finished = 0;
    /* The largest LP to come, if it grows with the length; if it falls, scores
     * only rise, and who is behind stays behind. */
    double most = b->penalty[s->limit - 1], bound = 0;
    for (int i = 0; i < s->n; i++)
        if (b->o.stop_first && s->h[i].finished)
            return 1;
    for (int i = 0; i < s->n; i++) {
        if (!s->h[i].finished) {
            if (finished < b->o.nbest || !(-s->h[i].logprob / most > bound))
                return 0;
        } else if (++finished <= b->o.nbest) {
            bound = s->h[i].score;
        }
    }
    return 1;
}

void sk_hypothesis_extend(const struct sk_beam *b, struct search *s, struct hypothesis *h, int32_t word)
{
    const struct sk_phrases *required = s->sentence->required;
    h->avoided[0] = sk_phrases_next(b->o.avoid, h->avoided[0], word);
    h->avoided[1] = sk_phrases_next(s->sentence->avoid, h->avoided[1], word);
    h->required = sk_phrases_next(required, h->required, word);
    h->met |= sk_phrases_ended(required, h->required, sk_phrases_all(required) & ~h->met);
    h->finished = word == SK_EOS;
    if (h->finished)
        return;
    s->node[s->nodes] = (struct node){h->node, word};
    h->node = s->nodes++;
}

/* The next word of the prefix, whatever the model thinks of it. */
static int follow_prefix(const struct sk_beam *b, struct search *s, int row)
{
    for (int k = 0; k < s->n; k++) {
        struct hypothesis *h = &s->h[k];
        h->logprob += (double)b->label_logp[b->label_first[row + h->row]];
        h->score = -h->logprob / b->penalty[s->step + 1];
        sk_hypothesis_extend(b, s, h, s->sentence->prefix[s->step]);
    }
    s->step++;
    return 1;
}

/* Offers what may follow hypothesis k. last: it has to end, whether it may or not. */
static int offer_next(struct sk_beam *b, const struct search *s, int n, int32_t k, int row, int last)
{
    const struct hypothesis *h = &s->h[k];
    if (h->finished)
        return offer(b->best, n, b->o.beam_size, (struct candidate){h->logprob, h->score, k, -1});
    if (last || sk_beam_may_end(b, s, h, row + h->row))
        n = offer_end(b, n, h, k, row + h->row, s->step, last);
    return last ? n : offer_words(b, n, h, k, row + h->row, b->penalty[s->step + 1]);
}

/* The best candidates, sorted. */
static int choose(struct sk_beam *b, const struct search *s, int row)
{
    int n = 0, last = s->step + 1 == s->limit;
    for (int32_t k = 0; k < s->n; k++)
        if (!last || s->h[k].finished || !sk_beam_banned(b, row + s->h[k].row, SK_EOS))
            n = offer_next(b, s, n, k, row, last);
    for (int32_t k = 0; k < s->n && n == 0; k++)
        n = offer_next(b, s, n, k, row, last);
    return s->sentence->required ? sk_beam_choose_required(b, s, row, n) : n;
}

int sk_beam_advance(struct sk_beam *b, struct search *s, int row)
{
    if (s->step < s->sentence->prefixes)
        return follow_prefix(b, s, row);
    if (b->o.samples)
        return sk_beam_sample(b, s, row);
    int n = choose(b, s, row);
    if (n == 0)                      /* no number came out of the model: end here */
        b->best[n++] = (struct candidate){-INFINITY, INFINITY, 0, SK_EOS};
    int stay = 0, none = 1;          /* none is finished yet */
    double worst = INFINITY;
    for (int i = 0; i < n; i++) {
        struct candidate c = b->best[i];
        struct hypothesis h = s->h[c.from];
        int finished = c.word < 0 || c.word == SK_EOS;
        if (c.word >= 0) {
            h.logprob = c.logprob;
            h.score = c.score;
        }
        if (finished && none) {
            none = 0;
            if (b->o.prune > 0)
                worst = h.score + b->o.prune;
        }
        if (!finished && h.score > worst)    /* they are sorted: the best finished one came before */
            continue;
        if (c.word >= 0)
            sk_hypothesis_extend(b, s, &h, c.word);
        b->next[stay++] = h;
    }
    memcpy(s->h, b->next, (size_t)stay * sizeof *s->h);
    s->n = stay;
    s->step++;
    return !is_over(b, s);
}

void sk_beam_collect(const struct sk_beam *b, const struct search *s, struct sk_beam_result *r)
{
    *r = (struct sk_beam_result){0, sk_xcalloc((size_t)b->o.nbest, sizeof *r->h)};
    for (int i = 0; i < s->n && r->n < b->o.nbest; i++) {
        if (!s->h[i].finished)
            continue;
        struct sk_hypothesis *to = &r->h[r->n++];
        to->logprob = s->h[i].logprob;
        to->score = s->h[i].score + 0.0;      /* not -0 */
        to->unmet = sk_phrases_all(s->sentence->required) & ~s->h[i].met;
        for (int32_t k = s->h[i].node; k >= 0; k = s->node[k].parent)
            to->n++;
        to->words = sk_xcalloc((size_t)to->n + 1, sizeof *to->words);
        int at = to->n;
        for (int32_t k = s->h[i].node; k >= 0; k = s->node[k].parent)
            to->words[--at] = s->node[k].word;
    }
}
