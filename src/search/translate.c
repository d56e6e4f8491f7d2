/* translate.c - lines to ids, pieces, batches, and back. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "search/translate.h"
#include "text/lines.h"

/* Words first.. of the pool; number: among the pieces of its line. */
struct piece { int64_t line; size_t first; int n; int32_t number; const struct sk_wishes *wishes; size_t allowed; int alloweds; };
/* Beams are made when they are first needed: one whose operations all threads
 * share, for few pieces, and, for many, one for each thread: threads that need
 * not wait for each other are faster. */
struct crew { int n; struct sk_beam **beam; struct sk_model **model; struct sk_device **dev; };
struct sk_translator {
    const struct sk_vocab *source, *target;
    struct sk_translate_options o;
    struct sk_model **model;
    int models;
    struct sk_beam *beam;
    struct crew crew;
    unsigned char *allowed;          /* (V) of one piece: words of its shortlist */
    struct sk_word_list pool;        /* shortlists of all pieces */
    int64_t lines;                   /* seen by earlier calls */
    int32_t *word;                   /* pool of source ids */
    size_t words, word_cap;
    struct piece *piece;
    size_t pieces, piece_cap;
};

void sk_translate_limits(struct sk_translate_options *o, const struct sk_model_config *c, int max_seq_len,
                         int max_input, double ratio_mean, double ratio_std, int num_stds)
{
    o->beam.max_output_factor = num_stds < 0 ? 2 : ratio_mean + num_stds * ratio_std;
    o->beam.max_output = c->max_len[1];
    o->max_words = max_seq_len < c->max_len[0] - 1 ? max_seq_len : c->max_len[0] - 1;
    if (max_input > 0 && max_input - 1 < o->max_words)
        o->max_words = max_input - 1;
    if (o->max_words < 1)
        o->max_words = 1;
}

struct sk_translator *sk_translator_new(struct sk_model *const *models, int n, const struct sk_vocab *source,
                                        const struct sk_vocab *target, const struct sk_translate_options *o)
{
    struct sk_translator *t = sk_xcalloc(1, sizeof *t);
    t->source = source;
    t->target = target;
    t->o = *o;
    t->o.beam.restricted = o->shortlist != NULL;
    t->allowed = sk_xcalloc((size_t)sk_vocab_size(target), 1);
    for (int i = 0; i < n; i++)
        SK_ENSURE(o->max_words > 0 && o->max_words < sk_model_config(models[i])->max_len[0]);
    t->models = n;
    t->model = sk_xcalloc((size_t)n, sizeof(struct sk_model *));
    memcpy(t->model, models, (size_t)n * sizeof(struct sk_model *));
    return t;
}

/* Thread after thread with a device, models and a beam of its own. */
static void hire(struct sk_translator *t, int threads)
{
    struct crew *c = &t->crew;
    struct sk_device *dev;
    const struct sk_ops *ops = sk_model_ops(t->model[0], &dev);
    size_t n = (size_t)threads, m = (size_t)t->models;
    c->beam = sk_xcalloc(n, sizeof(struct sk_beam *));
    c->model = sk_xcalloc(n * m, sizeof(struct sk_model *));
    c->dev = sk_xcalloc(n, sizeof(struct sk_device *));
    for (c->n = 0; c->n < threads; c->n++) {
        struct sk_model **model = c->model + (size_t)c->n * m;
        if ((c->dev[c->n] = ops->twin(dev)) == NULL)
            break;
        for (size_t i = 0; i < m; i++)
            model[i] = sk_model_twin(t->model[i], c->dev[c->n]);
        c->beam[c->n] = sk_beam_new(model, t->models, &t->o.beam, t->o.batch, t->o.max_words + 1);
    }
}

static void dismiss(struct sk_translator *t)
{
    struct crew *c = &t->crew;
    struct sk_device *dev;
    const struct sk_ops *ops = sk_model_ops(t->model[0], &dev);
    for (int i = 0; i < c->n; i++) {
        sk_beam_free(c->beam[i]);
        for (int k = 0; k < t->models; k++)
            sk_model_free(c->model[i * t->models + k]);
        ops->close(c->dev[i]);
    }
    free(c->beam);
    free(c->model);
    free(c->dev);
}

void sk_translator_free(struct sk_translator *t)
{
    if (!t)
        return;
    dismiss(t);
    sk_beam_free(t->beam);
    free(t->model);
    free(t->allowed);
    free(t->pool.word);
    free(t->word);
    free(t->piece);
    free(t);
}

/* Beams with room for so many words that are asked for. */
static void make_room(struct sk_translator *t, int asked)
{
    if (asked <= t->o.beam.max_asked)
        return;
    dismiss(t);
    sk_beam_free(t->beam);
    t->beam = NULL;
    t->crew = (struct crew){0};
    t->o.beam.max_asked = asked;
}

/* The beams for n pieces. */
static struct sk_beam *const *beams_for(struct sk_translator *t, size_t n, int *beams)
{
    enum { FEW = 4 };                /* pieces for each thread: below, products have too few rows */
    struct sk_device *dev;
    int threads = sk_model_ops(t->model[0], &dev)->threads(dev);
    if (threads > 1 && n >= FEW * (size_t)threads) {
        if (!t->crew.beam)
            hire(t, threads);
        *beams = t->crew.n;
        if (t->crew.n > 1)
            return t->crew.beam;
    }
    if (!t->beam)
        t->beam = sk_beam_new(t->model, t->models, &t->o.beam, t->o.batch, t->o.max_words + 1);
    *beams = 1;
    return &t->beam;
}

/* Room for one element more. */
static void *grow(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap ? 2 * *cap : 256;
    return sk_xrealloc(p, *cap, size);
}

/* A word of the pool without its factors. */
static int32_t surface(const struct sk_translator *t, int32_t word)
{
    const struct sk_factored *f = t->o.factored;
    return f ? f->rows[(size_t)word * (size_t)(1 + f->n)] : word;
}

/* The words that the translation of a piece may have: those of its shortlist, and
 * those that are asked for. */
static void allow(struct sk_translator *t, struct piece *p)
{
    const struct sk_shortlist *s = t->o.shortlist;
    const struct sk_wishes *w = p->wishes;
    if (!s)
        return;
    size_t V = (size_t)sk_vocab_size(t->target), k = (size_t)s->k;
    memset(t->allowed, 0, V);
    for (int v = 0; v < SK_SPECIALS; v++)                /* as in Sockeye; 0 also fills the lists up */
        t->allowed[v] = 1;
    for (int i = 0; i < p->n; i++)
        for (size_t e = 0; e < k; e++)
            t->allowed[s->word[(size_t)surface(t, t->word[p->first + (size_t)i]) * k + e]] = 1;
    for (int i = 0; w && i < w->prefixes; i++)
        t->allowed[w->prefix[i]] = 1;
    for (int i = 0; w && i < w->words; i++)
        t->allowed[w->word[i]] = 1;
    p->allowed = t->pool.n;
    for (size_t v = 0; v < V; v++)
        if (t->allowed[v])
            sk_word_list_add(&t->pool, (int32_t)v);
    p->alloweds = (int)(t->pool.n - p->allowed);
}

/* Adds the words of a line to the pool and its pieces to the list. */
static void cut(struct sk_translator *t, const char *text, const struct sk_wishes *wishes, int64_t line,
                struct sk_translation *out)
{
    size_t first = t->words, n, count;
    const char *word;
    while ((word = sk_token_next(&text, &n)) != NULL) {
        t->word = grow(t->word, t->words, &t->word_cap, sizeof *t->word);
        t->word[t->words++] = t->o.factored ? sk_factored_add(t->o.factored, word, n) : sk_vocab_id(t->source, word, n);
    }
    count = t->words - first;
    out->source_words = (int64_t)count;
    size_t most = (size_t)t->o.max_words;
    for (size_t at = 0; at < count; at += most) {
        t->piece = grow(t->piece, t->pieces, &t->piece_cap, sizeof *t->piece);
        t->piece[t->pieces++] = (struct piece){line, first + at, (int)(count - at < most ? count - at : most),
                                               (int32_t)(at / most), wishes, 0, 0};
        allow(t, &t->piece[t->pieces - 1]);
    }
    if (count > most)
        sk_warn("input line %lld has %zu words, more than the %zu of a sentence: it is translated in %zu pieces",
                (long long)(t->lines + line + 1), count, most, (count + most - 1) / most);
}

struct order { int n; size_t piece; };

/* Longest first: what needs most memory fails at once, sentences searched
 * together are of a length, and the last ones to run are short. */
static int by_length(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    return x->piece < y->piece ? -1 : x->piece > y->piece;
}

static void tell(void *ctx, int done)
{
    const struct sk_translator *t = ctx;
    t->o.progress(t->o.ctx, done, (int64_t)t->pieces);
}

/* Does a piece begin with the prefix of its line? */
static int has_prefix(const struct piece *p) { return p->wishes && (p->number == 0 || !p->wishes->first_only); }

static struct sk_sentence sentence_of(const struct sk_translator *t, const struct piece *p)
{
    struct sk_sentence s = {.word = t->word + p->first, .n = p->n, .line = t->lines + p->line, .piece = p->number};
    if (has_prefix(p)) {
        s.prefix = p->wishes->prefix;
        s.prefixes = p->wishes->prefixes;
    }
    if (t->o.shortlist) {
        s.allowed = t->pool.word + p->allowed;
        s.alloweds = p->alloweds;
    }
    if (p->wishes) {
        s.avoid = p->wishes->avoid;
        s.required = p->number == 0 ? p->wishes->required : NULL;
    }
    return s;
}

/* Translates all pieces; result[i] belongs to piece i. */
static void search_pieces(struct sk_translator *t, struct sk_beam_result *result)
{
    size_t n = t->pieces;
    struct order *order = sk_xcalloc(n, sizeof *order);
    struct sk_sentence *sentence = sk_xcalloc(n, sizeof *sentence);
    struct sk_beam_result *found = sk_xcalloc(n, sizeof *found);
    SK_ENSURE(n <= INT_MAX);
    for (size_t i = 0; i < n; i++)
        order[i] = (struct order){t->piece[i].n, i};
    qsort(order, n, sizeof *order, by_length);
    int beams, asked = 0;
    for (size_t i = 0; i < n; i++) {
        sentence[i] = sentence_of(t, &t->piece[order[i].piece]);
        int more = sentence[i].prefixes + sk_phrases_words(sentence[i].required);
        asked = more > asked ? more : asked;
    }
    make_room(t, asked);
    struct sk_beam *const *beam = beams_for(t, n, &beams);
    sk_beam_search(beam, beams, sentence, (int)n, found, t->o.progress ? tell : NULL, t);
    for (size_t i = 0; i < n; i++)
        result[order[i].piece] = found[i];
    free(order);
    free(sentence);
    free(found);
}

/* Words of a piece's translation that are not written. */
static int dropped(const struct piece *p)
{
    return has_prefix(p) && p->wishes->drop_prefix ? p->wishes->prefixes : 0;
}

/* The hypotheses of rank k of a line's n > 0 pieces, joined. piece: of the results, or
 * NULL: those of a line without words. */
static char *join(const struct sk_translator *t, const struct piece *piece, const struct sk_beam_result *result, size_t n,
                  int k, double *score, int64_t *words)
{
    struct sk_str text = {0};
    double logprob = 0;
    int64_t length = 0;
    *words = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sk_hypothesis *h = &result[i].h[k];
        for (int w = piece ? dropped(&piece[i]) : 0; w < h->n; w++) {
            if (t->o.strip_unknown && h->words[w] == SK_UNK)
                continue;
            const char *word = sk_vocab_word(t->target, h->words[w]);
            if (text.len > 0)
                sk_str_add(&text, " ", 1);
            sk_str_add(&text, word, strlen(word));
            ++*words;
        }
        logprob += h->logprob;
        length += h->n;
    }
    *score = n == 1 ? result[0].h[k].score : sk_length_score(&t->o.beam, logprob, length);
    return text.len > 0 ? text.text : sk_xstrdup("");
}

/* As many ranks as all pieces have. */
static void join_all(const struct sk_translator *t, const struct piece *piece, const struct sk_beam_result *result,
                     size_t n, struct sk_translation *out)
{
    struct sk_hypothesis nothing = {.score = -INFINITY};
    struct sk_beam_result empty = {1, &nothing};
    if (n == 0) {                    /* no words in, no words out */
        result = &empty;
        piece = NULL;
        n = 1;
    }
    out->n = result[0].n;
    for (size_t i = 1; i < n; i++)
        if (result[i].n < out->n)
            out->n = result[i].n;
    out->texts = sk_xcalloc((size_t)out->n, sizeof *out->texts);
    out->scores = sk_xcalloc((size_t)out->n, sizeof *out->scores);
    for (int k = out->n - 1; k >= 0; k--)        /* words: of the best, at last */
        out->texts[k] = join(t, piece, result, n, k, &out->scores[k], &out->words);
    out->text = out->texts[0];
    out->score = out->scores[0];
    out->unmet |= result[0].h[0].unmet;
}

char *sk_translate_line(const char *line, size_t n)
{
    char *copy = sk_xmalloc(n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = line[i] ? line[i] : 0x1A;
    copy[n] = 0;
    return copy;
}

void sk_translate(struct sk_translator *t, char *const *line, const struct sk_wishes *const *wishes, int64_t n,
                  struct sk_translation *out)
{
    t->words = t->pieces = t->pool.n = 0;
    if (t->o.factored)
        sk_factored_start(t->o.factored);
    for (int64_t i = 0; i < n; i++) {
        out[i] = (struct sk_translation){0};
        cut(t, line[i], wishes ? wishes[i] : NULL, i, &out[i]);
    }
    struct sk_beam_result *result = sk_xcalloc(t->pieces + 1, sizeof *result);
    if (t->pieces > 0)
        search_pieces(t, result);
    size_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        size_t first = at;
        while (at < t->pieces && t->piece[at].line == i)
            at++;
        if (at == first && wishes && wishes[i])
            out[i].unmet = sk_phrases_all(wishes[i]->required);
        join_all(t, t->piece + first, result + first, at - first, &out[i]);
    }
    for (size_t i = 0; i < t->pieces; i++)
        sk_beam_result_free(&result[i]);
    free(result);
    t->lines += n;
}

void sk_translation_free(struct sk_translation *t, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        for (int k = 0; k < t[i].n; k++)
            free(t[i].texts[k]);
        free(t[i].texts);
        free(t[i].scores);
    }
}
