/* beam.c - beam search: hypotheses are nodes of a tree of words; each step
 * asks the decoder for the best words after all running ones at once.
 * Sentences come and go. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "search/beam_private.h"

double sk_length_penalty(const struct sk_beam_options *o, int64_t len)
{
    return pow((o->beta + (double)len) / (o->beta + 1), o->alpha);
}

double sk_length_score(const struct sk_beam_options *o, double logprob, int64_t words)
{
    double penalty = sk_length_penalty(o, words);
    return penalty > 0 && isfinite(penalty) ? 0.0 - logprob / penalty : INFINITY;
}

/* Most symbols of a translation, EOS included, of a source of n symbols; asked: words
 * that are asked for. */
static int output_limit(const struct sk_beam_options *o, int n, int asked)
{
    double limit = ceil(o->max_output_factor * n) + 1;
    if (limit < asked + 1)
        limit = asked + 1;
    return limit < 1 ? 1 : limit < o->max_output ? (int)limit : o->max_output;
}

struct sk_beam *sk_beam_new(struct sk_model *const *models, int n, const struct sk_beam_options *o, int batch,
                            int longest_source)
{
    enum { SOURCE_ROWS = 512 };      /* encoded at once: products are at their best, and memory is small */
    static const int32_t never[] = {SK_PAD, SK_BOS, SK_EOS};     /* the end is offered by itself, but drawn like others */
    struct sk_beam *b = sk_xcalloc(1, sizeof *b);
    SK_ENSURE(o->beam_size > 0 && o->nbest > 0 && o->nbest <= o->beam_size && batch > 0 && longest_source > 0);
    SK_ENSURE(n > 0 && n <= SK_ENSEMBLE_MAX && !(o->stop_first && o->nbest > 1));
    b->o = *o;
    b->batch = batch;
    b->slots = batch + batch / 8;    /* some wait, so that not each is encoded by itself */
    b->longest = longest_source;
    b->source_rows = longest_source > SOURCE_ROWS ? longest_source : SOURCE_ROWS;
    if (b->source_rows > b->slots * longest_source) b->source_rows = b->slots * longest_source;
    b->max_steps = output_limit(o, longest_source, o->max_asked);
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
    b->label_first = sk_xcalloc(R + 1, sizeof *b->label_first);
    b->ban_first = sk_xcalloc(R + 1, sizeof *b->ban_first);
    int V = b->V = sk_model_config(models[0])->vocab[1], wanted = o->samples ? o->sample_from : o->beam_size;
    int k = wanted < V ? wanted : V;
    b->top = (struct sk_top){.k = k, .never = never, .nevers = o->samples ? 2 : 3};
    if (o->samples)
        b->sum = sk_xcalloc((size_t)V, sizeof *b->sum);
    if (o->restricted)
        b->kept = sk_xcalloc((size_t)V, sizeof *b->kept);
    b->top.id = sk_xcalloc(R * (size_t)k, sizeof *b->top.id);
    b->top.logp = sk_xcalloc(R * (size_t)k, sizeof *b->top.logp);
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
    free(b->label_first);
    free(b->ban_first);
    free(b->label.word);
    free(b->ban.word);
    free(b->label_logp);
    free(b->sum);
    free(b->kept);
    free(b->offered);
    free(b->progress);
    free(b->top.id);
    free(b->top.logp);
    free(b);
}

/* --- sentences come and go ---------------------------------------------------- */

struct call {
    const struct sk_sentence *sentence;
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

/* All samples begin; of others one, which becomes several. */
static void begin(const struct sk_beam *b, struct search *s, const struct sk_sentence *t, int index)
{
    int asked = t->prefixes + sk_phrases_words(t->required);
    *s = (struct search){.sentence = t, .index = index, .limit = output_limit(&b->o, t->n + 1, asked),
                         .n = b->o.samples ? b->o.beam_size : 1, .h = s->h, .node = s->node};
    SK_ENSURE(asked <= b->o.max_asked && t->prefixes < s->limit);
    for (int k = 0; k < s->n; k++)
        s->h[k] = (struct hypothesis){.node = -1, .avoided = {sk_phrases_start(b->o.avoid), sk_phrases_start(t->avoid)},
                                      .required = sk_phrases_start(t->required)};
}

/* Takes the next sentences, as many as there is room for; returns how many. */
static int take(struct sk_beam *b, struct call *c)
{
    int rows = 0, n = 0, room = c->most - b->actives + (b->slots - b->batch);
    pthread_mutex_lock(&c->lock);
    for (; c->next < c->n; c->next++) {
        const struct sk_sentence *t = &c->sentence[c->next];
        int words = t->n;
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
        memcpy(b->source + rows, t->word, (size_t)words * sizeof *b->source);
        b->source[rows + words] = SK_EOS;
        rows += words + 1;
        begin(b, s, t, c->next);
    }
    pthread_mutex_unlock(&c->lock);
    b->offset[n] = rows;
    return n;
}

/* n sentences that were taken, by one model. */
static void encode_with(const struct sk_beam *b, struct sk_decoder *d, int n)
{
    const int32_t *slot = b->waiting + b->waitings;
    sk_decoder_encode(d, b->source, b->offset, n, slot);
    for (int i = 0; i < n && b->o.restricted && !sk_beam_draws_from_all(b); i++) {
        const struct sk_sentence *t = b->search[slot[i]].sentence;
        sk_decoder_allow(d, slot[i], t->allowed, t->alloweds);
    }
}

/* Encodes the next sentences; they wait. */
static void encode(struct sk_beam *b, struct call *c)
{
    int n = take(b, c);
    for (int i = 0; n > 0 && i < b->models; i++)
        encode_with(b, b->decoder[i], n);
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

/* One step of all sentences of a beam. Returns how many ended. */
static int step(struct sk_beam *b, struct call *c)
{
    struct sk_decoder_rows rows = sk_beam_gather(b);
    int still = 0;
    for (int i = 0; i < b->models; i++)
        sk_decoder_step(b->decoder[i], &rows);
    sk_beam_distributions(b, &rows);
    for (int g = 0; g < rows.groups; g++) {
        int32_t slot = b->active[g];
        struct search *s = &b->search[slot];
        if (sk_beam_advance(b, s, b->first[g])) {
            b->active[still++] = slot;
            continue;
        }
        sk_beam_collect(b, s, &c->results[s->index]);
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

void sk_beam_search(struct sk_beam *const *beams, int n_beams, const struct sk_sentence *sentence, int n,
                    struct sk_beam_result *results, void (*done)(void *ctx, int n), void *ctx)
{
    int share = n / n_beams + (n % n_beams > 0), started = 1;
    struct call c = {.sentence = sentence, .n = n, .results = results, .done = done, .ctx = ctx,
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
