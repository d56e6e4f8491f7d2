/* model.h - what every architecture is held to: golden values of Sockeye
 * 1.18.115, finite differences, and results that must not depend on company,
 * threads or on how a sentence is fed. For tests of src/model. */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/msg.h"
#include "base/rng.h"
#include "model/model.h"
#include "ops.h"
#include "tap.h"

/* What products multiply; with bfloat16 a GPU's rows are narrow too (ops.h). */
static enum sk_dtype numbers = SK_FLOAT32;

static struct sk_device *device(int threads)
{
    const char *why = NULL;
    struct sk_device *d = TEST_OPS.open(threads, &why);
    if (!d) {
        printf("Bail out! cannot open the CPU: %s\n", why);
        exit(1);
    }
    TEST_OPS.set_dtype(d, numbers);
    return d;
}

/* --- batches ------------------------------------------------------------- */

struct text { int n; struct sk_pair pair[64]; int32_t ids[64][2][64]; };

static void random_text(struct text *t, int n, int vs, int vt, uint64_t seed)
{
    t->n = n;
    for (int i = 0; i < n; i++) {
        struct sk_rng r = sk_philox(seed, (uint32_t)i, 0, 0, 0);
        struct sk_pair *p = &t->pair[i];
        *p = (struct sk_pair){i + 100, 1 + (int)(r.v[0] % 9), 1 + (int)(r.v[1] % 9), t->ids[i][0], t->ids[i][1]};
        for (int j = 0; j < 16; j++) {
            r = sk_philox(seed, (uint32_t)i, (uint32_t)j, 1, 0);
            t->ids[i][0][j] = 4 + (int32_t)(r.v[0] % (uint32_t)(vs - 4));
            t->ids[i][1][j] = 4 + (int32_t)(r.v[1] % (uint32_t)(vt - 4));
        }
    }
}

static const struct sk_batch_limits limits = {16, 200, 200, 4, 20, 20};

/* --- golden ------------------------------------------------------------------ */

static void flat(const json_t *a, double *out, size_t *n)
{
    if (!json_is_array(a)) {
        out[(*n)++] = json_number_value(a);
        return;
    }
    for (size_t i = 0; i < json_array_size(a); i++) flat(json_array_get(a, i), out, n);
}

/* c: sizes of the golden model. */
static void golden(const char *path, struct sk_model_config c)
{
    json_error_t e;
    json_t *g = json_load_file(path, 0, &e);
    if (!g) {
        ok(0, "%s: %s", path, e.text);
        return;
    }
    struct sk_device *d = device(2);
    struct sk_model *m = sk_model_new(&c, &TEST_OPS, d, &limits);
    const struct sk_params *t = sk_model_params(m);
    float *data = sk_model_data(m);
    double *value = sk_xcalloc(t->total, sizeof *value);
    json_t *params = json_object_get(g, "params");
    is_int(t->n, (long long)json_object_size(params), "the table has as many parameters as Sockeye's");
    for (int i = 0; i < t->n; i++) {
        json_t *p = json_object_get(params, t->p[i].name);
        if (!p) {
            ok(0, "%s is in the golden file", t->p[i].name);
            continue;
        }
        size_t n = 0;
        flat(json_object_get(p, "data"), value, &n);
        if (n != t->p[i].size) ok(0, "%s has the golden size", t->p[i].name);
        for (size_t k = 0; k < t->p[i].size; k++) data[t->p[i].offset + k] = (float)value[k];
    }
    sk_model_load_weights(m);

    struct text x;
    memset(&x, 0, sizeof x);
    x.n = 3;
    for (int i = 0; i < 3; i++) {
        const char *side[] = {"source_ids", "target_ids"};
        int length[2] = {0, 0};
        for (int s = 0; s < 2; s++) {
            json_t *ids = json_array_get(json_object_get(g, side[s]), (size_t)i);
            for (size_t k = 0; k < json_array_size(ids); k++) {
                int id = (int)json_integer_value(json_array_get(ids, k));
                if (id != 0 && id != 2 && id != 3) x.ids[i][s][length[s]++] = id;
            }
        }
        x.pair[i] = (struct sk_pair){i, length[0], length[1], x.ids[i][0], x.ids[i][1]};
    }
    struct sk_batch b;
    sk_batch_init(&b, &limits);
    sk_batch_pack(&b, &limits, x.pair, x.n);

    static const struct { const char *name; float smoothing; int valid; } cases[] = {
        {"label_smoothing=0,norm=valid", 0, 1}, {"label_smoothing=0.1,norm=valid", 0.1F, 1},
        {"label_smoothing=0.1,norm=batch", 0.1F, 0}};
    for (int k = 0; k < 3; k++) {
        json_t *want = json_object_get(json_object_get(g, "cases"), cases[k].name);
        json_t *metrics = json_object_get(want, "metrics"), *grads = json_object_get(want, "grads");
        struct sk_loss loss;
        float scale = cases[k].valid ? 1.0F / (float)b.target_rows : 1;   /* batch: divided by the optimizer */
        sk_model_gradient(m, &b, 1, 1, cases[k].smoothing, scale, &loss);
        double ppl = exp(loss.nll / (double)loss.labels), expected = json_number_value(json_object_get(metrics, "perplexity"));
        ok(fabs(ppl - expected) < 1e-4 * expected, "%s: perplexity %.7f, golden %.7f", cases[k].name, ppl, expected);
        double accuracy = (double)loss.correct / (double)loss.labels;
        ok(fabs(accuracy - json_number_value(json_object_get(metrics, "accuracy"))) < 1e-9, "%s: accuracy",
           cases[k].name);
        double norm = sqrt(TEST_OPS.sum_squares(d, sk_model_gradients(m), t->total));
        double golden_norm = json_number_value(json_object_get(want, "global_grad_norm"));
        ok(fabs(norm - golden_norm) < 1e-4 * golden_norm, "%s: gradient norm %.7f, golden %.7f", cases[k].name, norm,
           golden_norm);
        double worst = 0;
        const char *where = "";
        for (int i = 0; grads && i < t->n; i++) {
            size_t n = 0;
            flat(json_object_get(json_object_get(grads, t->p[i].name), "data"), value, &n);
            double largest = 0, difference = 0;
            for (size_t j = 0; j < n; j++) {
                double have = (double)sk_model_gradients(m)[t->p[i].offset + j];
                if (fabs(value[j]) > largest) largest = fabs(value[j]);
                if (!(fabs(have - value[j]) <= difference)) difference = fabs(have - value[j]);
            }
            if (n != t->p[i].size || !(difference <= worst * largest)) {
                worst = n == t->p[i].size ? difference / largest : INFINITY;
                where = t->p[i].name;
            }
        }
        if (grads)
            ok(worst < 1e-4, "%s: each gradient within 1e-4 of its tensor's largest (worst %.2g, %s)", cases[k].name,
               worst, where);
    }
    sk_batch_free(&b);
    sk_model_free(m);
    TEST_OPS.close(d);
    free(value);
    json_decref(g);
}

/* --- checks of any shape ------------------------------------------------------ */

struct shape { const char *name; struct sk_model_config c; };

/* Combination i of word i and factors of some kind. */
static int32_t combinations[64][1 + SK_FACTORS_MAX];
static const int32_t *combination_rows;
static void combine(const struct sk_factors *f, int words)
{
    int32_t *to = combinations[0];
    for (int i = 0; i < words && i < 64; i++)
        for (int k = 0; k <= f->n; k++)
            *to++ = k == 0 || i < SK_SPECIALS ? i : SK_SPECIALS + (5 * i + k) % (f->vocab[k - 1] - SK_SPECIALS);
    combination_rows = combinations[0];
}

static struct sk_model *model_on(const struct sk_ops *ops, const struct sk_model_config *c, struct sk_device *d, int train)
{
    struct sk_model *m = sk_model_new(c, ops, d, train ? &limits : NULL);
    struct sk_init_options o = {.seed = 7, .xavier = 1, .scale = 3, .factor = 'a', .source_vocab = c->vocab[0]};
    sk_params_init(sk_model_params(m), sk_model_data(m), &o);
    /* Away from the symmetric start: biases and norms too. */
    const struct sk_params *t = sk_model_params(m);
    for (int i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->p[i].size; k++) {
            struct sk_rng r = sk_philox(99, (uint32_t)i, (uint32_t)k, 0, 0);
            sk_model_data(m)[t->p[i].offset + k] += 0.2F * (sk_rng_uniform(r.v[0]) - 0.5F);
        }
    combine(&c->factors, c->vocab[0]);
    sk_model_combinations(m, &combination_rows);
    sk_model_load_weights(m);
    return m;
}
static struct sk_model *model(const struct sk_model_config *c, struct sk_device *d, int train)
{
    return model_on(&TEST_OPS, c, d, train);
}

/* The gradients that the CPU finds, of a model with dropout. */
static TAP_MAYBE void beside_cpu(const struct shape *s)
{
    const struct sk_ops *of[2] = {&sk_ops_cpu, &TEST_OPS};
    static struct text x;
    struct sk_batch b;
    struct sk_loss loss[2];
    float *g[2] = {NULL, NULL};
    double worst = 0;
    const char *where = "", *why = "";
    struct sk_params t = {0};
    random_text(&x, 12, s->c.vocab[0], s->c.vocab[1], 3);
    sk_batch_init(&b, &limits);
    sk_batch_pack(&b, &limits, x.pair, x.n);
    sk_model_table(&s->c, &t);
    for (int i = 0; i < 2; i++) {
        struct sk_device *d = of[i]->open(1, &why);
        of[i]->set_dtype(d, numbers);
        struct sk_model *m = model_on(of[i], &s->c, d, 1);
        sk_model_gradient(m, &b, 5, 9, 0.1F, 0.5F, &loss[i]);
        g[i] = sk_xcalloc(t.total, sizeof **g);
        of[i]->download(d, g[i], sk_model_gradients(m), t.total * sizeof **g);
        sk_model_free(m);
        of[i]->close(d);
    }
    for (int i = 0; i < t.n; i++) {
        double largest = 0, difference = 0;
        for (size_t k = t.p[i].offset; k < t.p[i].offset + t.p[i].size; k++) {
            largest = fmax(largest, fabs((double)g[0][k]));
            if (!(fabs((double)g[1][k] - (double)g[0][k]) <= difference)) difference = fabs((double)g[1][k] - (double)g[0][k]);
        }
        if (!(difference <= worst * largest)) {
            worst = largest > 0 ? difference / largest : difference;
            where = t.p[i].name;
        }
    }
    int narrow = numbers == SK_BFLOAT16;
    double off = fabs(loss[1].nll - loss[0].nll) / loss[0].nll;
    /* Queries matter little before training: their gradients are differences of like sums. */
    ok(worst < (narrow ? 0.1 : 1e-4), "%s, %s: gradients are the CPU's (worst %.2g, %s)", s->name,
       sk_dtype_name(numbers), worst, where);
    ok(off < (narrow ? 3e-3 : 1e-6) && (narrow || loss[0].correct == loss[1].correct), "%s: so are losses (off by %.2g)",
       s->name, off);
    for (int i = 0; i < 2; i++) free(g[i]);
    sk_batch_free(&b);
    sk_params_free(&t);
}

/* Along a random direction of one parameter the loss changes as the gradient says;
 * eps: small against the curvature, large against rounding. */
static TAP_MAYBE void differences(const struct shape *s, double eps)
{
    struct sk_device *d = device(1);
    struct sk_model *m = model(&s->c, d, 1);
    const struct sk_params *t = sk_model_params(m);
    float *data = sk_model_data(m), *g = sk_xcalloc(t->total, sizeof *g), *keep = sk_xcalloc(t->total, sizeof *keep);
    static struct text x;
    random_text(&x, 12, s->c.vocab[0], s->c.vocab[1], 3);
    struct sk_batch b;
    sk_batch_init(&b, &limits);
    sk_batch_pack(&b, &limits, x.pair, x.n);
    struct sk_loss loss;
    sk_model_gradient(m, &b, 5, 9, 0, 1, &loss);
    memcpy(g, sk_model_gradients(m), t->total * sizeof *g);
    memcpy(keep, data, t->total * sizeof *keep);
    double worst = 0;
    const char *where = "";
    for (int i = 0; i < t->n; i++) {
        const struct sk_param *p = &t->p[i];
        double slope = 0, norm = 0, value[2];
        for (size_t k = 0; k < p->size; k++) norm += (double)g[p->offset + k] * (double)g[p->offset + k];
        norm = sqrt(norm);
        if (norm == 0) norm = 1;
        /* Along the gradient (signal) plus noise (wrong entries show). */
        float *dir = sk_xcalloc(p->size, sizeof *dir);
        double length = 0;
        for (size_t k = 0; k < p->size; k++) {
            struct sk_rng r = sk_philox(17, (uint32_t)i, (uint32_t)k, 0, 0);
            dir[k] = (float)((double)g[p->offset + k] / norm * sqrt((double)p->size)) + sk_rng_uniform(r.v[0]) - 0.5F;
            length += (double)dir[k] * (double)dir[k];
        }
        length = sqrt(length);
        for (int side = 0; side < 2; side++) {
            for (size_t k = 0; k < p->size; k++)
                data[p->offset + k] = keep[p->offset + k] + (float)((side ? -eps : eps) * (double)dir[k] / length);
            sk_model_load_weights(m);
            struct sk_loss l;
            sk_model_gradient(m, &b, 5, 9, 0, 1, &l);
            value[side] = l.nll;
        }
        /* The step really made, after rounding to float. */
        for (size_t k = 0; k < p->size; k++) {
            float up = keep[p->offset + k] + (float)(eps * (double)dir[k] / length);
            float down = keep[p->offset + k] + (float)(-eps * (double)dir[k] / length);
            slope += (double)g[p->offset + k] * ((double)up - (double)down);
            data[p->offset + k] = keep[p->offset + k];
        }
        free(dir);
        double error = fabs(value[0] - value[1] - slope) / (fabs(slope) + 2e-4);
        if (!(error <= worst)) {
            worst = error;
            where = p->name;
        }
    }
    ok(worst < 0.02, "%s: gradients agree with differences (worst %.2g, %s)", s->name, worst, where);
    sk_batch_free(&b);
    sk_model_free(m);
    TEST_OPS.close(d);
    free(g);
    free(keep);
}

/* The same bits with 1, 2 and 8 threads; a sentence's losses alone and in company. */
static void company(const struct shape *s)
{
    static struct text x;
    random_text(&x, 12, s->c.vocab[0], s->c.vocab[1], 4);
    float *first = NULL, all[200], alone[200];
    int same = 1, lonely = 1;
    for (int threads = 1; threads <= (TEST_CUDA ? 1 : 8); threads += threads == 1 ? 1 : 6) {
        struct sk_device *d = device(threads);
        struct sk_model *m = model(&s->c, d, 1);
        const struct sk_params *t = sk_model_params(m);
        struct sk_batch b;
        struct sk_loss loss;
        sk_batch_init(&b, &limits);
        sk_batch_pack(&b, &limits, x.pair, x.n);
        sk_model_gradient(m, &b, 5, 9, 0.1F, 0.01F, &loss);
        if (!first) {
            first = sk_xcalloc(t->total, sizeof *first);
            memcpy(first, sk_model_gradients(m), t->total * sizeof *first);
        } else if (memcmp(first, sk_model_gradients(m), t->total * sizeof *first)) {
            same = 0;
        }
        sk_model_loss(m, &b, all, &loss);
        for (int i = 0; i < x.n; i++) {
            struct sk_batch one;
            sk_batch_init(&one, &limits);
            sk_batch_pack(&one, &limits, &x.pair[i], 1);
            sk_model_loss(m, &one, alone, &loss);
            for (int k = 0; k < b.sentences; k++)
                if (b.ordinal[k] == x.pair[i].ordinal &&
                    memcmp(alone, all + b.target_offset[k], (size_t)one.target_rows * sizeof *alone))
                    lonely = 0;
            sk_batch_free(&one);
        }
        sk_batch_free(&b);
        sk_model_free(m);
        TEST_OPS.close(d);
    }
    free(first);
    ok(same, "%s: the same gradients with 1, 2 and 8 threads", s->name);
    ok(lonely, "%s: a sentence's losses are the same alone and in company", s->name);
}

/* Takes what the regions hold as soon as they are ready. */
struct early { struct sk_model *m; int regions, calls; float *into; };

static void ready(void *ctx, int regions)
{
    struct early *e = ctx;
    const struct sk_model_region *region;
    sk_model_regions(e->m, &region);
    for (; e->regions < regions; e->into += region[e->regions++].n)
        memcpy(e->into, region[e->regions].data, region[e->regions].n * sizeof *e->into);
    e->calls++;
}

/* Aligned ranges of leaves, summed pair by pair, give the bits of all leaves at
 * once: with 12 sentences, and with fewer than there are leaves. */
static void parts(const struct shape *s)
{
    static struct text x;
    struct sk_device *d = device(2);
    struct sk_model *m = model(&s->c, d, 1);
    const struct sk_model_region *region;
    int regions = sk_model_regions(m, &region), same = 1, losses = 1;
    struct early early;
    size_t total = 0, most = sk_model_params(m)->total;
    for (int i = 0; i < regions; i++) total += region[i].n;
    float *whole = sk_xcalloc(most, sizeof *whole), *sum = sk_xcalloc(4 * total, sizeof *sum);
    for (int sentences = 3; sentences <= 12; sentences += 9) {
        struct sk_batch b, part;
        struct sk_loss loss, of_part;
        random_text(&x, sentences, s->c.vocab[0], s->c.vocab[1], 4);
        sk_batch_init(&b, &limits);
        sk_batch_part_init(&part, &limits);
        sk_batch_pack(&b, &limits, x.pair, x.n);
        sk_model_gradient(m, &b, 5, 9, 0.1F, 0.01F, &loss);
        memcpy(whole, sk_model_gradients(m), most * sizeof *whole);
        for (int width = 1; width <= b.leaves; width *= 2) {
            double nll[4];
            int n = b.leaves / width;
            for (int i = 0; i < n; i++) {
                sk_batch_part(&part, &b, i * width, width);
                early = (struct early){m, 0, 0, sum + (size_t)i * total};
                sk_model_gradient_part(m, &part, 5, 9, 0.1F, 0.01F, &of_part, ready, &early);
                nll[i] = of_part.nll;
                same = same && early.regions == regions && (early.calls > 1 || !part.sentences);
            }
            for (int step = 1; step < n; step *= 2)
                for (int i = 0; i < n; i += 2 * step) {
                    nll[i] += nll[i + step];
                    for (size_t k = 0; k < total; k++)
                        sum[(size_t)i * total + k] += sum[(size_t)(i + step) * total + k];
                }
            for (size_t r = 0, at = 0; r < (size_t)regions; at += region[r++].n)
                memcpy(region[r].data, sum + at, region[r].n * sizeof *sum);
            sk_model_gradient_finish(m);
            same = same && !memcmp(whole, sk_model_gradients(m), most * sizeof *whole);
            losses = losses && nll[0] == loss.nll;
        }
        sk_batch_part_free(&part);
        sk_batch_free(&b);
    }
    ok(same, "%s: gradients summed over parts of an update are those of the whole", s->name);
    ok(losses, "%s: losses too", s->name);
    free(whole);
    free(sum);
    sk_model_free(m);
    TEST_OPS.close(d);
}

/* Fed step by step, and given as whole translations, a model for translating
 * has the probabilities of the training pass; in both ways the same bits. */
static void steps(const struct shape *s)
{
    static struct text x;
    random_text(&x, 5, s->c.vocab[0], s->c.vocab[1], 6);
    struct sk_device *d = device(2);
    struct sk_model *m = model(&s->c, d, 1), *t = model(&s->c, d, 0);
    struct sk_batch b;
    struct sk_loss loss;
    float nll[200], logp[200];
    sk_batch_init(&b, &limits);
    sk_batch_pack(&b, &limits, x.pair, x.n);
    sk_model_loss(m, &b, nll, &loss);
    struct sk_forced *forced = sk_forced_new(t, &limits);
    sk_forced_logprob(forced, &b, logp);
    sk_forced_free(forced);
    double worst = 0;
    for (int i = 0; i < b.target_rows; i++)
        if (!(fabs((double)logp[i] + (double)nll[i]) <= worst)) worst = fabs((double)logp[i] + (double)nll[i]);
    ok(worst < 1e-5, "%s: log probabilities of given words are those of training (worst difference %.2g)", s->name,
       worst);

    enum { AT_ONCE = 5, BEAM = 3 };
    struct sk_decoder *dec = sk_decoder_new(t, AT_ONCE, 100, BEAM, 20);
    int R = b.sentences, longest = 0, equal = 0, all = 0;
    int32_t slot[8], position[8], first[9], id[8 * BEAM], parent[8 * BEAM], label[8 * BEAM], order[8], before[8] = {0};
    float found[8 * BEAM];
    for (int i = 0; i < R; i++) slot[i] = R - 1 - i;
    sk_decoder_encode(dec, b.source, b.source_offset, R, slot);
    for (int k = 0; k < R; k++)
        if (b.target_offset[k + 1] - b.target_offset[k] > longest) longest = b.target_offset[k + 1] - b.target_offset[k];
    /* Sentence k starts at step k, so that positions differ; among `rows` rows
     * of its own the true one moves, the others stray. */
    for (int step = 0; step < longest + R; step++) {
        int n = 0, G = 0;
        for (int i = 0; i < R; i++) {
            int k = step % 2 ? R - 1 - i : i, at = step - k, rows = 1 + (step + k) % BEAM;
            if (at < 0 || at >= b.target_offset[k + 1] - b.target_offset[k]) continue;
            int truth = (3 * step + k) % rows;
            order[G] = k;
            position[G] = at;
            first[G] = n;
            for (int r = 0; r < rows; r++, n++) {
                int row = b.target_offset[k] + at;
                id[n] = r == truth ? b.target[row] : SK_SPECIALS;
                parent[n] = before[k];
                label[n] = b.label[row];
            }
            before[k] = truth;
            slot[G++] = R - 1 - k;
        }
        if (!G) continue;
        first[G] = n;
        struct sk_decoder_rows in = {G, slot, position, first, id, parent};
        struct sk_top top = {.label = label, .label_logp = found};
        sk_decoder_step(dec, &in);
        sk_decoder_top(&dec, 1, 0, &top);
        for (int g = 0; g < G; g++, all++)
            equal += found[first[g] + before[order[g]]] == logp[b.target_offset[order[g]] + position[g]];
    }
    ok(equal == all && all == b.target_rows, "%s: step by step the same bits (%d of %d)", s->name, equal, all);
    sk_decoder_free(dec);
    sk_batch_free(&b);
    sk_model_free(m);
    sk_model_free(t);
    TEST_OPS.close(d);
}
#endif
