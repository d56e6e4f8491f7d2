/* beam.c - beam search: hypotheses are nodes of a tree of words; each step
 * asks the decoder for the distributions of all running ones at once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "search/beam.h"

struct node { int32_t parent, word; };           /* parent -1: first word */
struct hypothesis {
    double logprob, score;
    int32_t node;                    /* last word; -1: none yet */
    int32_t row;                     /* of the decoder, in the step before */
    int finished;
};
struct candidate { double logprob, score; int32_t from, word; /* word -1: the finished hypothesis itself */ };
struct search {                      /* of one sentence */
    int sentence;                    /* of the encoded ones */
    int limit;                       /* most symbols, EOS included */
    int n, nodes;
    struct hypothesis *h;            /* (beam_size) best first */
    struct node *node;               /* (beam_size * max_steps) */
};

struct sk_beam {
    struct sk_beam_options o;
    int batch, longest, max_steps, V;
    struct sk_decoder *decoder;
    double *penalty;                 /* (max_steps + 1) LP */
    struct search *search;           /* (batch) */
    struct candidate *best;          /* (beam_size) of one sentence, sorted */
    struct hypothesis *next;         /* (beam_size) */
    int32_t *source, *offset;        /* packed sentences, EOS at the end of each */
    int32_t *id, *parent, *sentence; /* (batch * beam_size) input of a step */
};

double sk_length_penalty(const struct sk_beam_options *o, int64_t len)
{
    return pow((o->beta + (double)len) / (o->beta + 1), o->alpha);
}

/* Most symbols of a translation, EOS included, of a source of n symbols. */
static int output_limit(const struct sk_beam_options *o, int n)
{
    double limit = ceil(o->max_output_factor * n) + 1;
    return limit < 1 ? 1 : limit < o->max_output ? (int)limit : o->max_output;
}

struct sk_beam *sk_beam_new(struct sk_model *m, const struct sk_beam_options *o, int batch, int longest_source)
{
    struct sk_beam *b = sk_xcalloc(1, sizeof *b);
    SK_ENSURE(o->beam_size > 0 && o->nbest > 0 && o->nbest <= o->beam_size && batch > 0 && longest_source > 0);
    b->o = *o;
    b->batch = batch;
    b->longest = longest_source;
    b->max_steps = output_limit(o, longest_source);
    b->V = sk_model_config(m)->vocab[1];
    size_t K = (size_t)o->beam_size, S = (size_t)batch, steps = (size_t)b->max_steps;
    b->decoder = sk_decoder_new(m, batch, batch * longest_source, batch * o->beam_size, b->max_steps);
    b->penalty = sk_xcalloc(steps + 1, sizeof *b->penalty);
    for (int i = 0; i <= b->max_steps; i++)
        b->penalty[i] = sk_length_penalty(o, i);
    b->search = sk_xcalloc(S, sizeof *b->search);
    for (size_t i = 0; i < S; i++) {
        b->search[i].h = sk_xcalloc(K, sizeof *b->search[i].h);
        b->search[i].node = sk_xcalloc(K * steps, sizeof *b->search[i].node);
    }
    b->best = sk_xcalloc(K, sizeof *b->best);
    b->next = sk_xcalloc(K, sizeof *b->next);
    b->source = sk_xcalloc(S * (size_t)longest_source, sizeof *b->source);
    b->offset = sk_xcalloc(S + 1, sizeof *b->offset);
    b->id = sk_xcalloc(S * K, sizeof *b->id);
    b->parent = sk_xcalloc(S * K, sizeof *b->parent);
    b->sentence = sk_xcalloc(S * K, sizeof *b->sentence);
    return b;
}

void sk_beam_free(struct sk_beam *b)
{
    if (!b)
        return;
    for (int i = 0; i < b->batch; i++) {
        free(b->search[i].h);
        free(b->search[i].node);
    }
    sk_decoder_free(b->decoder);
    free(b->penalty);
    free(b->search);
    free(b->best);
    free(b->next);
    free(b->source);
    free(b->offset);
    free(b->id);
    free(b->parent);
    free(b->sentence);
    free(b);
}

/* --- one step ----------------------------------------------------------------- */

/* Puts c among the n best, which are sorted; candidates come in the order in
 * which ties are decided, so an equal one goes behind. Returns the new n. */
static int offer(struct candidate *best, int n, int most, struct candidate c)
{
    if (n == most && !(c.score < best[n - 1].score))
        return n;
    int i = n < most ? n++ : n - 1;
    for (; i > 0 && c.score < best[i - 1].score; i--)
        best[i] = best[i - 1];
    best[i] = c;
    return n;
}

/* Offers every extension of hypothesis h by one word. Nearly all words are
 * far from the best: blocks of 16 are passed over after one comparison each. */
static int offer_words(const struct sk_beam *b, int n, const struct hypothesis *h, int32_t from,
                       const float *logp, double penalty)
{
    enum { BLOCK = 16 };
    int most = b->o.beam_size;
    float floor = -INFINITY;         /* what a word must exceed, rounded down */
    for (int v = 0; v < b->V; v += BLOCK) {
        int end = v + BLOCK < b->V ? v + BLOCK : b->V, any = 0;
        if (end - v == BLOCK)
            for (int i = 0; i < BLOCK; i++)
                any |= logp[v + i] > floor;
        else
            any = 1;
        if (!any)
            continue;
        for (int w = v; w < end; w++) {
            if (!(logp[w] > floor) || w == SK_PAD || w == SK_BOS)
                continue;
            double logprob = h->logprob + (double)logp[w];
            n = offer(b->best, n, most, (struct candidate){logprob, -logprob / penalty, from, w});
            if (n == most)
                floor = nextafterf((float)(-b->best[n - 1].score * penalty * (1 + 1e-12) - h->logprob), -INFINITY);
        }
    }
    return n;
}

/* Extends the hypotheses of a sentence after `step` symbols; logp: rows of the
 * decoder. Returns the number of hypotheses that are still running. */
static int advance(struct sk_beam *b, struct search *s, int step, const float *logp)
{
    double penalty = b->penalty[step + 1];
    int n = 0, running = 0;
    for (int32_t k = 0; k < s->n; k++) {
        const struct hypothesis *h = &s->h[k];
        const float *row = logp + (size_t)h->row * (size_t)b->V;
        if (h->finished) {
            n = offer(b->best, n, b->o.beam_size, (struct candidate){h->logprob, h->score, k, -1});
        } else if (step + 1 < s->limit) {
            n = offer_words(b, n, h, k, row, penalty);
        } else {
            double logprob = h->logprob + (double)row[SK_EOS];
            n = offer(b->best, n, b->o.beam_size, (struct candidate){logprob, -logprob / penalty, k, SK_EOS});
        }
    }
    if (n == 0)                      /* no number came out of the model: end here */
        b->best[n++] = (struct candidate){-INFINITY, INFINITY, 0, SK_EOS};
    for (int i = 0; i < n; i++) {
        struct candidate c = b->best[i];
        struct hypothesis h = s->h[c.from];
        if (c.word >= 0) {
            h.logprob = c.logprob;
            h.score = c.score;
            h.finished = c.word == SK_EOS;
        }
        if (!h.finished) {
            s->node[s->nodes] = (struct node){h.node, c.word};
            h.node = s->nodes++;
            running++;
        }
        b->next[i] = h;
    }
    memcpy(s->h, b->next, (size_t)n * sizeof *s->h);
    s->n = n;
    return running;
}

/* --- a batch ------------------------------------------------------------------- */

static void collect(const struct sk_beam *b, const struct search *s, struct sk_beam_result *r)
{
    r->n = s->n < b->o.nbest ? s->n : b->o.nbest;
    r->h = sk_xcalloc((size_t)r->n, sizeof *r->h);
    for (int i = 0; i < r->n; i++) {
        struct sk_hypothesis *to = &r->h[i];
        to->logprob = s->h[i].logprob;
        to->score = s->h[i].score + 0.0;      /* not -0 */
        for (int32_t k = s->h[i].node; k >= 0; k = s->node[k].parent)
            to->n++;
        to->words = sk_xcalloc((size_t)to->n + 1, sizeof *to->words);
        int at = to->n;
        for (int32_t k = s->h[i].node; k >= 0; k = s->node[k].parent)
            to->words[--at] = s->node[k].word;
    }
}

/* Input of the next step: the running hypotheses of all sentences. */
static int gather(struct sk_beam *b, struct search *const *active, int n)
{
    int R = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < active[i]->n; k++) {
            struct hypothesis *h = &active[i]->h[k];
            if (h->finished)
                continue;
            b->id[R] = h->node < 0 ? SK_BOS : active[i]->node[h->node].word;
            b->parent[R] = h->row;
            b->sentence[R] = active[i]->sentence;
            h->row = R++;
        }
    return R;
}

/* Sentences index[0..n) of the call, none empty, n <= batch. */
static void search_batch(struct sk_beam *b, const int32_t *const *source, const int *length,
                         const int *index, int n, struct sk_beam_result *results)
{
    struct search **active = sk_xcalloc((size_t)n, sizeof *active);
    int rows = 0, running = n;
    for (int i = 0; i < n; i++) {
        struct search *s = active[i] = &b->search[i];
        int words = length[index[i]];
        SK_ENSURE(words < b->longest);
        b->offset[i] = rows;
        memcpy(b->source + rows, source[index[i]], (size_t)words * sizeof *b->source);
        b->source[rows + words] = SK_EOS;
        rows += words + 1;
        s->sentence = i;
        s->limit = output_limit(&b->o, words + 1);
        s->n = 1;
        s->nodes = 0;
        s->h[0] = (struct hypothesis){.node = -1};
    }
    b->offset[n] = rows;
    sk_decoder_encode(b->decoder, b->source, b->offset, n);
    for (int step = 0; running > 0; step++) {
        int R = gather(b, active, running), still = 0;
        const float *logp = sk_decoder_step(b->decoder, step, R, b->id, b->parent, b->sentence);
        for (int i = 0; i < running; i++) {
            struct search *s = active[i];
            if (advance(b, s, step, logp) > 0)
                active[still++] = s;
            else
                collect(b, s, &results[index[s->sentence]]);
        }
        running = still;
    }
    free(active);
}

void sk_beam_search(struct sk_beam *b, const int32_t *const *source, const int *length, int n,
                    struct sk_beam_result *results)
{
    int *index = sk_xcalloc((size_t)b->batch, sizeof *index), filled = 0;
    for (int i = 0; i < n; i++) {
        if (length[i] == 0) {
            results[i] = (struct sk_beam_result){1, sk_xcalloc(1, sizeof *results[i].h)};
            results[i].h->words = sk_xcalloc(1, sizeof *results[i].h->words);
            results[i].h->score = -INFINITY;
        } else {
            index[filled++] = i;
        }
        if (filled == b->batch || (i + 1 == n && filled > 0)) {
            search_batch(b, source, length, index, filled, results);
            filled = 0;
        }
    }
    free(index);
}

void sk_beam_result_free(struct sk_beam_result *r)
{
    for (int i = 0; i < r->n; i++)
        free(r->h[i].words);
    free(r->h);
    *r = (struct sk_beam_result){0};
}
