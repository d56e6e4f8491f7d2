/* beam.c - beam search: hypotheses are nodes of a tree of words; each step
 * asks the decoder for the best words after all running ones at once. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "search/beam.h"

struct node { int32_t parent, word; };           /* parent -1: first word */
struct hypothesis {
    double logprob, score;
    int32_t node;                    /* last word; -1: none yet */
    int32_t row;                     /* among those of its sentence in the last step */
    int finished;
};
struct candidate { double logprob, score; int32_t from, word; /* word -1: the finished hypothesis itself */ };
struct search {                      /* of one sentence; its place in `search` is its slot in the decoder */
    int index;                       /* of the sentences of the call */
    int limit;                       /* most symbols, EOS included */
    int step;                        /* symbols that running hypotheses have */
    int n, nodes;
    struct hypothesis *h;            /* (beam_size) best first */
    struct node *node;               /* (beam_size * max_steps) */
};

struct sk_beam {
    struct sk_beam_options o;
    int batch, slots, longest, source_rows, max_steps, models;
    struct sk_decoder **decoder;     /* (models) */
    double *penalty;                 /* (max_steps + 1) LP */
    struct search *search;           /* (slots) */
    struct candidate *best;          /* (beam_size) of one sentence, sorted */
    struct hypothesis *next;         /* (beam_size) */
    /* slots: searched, encoded and waiting, free */
    int32_t *active, *waiting, *spare;
    int actives, waitings, spares;
    int32_t *source, *offset;        /* packed sentences, EOS at the end of each */
    int32_t *position, *first;       /* (slots), (slots + 1) input of a step */
    int32_t *id, *parent, *end;      /* (rows); end: EOS */
    struct sk_top top;
};

double sk_length_penalty(const struct sk_beam_options *o, int64_t len)
{
    return pow((o->beta + (double)len) / (o->beta + 1), o->alpha);
}

double sk_length_score(const struct sk_beam_options *o, double logprob, int64_t words)
{
    double penalty = sk_length_penalty(o, words);
    return penalty > 0 && isfinite(penalty) ? 0.0 - logprob / penalty : INFINITY;
}

/* Most symbols of a translation, EOS included, of a source of n symbols. */
static int output_limit(const struct sk_beam_options *o, int n)
{
    double limit = ceil(o->max_output_factor * n) + 1;
    return limit < 1 ? 1 : limit < o->max_output ? (int)limit : o->max_output;
}

struct sk_beam *sk_beam_new(struct sk_model *const *models, int n, const struct sk_beam_options *o, int batch,
                            int longest_source)
{
    enum { SOURCE_ROWS = 512 };      /* encoded at once: products are at their best, and memory is small */
    static const int32_t never[] = {SK_PAD, SK_BOS, SK_EOS};
    struct sk_beam *b = sk_xcalloc(1, sizeof *b);
    SK_ENSURE(o->beam_size > 0 && o->nbest > 0 && o->nbest <= o->beam_size && batch > 0 && longest_source > 0);
    SK_ENSURE(n > 0 && n <= SK_ENSEMBLE_MAX && !(o->stop_first && o->nbest > 1));
    b->o = *o;
    b->batch = batch;
    b->slots = batch + batch / 8;    /* some wait, so that not each is encoded by itself */
    b->longest = longest_source;
    b->source_rows = longest_source > SOURCE_ROWS ? longest_source : SOURCE_ROWS;
    if (b->source_rows > b->slots * longest_source) b->source_rows = b->slots * longest_source;
    b->max_steps = output_limit(o, longest_source);
    size_t K = (size_t)o->beam_size, S = (size_t)b->slots, steps = (size_t)b->max_steps, R = (size_t)batch * K;
    b->models = n;
    b->decoder = sk_xcalloc((size_t)n, sizeof(struct sk_decoder *));
    for (int i = 0; i < n; i++)
        b->decoder[i] = sk_decoder_new(models[i], b->slots, b->source_rows, o->beam_size, b->max_steps);
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
    b->active = sk_xcalloc(S, sizeof *b->active);
    b->waiting = sk_xcalloc(S, sizeof *b->waiting);
    b->spare = sk_xcalloc(S, sizeof *b->spare);
    for (int i = 0; i < b->slots; i++)
        b->spare[b->spares++] = b->slots - 1 - i;
    b->source = sk_xcalloc((size_t)b->source_rows, sizeof *b->source);
    b->offset = sk_xcalloc(S + 1, sizeof *b->offset);
    b->position = sk_xcalloc(S, sizeof *b->position);
    b->first = sk_xcalloc(S + 1, sizeof *b->first);
    b->id = sk_xcalloc(R, sizeof *b->id);
    b->parent = sk_xcalloc(R, sizeof *b->parent);
    b->end = sk_xcalloc(R, sizeof *b->end);
    for (size_t i = 0; i < R; i++)
        b->end[i] = SK_EOS;
    int V = sk_model_config(models[0])->vocab[1], k = o->beam_size < V ? o->beam_size : V;
    b->top = (struct sk_top){.k = k, .never = never, .nevers = 3, .label = b->end};
    b->top.id = sk_xcalloc(R * (size_t)k, sizeof *b->top.id);
    b->top.logp = sk_xcalloc(R * (size_t)k, sizeof *b->top.logp);
    b->top.label_logp = sk_xcalloc(R, sizeof *b->top.label_logp);
    return b;
}

void sk_beam_free(struct sk_beam *b)
{
    if (!b)
        return;
    for (int i = 0; i < b->slots; i++) {
        free(b->search[i].h);
        free(b->search[i].node);
    }
    for (int i = 0; i < b->models; i++)
        sk_decoder_free(b->decoder[i]);
    free(b->decoder);
    free(b->penalty);
    free(b->search);
    free(b->best);
    free(b->next);
    free(b->active);
    free(b->waiting);
    free(b->spare);
    free(b->source);
    free(b->offset);
    free(b->position);
    free(b->first);
    free(b->id);
    free(b->parent);
    free(b->end);
    free(b->top.id);
    free(b->top.logp);
    free(b->top.label_logp);
    free(b);
}

/* --- one step ----------------------------------------------------------------- */

/* Lower scores first; of equal ones the better parent's, then the lower word's. */
static int before(const struct candidate *a, const struct candidate *b)
{
    if (a->score != b->score)
        return a->score < b->score;
    return a->from != b->from ? a->from < b->from : a->word < b->word;
}

/* Puts c among the n best, which are sorted. Returns the new n. */
static int offer(struct candidate *best, int n, int most, struct candidate c)
{
    if (n == most && !before(&c, &best[n - 1]))
        return n;
    int i = n < most ? n++ : n - 1;
    for (; i > 0 && before(&c, &best[i - 1]); i--)
        best[i] = best[i - 1];
    best[i] = c;
    return n;
}

/* Offers the end of hypothesis h, which has `words` words. Its score is infinite
 * where the length penalty is none: such a one only stays if it must. */
static int offer_end(const struct sk_beam *b, int n, const struct hypothesis *h, int32_t from, int row, int words,
                     int must)
{
    double logprob = h->logprob + (double)b->top.label_logp[row], score = sk_length_score(&b->o, logprob, words);
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
        if (n == b->o.beam_size && !before(&c, &b->best[n - 1]))
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

/* Extends the hypotheses of a sentence; row: its first one in the step.
 * Returns whether the search goes on. */
static int advance(struct sk_beam *b, struct search *s, int row)
{
    int n = 0;
    for (int32_t k = 0; k < s->n; k++) {
        const struct hypothesis *h = &s->h[k];
        if (h->finished) {
            n = offer(b->best, n, b->o.beam_size, (struct candidate){h->logprob, h->score, k, -1});
        } else {
            int must = s->step + 1 == s->limit;
            n = offer_end(b, n, h, k, row + h->row, s->step, must);
            if (!must)
                n = offer_words(b, n, h, k, row + h->row, b->penalty[s->step + 1]);
        }
    }
    if (n == 0)                      /* no number came out of the model: end here */
        b->best[n++] = (struct candidate){-INFINITY, INFINITY, 0, SK_EOS};
    int stay = 0, none = 1;          /* none is finished yet */
    double worst = INFINITY;
    for (int i = 0; i < n; i++) {
        struct candidate c = b->best[i];
        struct hypothesis h = s->h[c.from];
        if (c.word >= 0) {
            h.logprob = c.logprob;
            h.score = c.score;
            h.finished = c.word == SK_EOS;
        }
        if (h.finished && none) {
            none = 0;
            if (b->o.prune > 0)
                worst = h.score + b->o.prune;
        }
        if (!h.finished) {
            if (h.score > worst)     /* they are sorted: the best finished one came before */
                continue;
            s->node[s->nodes] = (struct node){h.node, c.word};
            h.node = s->nodes++;
        }
        b->next[stay++] = h;
    }
    memcpy(s->h, b->next, (size_t)stay * sizeof *s->h);
    s->n = stay;
    s->step++;
    return !is_over(b, s);
}

/* --- sentences come and go ---------------------------------------------------- */

/* The best finished ones. */
static void collect(const struct sk_beam *b, const struct search *s, struct sk_beam_result *r)
{
    *r = (struct sk_beam_result){0, sk_xcalloc((size_t)b->o.nbest, sizeof *r->h)};
    for (int i = 0; i < s->n && r->n < b->o.nbest; i++) {
        if (!s->h[i].finished)
            continue;
        struct sk_hypothesis *to = &r->h[r->n++];
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

struct call {
    const int32_t *const *source;
    const int *length;
    int n, most;                     /* most: sentences that one beam searches together */
    struct sk_beam_result *results;
    void (*done)(void *ctx, int n);
    void *ctx;
    int told;
    pthread_mutex_t lock;            /* of what follows */
    int next, finished;              /* next: the first sentence that is not taken */
};

static void empty_result(struct sk_beam_result *r)
{
    *r = (struct sk_beam_result){1, sk_xcalloc(1, sizeof *r->h)};
    r->h->words = sk_xcalloc(1, sizeof *r->h->words);
    r->h->score = -INFINITY;
}

/* Takes the next sentences, as many as there is room for; returns how many. */
static int take(struct sk_beam *b, struct call *c)
{
    int rows = 0, n = 0, room = c->most - b->actives + (b->slots - b->batch);
    pthread_mutex_lock(&c->lock);
    for (; c->next < c->n; c->next++) {
        int words = c->length[c->next];
        SK_ENSURE(words < b->longest);
        if (words == 0) {
            empty_result(&c->results[c->next]);
            c->finished++;
            continue;
        }
        if (n == room || b->spares == 0 || rows + words + 1 > b->source_rows)
            break;
        int32_t slot = b->spare[--b->spares];
        struct search *s = &b->search[slot];
        b->waiting[b->waitings + n] = slot;
        b->offset[n++] = rows;
        memcpy(b->source + rows, c->source[c->next], (size_t)words * sizeof *b->source);
        b->source[rows + words] = SK_EOS;
        rows += words + 1;
        s->index = c->next;
        s->limit = output_limit(&b->o, words + 1);
        s->step = s->nodes = 0;
        s->n = 1;
        s->h[0] = (struct hypothesis){.node = -1};
    }
    pthread_mutex_unlock(&c->lock);
    b->offset[n] = rows;
    return n;
}

/* Encodes the next sentences; they wait. */
static void encode(struct sk_beam *b, struct call *c)
{
    int n = take(b, c);
    for (int i = 0; n > 0 && i < b->models; i++)
        sk_decoder_encode(b->decoder[i], b->source, b->offset, n, b->waiting + b->waitings);
    b->waitings += n;
}

/* Fills the batch, in the order of the call. */
static void admit(struct sk_beam *b, struct call *c)
{
    int taken = 0;
    while (b->actives < c->most) {
        if (taken == b->waitings) {
            taken = b->waitings = 0;
            encode(b, c);
            if (b->waitings == 0)
                break;
        }
        b->active[b->actives++] = b->waiting[taken++];
    }
    b->waitings -= taken;
    memmove(b->waiting, b->waiting + taken, (size_t)b->waitings * sizeof *b->waiting);
}

/* Input of the next step: the running hypotheses of all sentences. */
static struct sk_decoder_rows gather(struct sk_beam *b)
{
    int R = 0;
    for (int g = 0; g < b->actives; g++) {
        struct search *s = &b->search[b->active[g]];
        int32_t row = 0;
        b->first[g] = R;
        b->position[g] = s->step;
        for (int k = 0; k < s->n; k++) {
            struct hypothesis *h = &s->h[k];
            if (h->finished)
                continue;
            b->id[R] = h->node < 0 ? SK_BOS : s->node[h->node].word;
            b->parent[R++] = h->row;
            h->row = row++;
        }
    }
    b->first[b->actives] = R;
    return (struct sk_decoder_rows){b->actives, b->active, b->position, b->first, b->id, b->parent};
}

/* One step of all sentences of a beam. Returns how many ended. */
static int step(struct sk_beam *b, struct call *c)
{
    struct sk_decoder_rows rows = gather(b);
    int still = 0;
    for (int i = 0; i < b->models; i++)
        sk_decoder_step(b->decoder[i], &rows);
    sk_decoder_top(b->decoder, b->models, b->o.log_linear, &b->top);
    for (int g = 0; g < rows.groups; g++) {
        int32_t slot = b->active[g];
        struct search *s = &b->search[slot];
        if (advance(b, s, b->first[g])) {
            b->active[still++] = slot;
            continue;
        }
        collect(b, s, &c->results[s->index]);
        b->spare[b->spares++] = slot;
    }
    int ended = b->actives - still;
    b->actives = still;
    return ended;
}

/* Searches until there is nothing left to take; who == 0 tells of progress. */
static void work(struct sk_beam *b, struct call *c, int who)
{
    for (int ended = 0;;) {
        admit(b, c);
        pthread_mutex_lock(&c->lock);
        int finished = c->finished += ended;
        pthread_mutex_unlock(&c->lock);
        if (who == 0 && c->done && finished > c->told)
            c->done(c->ctx, c->told = finished);
        if (b->actives == 0)
            break;
        ended = step(b, c);
    }
}

struct worker { struct sk_beam *beam; struct call *call; pthread_t thread; };

static void *run(void *arg)
{
    struct worker *w = arg;
    work(w->beam, w->call, 1);
    return NULL;
}

void sk_beam_search(struct sk_beam *const *beams, int n_beams, const int32_t *const *source, const int *length, int n,
                    struct sk_beam_result *results, void (*done)(void *ctx, int n), void *ctx)
{
    int share = n / n_beams + (n % n_beams > 0), started = 1;
    struct call c = {.source = source, .length = length, .n = n, .results = results, .done = done, .ctx = ctx,
                     .most = share < beams[0]->batch ? share : beams[0]->batch, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct worker *w = sk_xcalloc((size_t)n_beams, sizeof *w);
    sigset_t all, before;                /* signals are for the caller's thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; started < n_beams; started++) {
        w[started] = (struct worker){.beam = beams[started], .call = &c};
        if (pthread_create(&w[started].thread, NULL, run, &w[started]))
            break;                   /* the others do its part */
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    work(beams[0], &c, 0);
    for (int i = 1; i < started; i++)
        pthread_join(w[i].thread, NULL);
    if (done && n > c.told)
        done(ctx, n);
    free(w);
}

void sk_beam_result_free(struct sk_beam_result *r)
{
    for (int i = 0; i < r->n; i++)
        free(r->h[i].words);
    free(r->h);
    *r = (struct sk_beam_result){0};
}
