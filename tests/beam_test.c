/* beam_test.c - beam search on tiny random models: exhaustive when the beam is
 * wide enough, equal to a plain search that keeps and sorts everything when it
 * is not, and the same bits alone and in company. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "search/beam.h"
#include "ops.h"
#include "tap.h"

enum { SMALL = 9, LARGE = 37, LONGEST = 12, OUTPUT = 8, MODELS = 3 };
/* Of new models: vocabulary, and how they like to end. */
static int V = SMALL;
static float end_bias;

static struct sk_device *new_device(int threads)
{
    const char *why = "";
    return TEST_OPS.open(threads, &why);
}

static struct sk_model *new_model(struct sk_device *dev, uint64_t seed)
{
    struct sk_model_config c = {.vocab = {V, V}, .layers = {1, 1}, .size = {8, 8}, .heads = {2, 2},
                               .feed_forward = {12, 12}, .max_len = {LONGEST, OUTPUT}, .pre = {"n", "n"},
                               .post = {"r", "r"}, .activation = SK_RELU, .positions = SK_POSITIONS_FIXED};
    struct sk_model *m = sk_model_new(&c, &TEST_OPS, dev, NULL);
    const struct sk_params *p = sk_model_params(m);
    float *values = sk_xcalloc(p->total, sizeof *values);
    for (int i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->p[i].size; k++) {
            struct sk_rng r = sk_philox(seed, (uint32_t)k, (uint32_t)i, 0, 0);
            values[p->p[i].offset + k] = 2.4f * sk_rng_uniform(r.v[0]) - 1.2f;
        }
    /* Else hardly any translation of so short a limit would end by itself. */
    values[sk_params_find(p, "target_output_bias")->offset + SK_EOS] += end_bias;
    TEST_OPS.upload(dev, sk_model_data(m), values, p->total * sizeof *values);
    sk_model_load_weights(m);
    free(values);
    return m;
}

/* --- a plain search -------------------------------------------------------------- */

struct plain { int n, finished; int32_t word[OUTPUT]; double logprob, score; };
struct plains { int n; struct plain *h; };

/* Log probabilities of the word after a prefix, computed from the beginning. */
static void distribution(struct sk_decoder *const *d, int n_models, int log_linear, const int32_t *source, int n,
                         const struct plain *h, float *logp)
{
    int32_t ids[LONGEST], offset[2] = {0, n + 1}, zero = 0, first[2] = {0, 1}, id, order[LARGE];
    float value[LARGE];
    memcpy(ids, source, (size_t)n * sizeof *ids);
    ids[n] = SK_EOS;
    for (int i = 0; i < n_models; i++)
        sk_decoder_encode(d[i], ids, offset, 1, &zero);
    for (int32_t step = 0; step <= h->n; step++) {
        struct sk_decoder_rows rows = {1, &zero, &step, first, &id, &zero};
        id = step == 0 ? SK_BOS : h->word[step - 1];
        for (int i = 0; i < n_models; i++)
            sk_decoder_step(d[i], &rows);
    }
    struct sk_top top = {.k = V, .id = order, .logp = value};
    sk_decoder_top(d, n_models, log_linear, &top);
    for (int i = 0; i < V; i++)
        logp[order[i]] = value[i];
}

static int better(const void *a, const void *b)
{
    const struct plain *x = a, *y = b;
    return x->score < y->score ? -1 : x->score > y->score;
}

static void push(struct plains *p, struct plain h)
{
    p->h = sk_xrealloc(p->h, (size_t)p->n + 1, sizeof *p->h);
    p->h[p->n++] = h;
}

static int any_finished(const struct plains *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->h[i].finished)
            return 1;
    return 0;
}

/* Running ones that are too far behind the best finished one. */
static void prune(struct plains *p, double most)
{
    double best = INFINITY;
    int kept = 0;
    for (int i = p->n - 1; i >= 0; i--)
        if (p->h[i].finished)
            best = p->h[i].score;
    for (int i = 0; i < p->n; i++)
        if (!(most > 0) || p->h[i].finished || !(p->h[i].score > best + most))
            p->h[kept++] = p->h[i];
    p->n = kept;
}

/* Keeps `width` hypotheses after each step; the result is sorted. */
static struct plains plain_search(struct sk_model *const *models, int n_models, const int32_t *source, int n, int limit,
                                  int width, const struct sk_beam_options *o)
{
    struct sk_decoder *d[MODELS];
    for (int i = 0; i < n_models; i++)
        d[i] = sk_decoder_new(models[i], 1, LONGEST, 1, OUTPUT);
    struct plains now = {0};
    push(&now, (struct plain){0});
    for (int step = 0; step < limit; step++) {
        struct plains all = {0};
        for (int k = 0; k < now.n; k++) {
            float logp[LARGE];
            if (now.h[k].finished) {
                push(&all, now.h[k]);
                continue;
            }
            distribution(d, n_models, o->log_linear, source, n, &now.h[k], logp);
            for (int32_t w = 0; w < V; w++) {
                struct plain h = now.h[k];
                if (w == SK_PAD || w == SK_BOS || (step + 1 == limit && w != SK_EOS))
                    continue;
                h.logprob += (double)logp[w];
                h.finished = w == SK_EOS;
                double penalty = sk_length_penalty(o, h.finished ? step : step + 1);
                h.score = penalty > 0 && penalty < INFINITY ? -h.logprob / penalty : INFINITY;
                if (h.finished && step + 1 < limit && h.score == INFINITY)
                    continue;
                if (!h.finished)
                    h.word[h.n++] = w;
                push(&all, h);
            }
        }
        qsort(all.h, (size_t)all.n, sizeof *all.h, better);
        if (all.n > width)
            all.n = width;
        free(now.h);
        now = all;
        prune(&now, o->prune);
        if (o->stop_first && any_finished(&now))
            break;
    }
    for (int i = 0; i < n_models; i++)
        sk_decoder_free(d[i]);
    return now;
}

/* The finished ones of p, at most `most`, are those of r. */
static int same_as_plain(const struct sk_beam_result *r, const struct plains *p, int most)
{
    int n = 0;
    for (int i = 0; i < p->n && n < most; i++) {
        if (!p->h[i].finished)
            continue;
        if (n == r->n || r->h[n].n != p->h[i].n || r->h[n].score != p->h[i].score ||
            memcmp(r->h[n].words, p->h[i].word, (size_t)r->h[n].n * sizeof *r->h[n].words) != 0)
            return 0;
        n++;
    }
    return n == r->n;
}

/* Some sentences of some models: searched, and searched plainly. `o` says how;
 * its length factor is set here. */
static void against_plain(const char *name, int models, struct sk_beam_options o)
{
    int equal = 0, all = 0, shorter = 0, given_up = 0;
    o.max_output_factor = 1.2;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        static const int32_t source[3][4] = {{4}, {5, 8, 1}, {7, 7, 4, 6}};
        static const int length[3] = {1, 3, 4};
        struct sk_device *dev = new_device(1);
        struct sk_model *model[MODELS];
        for (int i = 0; i < models; i++)
            model[i] = new_model(dev, seed + 10 * (uint64_t)i);
        for (int s = 0; s < 3; s++) {
            const int32_t *one = source[s];
            struct sk_beam_result r;
            int limit = (int)ceil(1.2 * (length[s] + 1)) + 1;
            struct sk_beam *b = sk_beam_new(model, models, &o, 2, LONGEST);
            sk_beam_search(&b, 1, &(struct sk_sentence){.word = one, .n = length[s]}, 1, &r, NULL, NULL);
            sk_beam_free(b);
            struct plains p = plain_search(model, models, one, length[s], limit < o.max_output ? limit : o.max_output,
                                           o.beam_size, &o);
            equal += same_as_plain(&r, &p, o.nbest);
            shorter += p.h[0].n + 1 < limit;
            given_up += p.n < o.beam_size;
            all++;
            free(p.h);
            sk_beam_result_free(&r);
        }
        for (int i = 0; i < models; i++)
            sk_model_free(model[i]);
        TEST_OPS.close(dev);
    }
    is_int(equal, all, "%s, beam %d, alpha %.1f, beta %.1f, at most %d symbols, %d best: words and scores of the plain "
           "search (of %d best ones %d end early, of %d something was given up)", name, o.beam_size, o.alpha, o.beta,
           o.max_output, o.nbest, all, shorter, given_up);
}

static int same(const struct sk_beam_result *a, const struct sk_beam_result *b)
{
    int equal = a->n == b->n;
    for (int i = 0; equal && i < a->n; i++)
        equal = a->h[i].n == b->h[i].n && memcmp(&a->h[i].score, &b->h[i].score, sizeof(double)) == 0 &&
                memcmp(a->h[i].words, b->h[i].words, (size_t)a->h[i].n * sizeof(int32_t)) == 0;
    return equal;
}

/* --- prefixes and phrases ---------------------------------------------------------- */

/* n phrases, each ended by -1. */
static struct sk_phrases *phrases(const int32_t *word, int n)
{
    struct sk_phrase_list l = {0};
    for (int i = 0; i < n; i++, word++) {
        for (; *word >= 0; word++)
            sk_phrase_list_word(&l, *word);
        sk_phrase_list_end(&l);
    }
    struct sk_phrases *p = sk_phrases_new(&l);
    sk_phrase_list_free(&l);
    return p;
}

/* How often phrase (n words, then -1) stands in a whole hypothesis, BOS and EOS with it. */
static int count(const struct plain *h, const int32_t *phrase)
{
    int32_t all[OUTPUT + 2] = {SK_BOS};
    int n = 0, found = 0;
    memcpy(all + 1, h->word, (size_t)h->n * sizeof *all);
    all[h->n + 1] = SK_EOS;
    while (phrase[n] >= 0)
        n++;
    for (int at = 0; at + n <= h->n + 2; at++)
        found += memcmp(all + at, phrase, (size_t)n * sizeof *all) == 0;
    return found;
}

/* Wishes: a prefix, phrases to avoid, those required. */
struct wish { const char *name; int32_t prefix[3]; int prefixes; int32_t avoid[12]; int avoids; int32_t required[12]; int requireds; };
static const struct wish wishes[] = {
    {"a prefix", {4, 7}, 2, {0}, 0, {0}, 0},
    {"a word to avoid", {0}, 0, {5, -1}, 1, {0}, 0},
    {"phrases to avoid, some the end of another", {0}, 0, {5, 6, -1, 6, 6, 7, -1, 6, 7, -1, 8, -1}, 4, {0}, 0},
    {"a beginning and an end to avoid", {0}, 0, {SK_BOS, 4, -1, 6, SK_EOS, -1, 1, SK_EOS, -1}, 3, {0}, 0},
    {"a required word", {0}, 0, {0}, 0, {7, -1}, 1},
    {"required phrases", {0}, 0, {0}, 0, {5, 4, -1, 8, -1}, 2},
    {"required phrases that overlap", {0}, 0, {0}, 0, {5, 6, -1, 6, 4, -1}, 2},
    {"one phrase in the other", {0}, 0, {0}, 0, {6, -1, 5, 6, 4, -1}, 2},
    {"a phrase that begins like itself", {0}, 0, {0}, 0, {5, 5, 6, -1}, 1},
    {"a word that is required twice", {0}, 0, {0}, 0, {8, -1, 8, -1}, 2},
    {"a required beginning and end", {0}, 0, {0}, 0, {SK_BOS, 7, -1, 4, SK_EOS, -1}, 2},
    {"a whole translation", {0}, 0, {0}, 0, {SK_BOS, 7, 1, 5, SK_EOS, -1}, 1},
    {"all together", {6}, 1, {4, -1, 6, 6, -1}, 2, {5, 8, -1}, 1},
};
enum { WISHES = sizeof wishes / sizeof *wishes };

static int granted(const struct wish *w, const struct plain *h)
{
    const int32_t *at = w->avoid;
    int good = h->n >= w->prefixes && memcmp(h->word, w->prefix, (size_t)w->prefixes * sizeof *h->word) == 0;
    for (int i = 0; i < w->avoids; i++, at++) {
        good &= count(h, at) == 0;
        while (*at >= 0)
            at++;
    }
    at = w->required;
    for (int i = 0; i < w->requireds; i++, at++) {
        int times = 1;
        for (const int32_t *o = w->required; o < at; o++)        /* as often as it is asked for */
            times += o[0] == at[0] && o[1] == -1 && at[1] == -1 && (o == w->required || o[-1] == -1);
        good &= count(h, at) >= times;
        while (*at >= 0)
            at++;
    }
    return good;
}

/* A beam that loses nothing finds, in order, what is left of all translations. */
static void exhaustive_wishes(int number)
{
    const struct wish *w = &wishes[number];
    int equal = 0, all = 0, some = 0, never = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sk_device *dev = new_device(1);
        struct sk_model *model = new_model(dev, seed);
        int32_t source[3] = {5, 8, 1};
        /* 6 words may follow: 1 + 6 + 36 + 216 + 1296 hypotheses of 5 symbols. */
        struct sk_beam_options o = {.beam_size = 2000, .alpha = 0.6, .beta = 1, .max_output_factor = 2, .max_output = 5,
                                    .nbest = 2000, .max_asked = 8};
        struct sk_phrases *avoid = phrases(w->avoid, w->avoids), *required = phrases(w->required, w->requireds);
        struct plains p = plain_search(&model, 1, source, 3, 5, 2000, &o);
        for (int how = 0; how < 3; how++) {              /* a beam that loses nothing, one that does, greedy */
            struct sk_beam_result r;
            o.beam_size = how == 0 ? 2000 : how == 1 ? 4 : 1;
            o.nbest = how == 0 ? 2000 : 1;
            o.avoid = how == 1 ? avoid : NULL;           /* those of all sentences are as good as its own */
            struct sk_beam *b = sk_beam_new(&model, 1, &o, 1, LONGEST);
            struct sk_sentence s = {.word = source, .n = 3, .prefix = w->prefix, .prefixes = w->prefixes,
                                    .avoid = how == 1 ? NULL : avoid, .required = required};
            sk_beam_search(&b, 1, &s, 1, &r, NULL, NULL);
            sk_beam_free(b);
            if (how == 0) {
                int n = 0, same_all = 1;
                for (int i = 0; i < p.n; i++) {
                    if (!p.h[i].finished || !granted(w, &p.h[i]))
                        continue;
                    same_all &= n < r.n && r.h[n].n == p.h[i].n && r.h[n].score == p.h[i].score && r.h[n].unmet == 0 &&
                                memcmp(r.h[n].words, p.h[i].word, (size_t)r.h[n].n * sizeof(int32_t)) == 0;
                    n++;
                }
                /* What cannot go on within its wishes ends without. */
                for (int i = n; i < r.n; i++)
                    same_all &= r.h[i].unmet != 0;
                equal += same_all && n > 0;
                all++;
            } else {
                struct plain h = {.n = r.h[0].n};
                memcpy(h.word, r.h[0].words, (size_t)h.n * sizeof *h.word);
                some += r.h[0].unmet == 0 && granted(w, &h);
                never += r.h[0].unmet != 0;
            }
            sk_beam_result_free(&r);
        }
        sk_phrases_free(avoid);
        sk_phrases_free(required);
        free(p.h);
        sk_model_free(model);
        TEST_OPS.close(dev);
    }
    is_int(equal, all, "%s: a beam that loses nothing finds what is left of all translations, in order", w->name);
    is_int(some, 2 * all, "narrow beams find one of them (%d do not)", never);
}

/* --- sampling ------------------------------------------------------------------------ */

/* Many samples: first words as often as the model says, of the `from` best, or all. */
static void drawn(int from)
{
    enum { SAMPLES = 4000 };
    struct sk_device *dev = new_device(1);
    struct sk_model *model = new_model(dev, 3);
    int32_t source[3] = {5, 8, 1};
    float logp[LARGE];
    double p[LARGE] = {0}, all = 0, worst = 0;
    int seen[LARGE] = {0}, differ = 0, best[2];
    struct sk_decoder *d = sk_decoder_new(model, 1, LONGEST, 1, OUTPUT);
    distribution(&d, 1, 0, source, 3, &(struct plain){0}, logp);
    sk_decoder_free(d);
    struct sk_beam_options o = {.beam_size = SAMPLES, .alpha = 1, .beta = 1, .max_output_factor = 2, .max_output = OUTPUT,
                                .nbest = SAMPLES, .samples = 1, .sample_from = from, .seed = 4};
    struct sk_beam_result r[3];
    for (int i = 0; i < 3; i++) {                    /* twice the same, and another seed */
        o.seed = 4 + (uint64_t)(i == 2);
        struct sk_beam *b = sk_beam_new(&model, 1, &o, 1, LONGEST);
        sk_beam_search(&b, 1, &(struct sk_sentence){.word = source, .n = 3, .line = 7}, 1, &r[i], NULL, NULL);
        sk_beam_free(b);
    }
    ok(same(&r[0], &r[1]), "sampling: the seed decides");
    for (int i = 0; i < SAMPLES; i++)
        differ += i >= r[2].n || i >= r[0].n || r[0].h[i].score != r[2].h[i].score;
    ok(differ > SAMPLES / 2, "another one draws others");
    best[0] = best[1] = -1;
    for (int v = 0; v < V; v++)
        if (v != SK_PAD && v != SK_BOS && (best[0] < 0 || logp[v] > logp[best[0]])) {
            best[1] = best[0];
            best[0] = v;
        } else if (v != SK_PAD && v != SK_BOS && (best[1] < 0 || logp[v] > logp[best[1]])) {
            best[1] = v;
        }
    for (int v = 0; v < V; v++)
        if (v != SK_PAD && v != SK_BOS && (from == 0 || v == best[0] || v == best[1]))
            all += p[v] = exp((double)logp[v]);
    is_int(r[0].n, SAMPLES, "as many samples as the beam has");
    for (int i = 0; i < r[0].n; i++)
        seen[r[0].h[i].n ? r[0].h[i].words[0] : SK_EOS]++;
    for (int v = 0; v < V; v++) {
        double expected = SAMPLES * p[v] / all, off = fabs(seen[v] - expected) / sqrt(expected + 1);
        worst = off > worst ? off : worst;
    }
    ok(worst < 4.5, "first words come as often as the model says, from %s (off by %.1f standard deviations)",
       from ? "the two best" : "all", worst);
    for (int i = 0; i < 3; i++)
        sk_beam_result_free(&r[i]);
    sk_model_free(model);
    TEST_OPS.close(dev);
}

/* --- alone and in company ---------------------------------------------------------- */

enum { SENTENCES = 11 };

/* A set of models with one beam. */
struct set { struct sk_device *dev; struct sk_model *model[MODELS]; int n; struct sk_beam *beam; };

static struct set new_set(int threads, int models, const struct sk_beam_options *o, int batch)
{
    struct set s = {.dev = new_device(threads), .n = models};
    for (int i = 0; i < models; i++)
        s.model[i] = new_model(s.dev, 9 + (uint64_t)i);
    s.beam = sk_beam_new(s.model, models, o, batch, LONGEST);
    return s;
}

static void free_set(struct set *s)
{
    sk_beam_free(s->beam);
    for (int i = 0; i < s->n; i++)
        sk_model_free(s->model[i]);
    TEST_OPS.close(s->dev);
}

/* Beams that work at once, on twins of one device and its models. */
enum { CREW = 3 };
struct crew { struct set of; int n; struct sk_device *dev[CREW]; struct sk_model *model[CREW][MODELS]; struct sk_beam *beam[CREW]; };

static struct crew new_crew(int n, int models, const struct sk_beam_options *o, int batch)
{
    struct crew c = {.of = new_set(2, models, o, 1), .n = n};
    for (int i = 0; i < n; i++) {
        c.dev[i] = TEST_OPS.twin(c.of.dev);
        for (int k = 0; k < models; k++)
            c.model[i][k] = sk_model_twin(c.of.model[k], c.dev[i]);
        c.beam[i] = sk_beam_new(c.model[i], models, o, batch, LONGEST);
    }
    return c;
}

static void free_crew(struct crew *c)
{
    for (int i = 0; i < c->n; i++) {
        sk_beam_free(c->beam[i]);
        for (int k = 0; k < c->of.n; k++)
            sk_model_free(c->model[i][k]);
        TEST_OPS.close(c->dev[i]);
    }
    free_set(&c->of);
}

static void count_done(void *ctx, int n)
{
    int *told = ctx;
    *told = n > *told ? n : -1;
}

static void company(const char *name, int models, int wishing, struct sk_beam_options o)
{
    int32_t text[SENTENCES][LONGEST];
    struct sk_sentence source[SENTENCES] = {{0}};
    struct sk_beam_result alone[SENTENCES], together[SENTENCES];
    o.max_output_factor = 1.1;
    o.max_output = OUTPUT;
    for (int i = 0; i < SENTENCES; i++) {
        source[i] = (struct sk_sentence){.word = text[i], .n = i * 5 % LONGEST, .line = i};  /* 0, 5, 10, 3, ... : some are empty */
        for (int k = 0; k < source[i].n; k++)
            text[i][k] = (int32_t)(sk_philox(77, (uint32_t)i, (uint32_t)k, 0, 0).v[0] % (uint32_t)(V - SK_SPECIALS)) + SK_SPECIALS;
    }
    /* Some sentences have wishes, each its own, and some none. */
    struct sk_phrases *asked[SENTENCES] = {NULL}, *shunned[SENTENCES] = {NULL};
    for (int i = 0; wishing && i < SENTENCES; i++) {
        source[i].prefix = text[(i + 1) % SENTENCES];
        source[i].prefixes = i % 4 == 1 ? 2 : 0;
        if (i % 3 == 2)
            source[i].required = asked[i] = phrases((int32_t[]){4 + i, 9, -1, 30, -1, 0}, 2);
        if (i % 2)
            source[i].avoid = shunned[i] = phrases((int32_t[]){5, 7, -1, 4 + i, -1, 0}, 2);
    }
    struct set one = new_set(1, models, &o, 1);
    for (int i = 0; i < SENTENCES; i++)
        sk_beam_search(&one.beam, 1, &source[i], 1, &alone[i], NULL, NULL);
    free_set(&one);
    ok(alone[0].n == 1 && alone[0].h[0].n == 0 && isinf(alone[0].h[0].score), "an empty source gives an empty result");
    static const int batches[] = {1, 3, 9, SENTENCES + 5};
    for (int threads = 1; threads <= 2; threads++)
        for (int k = 0; k < 4; k++) {
            int equal = 0, told = 0;
            struct set set = new_set(threads, models, &o, batches[k]);
            for (int again = 0; again < 2; again++) {            /* nothing is left of an earlier call */
                told = 0;
                sk_beam_search(&set.beam, 1, source, SENTENCES, together, count_done, &told);
                for (int i = 0; i < SENTENCES; i++) {
                    equal += same(&alone[i], &together[i]);
                    sk_beam_result_free(&together[i]);
                }
            }
            free_set(&set);
            is_int(equal, 2 * SENTENCES, "%s, beam %d, batches of %d, %d threads: each sentence has the bits it has alone",
                   name, o.beam_size, batches[k], threads);
            is_int(told, SENTENCES, "all are reported");
        }
    for (int n = 2; n <= CREW; n++) {
        int equal = 0, told = 0;
        struct crew crew = new_crew(n, models, &o, 3);
        sk_beam_search(crew.beam, n, source, SENTENCES, together, count_done, &told);
        free_crew(&crew);
        for (int i = 0; i < SENTENCES; i++) {
            equal += same(&alone[i], &together[i]);
            sk_beam_result_free(&together[i]);
        }
        is_int(equal, SENTENCES, "%s, beam %d, %d beams at once: the same bits", name, o.beam_size, n);
        is_int(told, SENTENCES, "all are reported");
    }
    for (int i = 0; i < SENTENCES; i++) {
        sk_beam_result_free(&alone[i]);
        sk_phrases_free(asked[i]);
        sk_phrases_free(shunned[i]);
    }
}

static void order_and_limit(void)
{
    int32_t text[3] = {4, 5, 6};
    struct sk_sentence source = {.word = text, .n = 3};
    int sorted = 1, within = 1;
    struct sk_beam_options o = {.beam_size = 6, .alpha = 1, .max_output_factor = 0.4, .max_output = OUTPUT, .nbest = 4};
    struct set set = new_set(1, 1, &o, 1);
    struct sk_beam_result r;
    sk_beam_search(&set.beam, 1, &source, 1, &r, NULL, NULL);
    is_int(r.n, 4, "n-best of 4 out of a beam of 6");
    for (int i = 0; i < r.n; i++) {
        within &= r.h[i].n + 1 <= 3;         /* ceil(0.4 * 4) + 1 */
        sorted &= i == 0 || r.h[i - 1].score <= r.h[i].score;
        sorted &= r.h[i].score == -r.h[i].logprob / r.h[i].n;
    }
    ok(sorted, "sorted by score, which is the log probability per word");
    ok(within, "no longer than the length ratio allows");
    sk_beam_result_free(&r);
    free_set(&set);
}

/* A model with itself is the model. */
static void twins(void)
{
    int32_t text[5] = {4, 9, 6, 30, 5};
    struct sk_sentence source = {.word = text, .n = 5};
    struct sk_beam_options o = {.beam_size = 5, .alpha = 1, .max_output_factor = 1.2, .max_output = OUTPUT, .nbest = 5};
    struct sk_beam_result r[3];
    struct sk_device *dev = new_device(1);
    for (int i = 0; i < 3; i++) {
        struct sk_model *m[2] = {new_model(dev, 5), new_model(dev, 5)};
        o.log_linear = i == 2;
        struct sk_beam *b = sk_beam_new(m, i ? 2 : 1, &o, 1, LONGEST);
        sk_beam_search(&b, 1, &source, 1, &r[i], NULL, NULL);
        sk_beam_free(b);
        sk_model_free(m[0]);
        sk_model_free(m[1]);
    }
    TEST_OPS.close(dev);
    ok(same(&r[0], &r[1]), "twice the same model, linear: the bits of the model");
    int near = r[0].n == r[2].n;
    for (int i = 0; near && i < r[0].n; i++)
        near = r[0].h[i].n == r[2].h[i].n && fabs(r[0].h[i].score - r[2].h[i].score) < 1e-5;
    ok(near, "log-linear: its scores");
    for (int i = 0; i < 3; i++)
        sk_beam_result_free(&r[i]);
}

int main(void)
{
#define O(...) (struct sk_beam_options){__VA_ARGS__}
    /* 6 words may follow: at most 1 + 6 + 36 + 216 hypotheses of 4 symbols. */
    against_plain("exhaustive", 1, O(.beam_size = 400, .alpha = 1, .max_output = 4, .nbest = 400));
    against_plain("exhaustive", 1, O(.beam_size = 400, .alpha = 0, .max_output = 4, .nbest = 400));
    against_plain("exhaustive", 1, O(.beam_size = 400, .alpha = 0.6, .beta = 5, .max_output = 4, .nbest = 400));
    V = LARGE;
    end_bias = 2.5f;
    against_plain("greedy", 1, O(.beam_size = 1, .alpha = 1, .max_output = OUTPUT, .nbest = 1));
    against_plain("n best", 1, O(.beam_size = 3, .alpha = 1, .max_output = OUTPUT, .nbest = 3));
    against_plain("n best", 1, O(.beam_size = 5, .alpha = 0, .max_output = OUTPUT, .nbest = 5));
    against_plain("n best", 1, O(.beam_size = 4, .alpha = 1.5, .beta = 1, .max_output = OUTPUT, .nbest = 4));
    /* Fewer than the beam: searches end before all that stay are finished. */
    against_plain("the best", 1, O(.beam_size = 5, .alpha = 0, .max_output = OUTPUT, .nbest = 1));
    against_plain("the best", 1, O(.beam_size = 5, .alpha = 0.3, .beta = 5, .max_output = OUTPUT, .nbest = 1));
    against_plain("some best", 1, O(.beam_size = 8, .alpha = -0.5, .max_output = OUTPUT, .nbest = 3));
    against_plain("the best", 1, O(.beam_size = 8, .alpha = -2, .max_output = OUTPUT, .nbest = 1));
    against_plain("the best", 1, O(.beam_size = 4, .alpha = 2, .max_output = OUTPUT, .nbest = 1));
    against_plain("the best", 1, O(.beam_size = 4, .alpha = 1, .max_output = OUTPUT, .nbest = 1));
    against_plain("pruned", 1, O(.beam_size = 5, .alpha = 1, .max_output = OUTPUT, .nbest = 5, .prune = 0.2));
    against_plain("first", 1, O(.beam_size = 5, .alpha = 1, .max_output = OUTPUT, .nbest = 1, .stop_first = 1));
    against_plain("mean of 2", 2, O(.beam_size = 5, .alpha = 1, .max_output = OUTPUT, .nbest = 5));
    against_plain("log-linear mean of 3", 3,
                  O(.beam_size = 5, .alpha = 1, .max_output = OUTPUT, .nbest = 5, .log_linear = 1));
    company("one model", 1, 0, O(.beam_size = 1, .alpha = 1, .nbest = 1));
    company("one model", 1, 0, O(.beam_size = 5, .alpha = 1, .nbest = 5));
    company("wide", 1, 0, O(.beam_size = 40, .alpha = 1, .nbest = 1));
    company("pruned", 1, 0, O(.beam_size = 5, .alpha = 0, .nbest = 5, .prune = 0.5));
    company("two models", 2, 0, O(.beam_size = 5, .alpha = 1, .nbest = 5));
    company("two models, log-linear", 2, 0, O(.beam_size = 5, .alpha = 1, .nbest = 2, .log_linear = 1));
    company("wishes", 1, 1, O(.beam_size = 1, .alpha = 1, .nbest = 1, .max_asked = 5));
    company("wishes", 1, 1, O(.beam_size = 5, .alpha = 1, .nbest = 5, .max_asked = 5));
    company("wishes, two models", 2, 1, O(.beam_size = 4, .alpha = 0, .nbest = 1, .max_asked = 5));
    company("samples", 1, 0, O(.beam_size = 4, .alpha = 1, .nbest = 4, .samples = 1, .seed = 8));
    company("samples, two models", 2, 0, O(.beam_size = 3, .alpha = 1, .nbest = 3, .samples = 1, .seed = 8));
    company("samples of 3 words", 1, 0, O(.beam_size = 4, .alpha = 1, .nbest = 4, .samples = 1, .sample_from = 3));
    order_and_limit();
    twins();
    V = SMALL;
    end_bias = 0;
    for (int wish = 0; wish < WISHES; wish++)
        exhaustive_wishes(wish);
    drawn(0);
    drawn(2);
    return done_testing();
}
