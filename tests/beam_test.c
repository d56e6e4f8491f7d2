/* beam_test.c - beam search on tiny random models: exhaustive when the beam is
 * wide enough, equal to a plain search that keeps and sorts everything when it
 * is not, and the same bits alone and in company. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "search/beam.h"
#include "tap.h"

enum { SMALL = 9, LARGE = 37, LONGEST = 12, OUTPUT = 8 };
static int V = SMALL;                /* vocabulary of new models */

struct net { struct sk_device *dev; struct sk_model *model; };

static struct net new_net(int threads, uint64_t seed)
{
    struct sk_transformer c = {.vocab = {V, V}, .layers = {1, 1}, .size = {8, 8}, .heads = {2, 2},
                               .feed_forward = {12, 12}, .max_len = {LONGEST, OUTPUT}, .pre = {"n", "n"},
                               .post = {"r", "r"}, .activation = SK_RELU, .positions = SK_POSITIONS_FIXED};
    const char *why = "";
    struct net n = {.dev = sk_ops_cpu.open(threads, &why)};
    n.model = sk_model_new(&c, &sk_ops_cpu, n.dev, NULL);
    const struct sk_params *p = sk_model_params(n.model);
    float *values = sk_xcalloc(p->total, sizeof *values);
    for (int i = 0; i < p->n; i++)
        for (size_t k = 0; k < p->p[i].size; k++) {
            struct sk_rng r = sk_philox(seed, (uint32_t)k, (uint32_t)i, 0, 0);
            values[p->p[i].offset + k] = 2.4f * sk_rng_uniform(r.v[0]) - 1.2f;
        }
    sk_ops_cpu.upload(n.dev, sk_model_data(n.model), values, p->total * sizeof *values);
    sk_model_load_weights(n.model);
    free(values);
    return n;
}

static void free_net(struct net n)
{
    sk_model_free(n.model);
    sk_ops_cpu.close(n.dev);
}

/* --- a plain search -------------------------------------------------------------- */

struct plain { int n, finished; int32_t word[OUTPUT]; double logprob, score; };
struct plains { int n; struct plain *h; };

/* Log probabilities of the word after a prefix, computed from the beginning. */
static void distribution(struct sk_decoder *d, const int32_t *source, int n, const struct plain *h, float *logp)
{
    int32_t ids[LONGEST], offset[2] = {0, n + 1}, zero = 0;
    memcpy(ids, source, (size_t)n * sizeof *ids);
    ids[n] = SK_EOS;
    sk_decoder_encode(d, ids, offset, 1);
    for (int step = 0; step <= h->n; step++) {
        int32_t id = step == 0 ? SK_BOS : h->word[step - 1];
        memcpy(logp, sk_decoder_step(d, step, 1, &id, &zero, &zero), (size_t)V * sizeof *logp);
    }
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

/* Keeps `width` hypotheses after each step; the result is sorted. */
static struct plains plain_search(struct net net, const int32_t *source, int n, int limit, int width,
                                  const struct sk_beam_options *o)
{
    struct sk_decoder *d = sk_decoder_new(net.model, 1, LONGEST, 1, OUTPUT);
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
            distribution(d, source, n, &now.h[k], logp);
            for (int32_t w = 0; w < V; w++) {
                struct plain h = now.h[k];
                if (w == SK_PAD || w == SK_BOS || (step + 1 == limit && w != SK_EOS))
                    continue;
                h.logprob += (double)logp[w];
                h.score = -h.logprob / sk_length_penalty(o, step + 1);
                h.finished = w == SK_EOS;
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
    }
    sk_decoder_free(d);
    return now;
}

static int same_as_plain(const struct sk_beam_result *r, const struct plains *p, int most)
{
    if (r->n != (p->n < most ? p->n : most))
        return 0;
    for (int i = 0; i < r->n; i++)
        if (r->h[i].n != p->h[i].n || r->h[i].score != p->h[i].score ||
            memcmp(r->h[i].words, p->h[i].word, (size_t)r->h[i].n * sizeof *r->h[i].words) != 0)
            return 0;
    return 1;
}

static void against_plain(int width, double alpha, double beta, int max_output)
{
    int equal = 0, all = 0, shorter = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        static const int32_t source[3][4] = {{4}, {5, 8, 1}, {7, 7, 4, 6}};
        static const int length[3] = {1, 3, 4};
        struct net net = new_net(1, seed);
        struct sk_beam_options o = {.beam_size = width, .alpha = alpha, .beta = beta, .max_output_factor = 1.2,
                                    .max_output = max_output, .nbest = width};
        for (int s = 0; s < 3; s++) {
            const int32_t *one = source[s];
            struct sk_beam_result r;
            int limit = (int)ceil(1.2 * (length[s] + 1)) + 1;
            struct sk_beam *b = sk_beam_new(net.model, &o, 2, LONGEST);
            sk_beam_search(b, &one, &length[s], 1, &r);
            sk_beam_free(b);
            struct plains p = plain_search(net, one, length[s], limit < max_output ? limit : max_output, width, &o);
            equal += same_as_plain(&r, &p, width);
            shorter += p.h[0].n + 1 < limit;
            all++;
            free(p.h);
            sk_beam_result_free(&r);
        }
        free_net(net);
    }
    is_int(equal, all, "beam %d, alpha %.1f, beta %.1f, at most %d symbols: words and scores of the plain search "
           "(%d of %d best ones end early)", width, alpha, beta, max_output, shorter, all);
}

/* --- alone and in company ---------------------------------------------------------- */

enum { SENTENCES = 11 };

static int same(const struct sk_beam_result *a, const struct sk_beam_result *b)
{
    int equal = a->n == b->n;
    for (int i = 0; equal && i < a->n; i++)
        equal = a->h[i].n == b->h[i].n && memcmp(&a->h[i].score, &b->h[i].score, sizeof(double)) == 0 &&
                memcmp(a->h[i].words, b->h[i].words, (size_t)a->h[i].n * sizeof(int32_t)) == 0;
    return equal;
}

static void company(int width)
{
    int32_t text[SENTENCES][LONGEST];
    const int32_t *source[SENTENCES];
    int length[SENTENCES];
    struct sk_beam_result alone[SENTENCES], together[SENTENCES];
    struct sk_beam_options o = {.beam_size = width, .alpha = 1, .max_output_factor = 1.1, .max_output = OUTPUT,
                                .nbest = width};
    for (int i = 0; i < SENTENCES; i++) {
        length[i] = i * 5 % LONGEST;         /* 0, 5, 10, 3, ... : one is empty */
        source[i] = text[i];
        for (int k = 0; k < length[i]; k++)
            text[i][k] = (int32_t)(sk_philox(77, (uint32_t)i, (uint32_t)k, 0, 0).v[0] % (uint32_t)(V - SK_SPECIALS)) + SK_SPECIALS;
    }
    struct net net = new_net(1, 9);
    struct sk_beam *b = sk_beam_new(net.model, &o, 1, LONGEST);
    for (int i = 0; i < SENTENCES; i++)
        sk_beam_search(b, &source[i], &length[i], 1, &alone[i]);
    sk_beam_free(b);
    free_net(net);
    ok(alone[0].n == 1 && alone[0].h[0].n == 0 && isinf(alone[0].h[0].score), "an empty source gives an empty result");
    static const int batches[] = {1, 3, SENTENCES + 5};
    for (int threads = 1; threads <= 2; threads++)
        for (int k = 0; k < 3; k++) {
            int equal = 0;
            net = new_net(threads, 9);
            b = sk_beam_new(net.model, &o, batches[k], LONGEST);
            sk_beam_search(b, source, length, SENTENCES, together);
            for (int i = 0; i < SENTENCES; i++) {
                equal += same(&alone[i], &together[i]);
                sk_beam_result_free(&together[i]);
            }
            sk_beam_free(b);
            free_net(net);
            is_int(equal, SENTENCES, "beam %d, batches of %d, %d threads: each sentence has the bits it has alone",
                   width, batches[k], threads);
        }
    for (int i = 0; i < SENTENCES; i++)
        sk_beam_result_free(&alone[i]);
}

static void order_and_limit(void)
{
    int32_t text[3] = {4, 5, 6};
    const int32_t *source = text;
    int length = 3, sorted = 1, within = 1;
    struct net net = new_net(1, 3);
    struct sk_beam_options o = {.beam_size = 6, .alpha = 1, .max_output_factor = 0.4, .max_output = OUTPUT, .nbest = 4};
    struct sk_beam *b = sk_beam_new(net.model, &o, 1, LONGEST);
    struct sk_beam_result r;
    sk_beam_search(b, &source, &length, 1, &r);
    is_int(r.n, 4, "n-best of 4 out of a beam of 6");
    for (int i = 0; i < r.n; i++) {
        within &= r.h[i].n + 1 <= 3;         /* ceil(0.4 * 4) + 1 */
        sorted &= i == 0 || r.h[i - 1].score <= r.h[i].score;
        sorted &= r.h[i].score == -r.h[i].logprob / (r.h[i].n + 1);
    }
    ok(sorted, "sorted by score, which is the log probability per symbol");
    ok(within, "no longer than the length ratio allows");
    sk_beam_result_free(&r);
    sk_beam_free(b);
    free_net(net);
}

int main(void)
{
    /* 6 words may follow: at most 1 + 6 + 36 + 216 hypotheses of 4 symbols. */
    against_plain(400, 1, 0, 4);
    against_plain(400, 0, 0, 4);
    against_plain(400, 0.6, 5, 4);
    V = LARGE;
    against_plain(1, 1, 0, OUTPUT);
    against_plain(3, 1, 0, OUTPUT);
    against_plain(5, 0, 0, OUTPUT);
    against_plain(4, 1.5, 1, OUTPUT);
    company(1);
    company(5);
    order_and_limit();
    return done_testing();
}
