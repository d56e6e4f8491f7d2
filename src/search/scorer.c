/* scorer.c - pairs of lines to ids, batches, and scores. */
#include "search/scorer.h"
#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/msg.h"
#include "text/lines.h"

struct sk_scorer {
    const struct sk_vocab *vocab[2];
    struct sk_scorer_options o;
    struct sk_beam_options penalty;  /* alpha and beta */
    struct sk_forced *forced;
    struct sk_batch_limits limits;
    struct sk_batch batch;
    struct sk_pair *pair;            /* (limits.max_sentences) of the batch */
    int pairs, rows[2];
    int32_t *words;                  /* of the batch: (2, batch + longest) */
    float *logp;                     /* (target rows) */
};

static int larger(int a, int b) { return a > b ? a : b; }

struct sk_scorer *sk_scorer_new(struct sk_model *m, const struct sk_vocab *source, const struct sk_vocab *target,
                                const struct sk_scorer_options *o)
{
    const struct sk_model_config *c = sk_model_config(m);
    struct sk_scorer *s = sk_xcalloc(1, sizeof *s);
    s->vocab[0] = source;
    s->vocab[1] = target;
    s->o = *o;
    s->penalty = (struct sk_beam_options){.alpha = o->alpha, .beta = o->beta};
    for (int i = 0; i < 2; i++)
        SK_ENSURE(o->max_words[i] > 0 && o->max_words[i] < c->max_len[i]);
    s->limits = (struct sk_batch_limits){.max_sentences = o->batch,
                                         .max_source = larger(o->batch, o->max_words[0] + 1),
                                         .max_target = larger(o->batch, o->max_words[1] + 1),
                                         .leaves = 1,
                                         .longest_source = o->max_words[0] + 1,
                                         .longest_target = o->max_words[1] + 1};
    sk_batch_init(&s->batch, &s->limits);
    s->forced = sk_forced_new(m, &s->limits);
    s->pair = sk_xcalloc((size_t)o->batch, sizeof *s->pair);
    s->words = sk_xcalloc((size_t)s->limits.max_source + (size_t)s->limits.max_target, sizeof *s->words);
    s->logp = sk_xcalloc((size_t)s->limits.max_target, sizeof *s->logp);
    return s;
}

void sk_scorer_free(struct sk_scorer *s)
{
    if (!s)
        return;
    sk_forced_free(s->forced);
    sk_batch_free(&s->batch);
    free(s->pair);
    free(s->words);
    free(s->logp);
    free(s);
}

/* Scores the pairs that were gathered. */
static void flush(struct sk_scorer *s, struct sk_pair_score *out)
{
    if (s->pairs == 0)
        return;
    sk_batch_pack(&s->batch, &s->limits, s->pair, s->pairs);
    sk_forced_logprob(s->forced, &s->batch, s->logp);
    for (int i = 0; i < s->pairs; i++) {
        struct sk_pair_score *p = &out[s->batch.ordinal[i]];
        double logprob = 0;
        for (int t = s->batch.target_offset[i]; t < s->batch.target_offset[i + 1]; t++)
            logprob += (double)s->logp[t];
        p->score = sk_length_score(&s->penalty, logprob, p->words);
    }
    s->pairs = s->rows[0] = s->rows[1] = 0;
}

static int64_t count(const char *line)
{
    size_t length;
    int64_t n = 0;
    while (sk_token_next(&line, &length))
        n++;
    return n;
}

/* Adds a pair of n[0], n[1] words to the batch. */
static void gather(struct sk_scorer *s, char *const line[2], const int64_t n[2], int64_t number)
{
    int32_t *ids[2] = {s->words + s->rows[0], s->words + s->limits.max_source + s->rows[1]};
    for (int i = 0; i < 2; i++) {
        const char *at = line[i], *word;
        size_t length;
        for (int k = 0; (word = sk_token_next(&at, &length)) != NULL; k++)
            ids[i][k] = i == 0 && s->o.factored ? sk_factored_add(s->o.factored, word, length)
                                                : sk_vocab_id(s->vocab[i], word, length);
        s->rows[i] += (int)n[i] + 1;
    }
    s->pair[s->pairs++] = (struct sk_pair){number, (int)n[0], (int)n[1], ids[0], ids[1]};
}

void sk_score_pairs(struct sk_scorer *s, char *const *source, char *const *target, int64_t n,
                    struct sk_pair_score *out)
{
    const int most[2] = {s->limits.max_source, s->limits.max_target};
    if (s->o.factored)
        sk_factored_start(s->o.factored);
    for (int64_t i = 0; i < n; i++) {
        char *const line[2] = {source[i], target[i]};
        const int64_t words[2] = {count(source[i]), count(target[i])};
        out[i] = (struct sk_pair_score){.score = INFINITY, .words = words[1]};
        if (words[0] == 0) {
            out[i].how = words[1] ? SK_UNSCORED_BLANK : SK_SCORED_BLANK;
            if (words[1] == 0)
                out[i].score = -INFINITY;
            continue;
        }
        if (words[0] > s->o.max_words[0] || words[1] > s->o.max_words[1]) {
            out[i].how = SK_UNSCORED_LONG;
            continue;
        }
        if (s->pairs == s->limits.max_sentences || s->rows[0] + words[0] + 1 > most[0] ||
            s->rows[1] + words[1] + 1 > most[1]) {
            flush(s, out);
            if (s->o.progress)
                s->o.progress(s->o.ctx, i, n);
        }
        gather(s, line, words, i);
    }
    flush(s, out);
}
