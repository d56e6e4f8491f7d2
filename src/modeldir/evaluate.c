/* evaluate.c - one evaluation of one checkpoint, under its claim. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/claim.h"
#include "modeldir/evaluate.h"
#include "modeldir/heldout.h"
#include "modeldir/open.h"
#include "modeldir/paths.h"
#include "score/scoring.h"
#include "search/translate.h"

struct progress { int checkpoint; double start; };

static void show(void *ctx, int64_t done, int64_t all)
{
    const struct progress *p = ctx;
    sk_live("checkpoint %d: %lld of %lld sentences translated, %.1f/s", p->checkpoint, (long long)done,
            (long long)all, (double)done / (sk_now() - p->start));
}

/* Translates `source` with the checkpoint; out gets one line for each line. */
static int translate(const char *dir, int checkpoint, const struct sk_evaluate_options *o, const struct sk_ops *ops,
                     struct sk_device *dev, const struct sk_text *source, struct sk_str *out, struct sk_evaluated *r,
                     char params[SK_HASH_HEX])
{
    struct sk_trained t;
    char which[16];
    snprintf(which, sizeof which, "%d", checkpoint);
    if (sk_trained_open(&t, dir, which, ops, dev))
        return -1;
    struct progress progress = {checkpoint, sk_now()};
    struct sk_translate_options options = {
        .beam = {.beam_size = o->beam_size, .alpha = o->alpha, .beta = o->beta, .nbest = 1},
        .batch = o->batch, .factored = sk_trained_factored(&t), .progress = show, .ctx = &progress};
    sk_translate_limits(&options, &t.config.model, t.config.max_seq_len[0], 0, t.config.length_ratio_mean,
                        t.config.length_ratio_std, o->num_stds);
    struct sk_translator *translator = sk_translator_new(&t.model, 1, t.source, t.target, &options);
    struct sk_translation *found = sk_xcalloc((size_t)source->n, sizeof *found);
    sk_translate(translator, source->line, NULL, source->n, found);
    r->seconds = sk_now() - progress.start;
    for (long long i = 0; i < source->n; i++) {
        sk_str_add(out, found[i].text, strlen(found[i].text));
        sk_str_add(out, "\n", 1);
        r->words += found[i].words;
    }
    sk_translation_free(found, source->n);
    free(found);
    sk_translator_free(translator);
    memcpy(params, t.hash, SK_HASH_HEX);
    sk_trained_close(&t);
    return 0;
}

/* --- scores --------------------------------------------------------------------- */

/* What is stored with a checkpoint, as Sockeye scores checkpoints: tokens as
 * they are, 0..1. */
static const struct { const char *name; struct sk_measure_options measure; } stored_scores[] = {
    {"bleu-val", {.kind = SK_SCORE_BLEU, .bleu = {.tokenizer = SK_BLEU_NONE, .smoothing = SK_BLEU_OFFSET,
                                                  .value = 0.01, .effective_order = 1}}},
    {"chrf-val", {.kind = SK_SCORE_CHRF, .chrf = {.char_order = 6, .beta = 2}}},
    {"ter-val", {.kind = SK_SCORE_TER}},
    {"rouge1-val", {.kind = SK_SCORE_ROUGE1}},
    {"rouge2-val", {.kind = SK_SCORE_ROUGE2}},
    {"rougel-val", {.kind = SK_SCORE_ROUGEL}},
};
enum { STORED_SCORES = sizeof stored_scores / sizeof stored_scores[0] };

static void score(const struct sk_text *hyp, const struct sk_text *ref, const struct sk_measure_options *measure, int measures,
                  double *value)
{
    struct sk_scoring s;
    sk_scoring_open(&s, measure, measures, 1, 1, 0);
    for (long long i = 0; i < ref->n; i++) {
        struct sk_line h = {hyp->line[i], strlen(hyp->line[i])}, r = {ref->line[i], strlen(ref->line[i])};
        sk_scoring_add(&s, &(struct sk_segment){&r, 1, &h}, 1);
    }
    for (int k = 0; k < measures; k++)
        value[k] = sk_scoring_value(&s, 0, k);
    sk_scoring_close(&s);
}

/* The scores to return, and those to store into `metrics`. */
static void score_all(const struct sk_text *hyp, const struct sk_text *ref, const struct sk_evaluate_options *o,
                      int checkpoint, struct sk_metrics *metrics, struct sk_evaluated *r)
{
    struct sk_measure_options measure[STORED_SCORES];
    double value[STORED_SCORES];
    for (int k = 0; k < STORED_SCORES; k++)
        measure[k] = stored_scores[k].measure;
    score(hyp, ref, measure, STORED_SCORES, value);
    for (int k = 0; k < STORED_SCORES; k++)
        sk_metrics_set_number(metrics, checkpoint, stored_scores[k].name, value[k] / 100);
    r->bleu_val = value[0] / 100;
    score(hyp, ref, o->measure, o->measures, r->score);
}

/* The stored translations, if they are whole: 1; 0: they do not serve; -1. */
static int load_stored(const char *dir, const struct sk_evaluation *e, const struct sk_text *ref, struct sk_text *hyp)
{
    char *out = sk_md_eval(dir, e->checkpoint, "out");
    char hex[SK_HASH_HEX];
    int serves = sk_file_exists(out);
    if (serves > 0)
        serves = sk_hash_file(out, hex) ? -1 : strcmp(hex, e->out) == 0;
    if (serves > 0 && sk_text_load(hyp, out) < 0)
        serves = -1;
    if (serves > 0 && hyp->n != ref->n)
        serves = 0;
    free(out);
    return serves;
}

static void split_lines(char *text, struct sk_text *t, long long n)
{
    t->line = sk_xcalloc((size_t)n, sizeof *t->line);
    for (t->n = 0; t->n < n; t->n++) {
        char *end = strchr(text, '\n');
        *end = 0;
        t->line[t->n] = sk_xstrdup(text);
        *end = '\n';
        text = end + 1;
    }
}

/* Translates until the parameters that were loaded are those that are there: a
 * training that is extended may withdraw a checkpoint and make it anew. */
static int translate_present(const char *dir, struct sk_evaluation *wanted, const struct sk_evaluate_options *o,
                             const struct sk_ops *ops, struct sk_device *dev, const struct sk_text *source,
                             struct sk_str *out, struct sk_evaluated *r)
{
    char present[SK_HASH_HEX];
    for (;;) {
        sk_str_clear(out);
        r->words = 0;
        if (translate(dir, wanted->checkpoint, o, ops, dev, source, out, r, wanted->params) < 0)
            return -1;
        int there = sk_evaluation_params_hash(dir, wanted->checkpoint, present);
        if (there < 0 || (there > 0 && strcmp(present, wanted->params) == 0))
            return there < 0 ? -1 : 0;
        if (there == 0)
            return sk_fail(SK_EXIT_TEMP, "%s: checkpoint %d was withdrawn while it was translated", dir,
                           wanted->checkpoint);
        sk_info("checkpoint %d was made anew while it was translated: once more", wanted->checkpoint);
    }
}

/* With the claim held. */
static int evaluate(const char *dir, struct sk_evaluation *wanted, int claim, const struct sk_evaluate_options *o,
                    const struct sk_ops *ops, struct sk_device *dev, const struct sk_heldout *text,
                    struct sk_evaluated *r)
{
    struct sk_evaluation stored = {.checkpoint = 0};
    struct sk_text hyp = {0};
    struct sk_str out = {0};
    char present[SK_HASH_HEX];
    int n = wanted->checkpoint, there = sk_evaluation_load(&stored, dir, n), result = there < 0 ? -1 : 0;
    int serves = 0, stale = 0;
    if (there > 0) {
        int params = sk_evaluation_params_hash(dir, n, present);
        stale = params > 0 && strcmp(present, stored.params) != 0;
        serves = params < 0 ? -1 : !stale && sk_evaluation_same_search(&stored, wanted)
            ? load_stored(dir, &stored, &text->reference, &hyp) : 0;
        result = serves < 0 ? -1 : 0;
    }
    if (result == 0 && !serves) {
        result = translate_present(dir, wanted, o, ops, dev, &text->source, &out, r);
        sk_text_free(&hyp);
        if (result == 0)
            split_lines(out.text, &hyp, text->source.n);
    }
    if (result == 0) {
        score_all(&hyp, &text->reference, o, n, &wanted->metrics, r);
        r->stored = serves;
    }
    if (result == 0 && (!there || stale)) {
        sk_metrics_set_number(&wanted->metrics, n, "decode-walltime-val", r->seconds);
        sk_metrics_set_number(&wanted->metrics, n, "avg-sec-per-sent-val", r->seconds / (double)r->sentences);
        if (stale)
            sk_info("eval/%05d.json was of other parameters: it is replaced", n);
        result = sk_claim_fence(claim, dir, n);
        if (result == 0 && stale)
            result = sk_evaluation_remove(dir, n);
        if (result == 0)
            result = sk_evaluation_publish(wanted, dir, out.text, out.len);
        r->stored = result >= 0;
        result = result < 0 ? -1 : 0;
    }
    sk_str_free(&out);
    sk_text_free(&hyp);
    sk_evaluation_free(&stored);
    return result;
}

int sk_evaluate_claimed(const char *dir, int checkpoint, int claim, const struct sk_evaluate_options *o,
                        const struct sk_ops *ops, struct sk_device *dev, struct sk_evaluated *r)
{
    struct sk_evaluation wanted = {.checkpoint = checkpoint, .dtype = o->dtype, .beam_size = o->beam_size,
                                   .num_stds = o->num_stds < 0 ? -1 : o->num_stds, .alpha = o->alpha, .beta = o->beta};
    struct sk_heldout text;
    *r = (struct sk_evaluated){0};
    if (sk_heldout_load(&text, dir, o->sample == SK_SAMPLE_OF_TRAINING ? sk_heldout_wanted(dir) : o->sample, o->seed) < 0)
        return -1;
    r->sentences = wanted.sentences = text.source.n;
    wanted.seed = text.seed;
    int result = sk_evaluation_sweep(dir, checkpoint);
    if (result == 0)
        result = evaluate(dir, &wanted, claim, o, ops, dev, &text, r);
    sk_evaluation_free(&wanted);
    sk_heldout_free(&text);
    return result;
}

/* Is there anything to evaluate? A claim on nothing would stay for ever. */
static int check_there(const char *dir, int checkpoint)
{
    char *params = sk_md_checkpoint(dir, "params", checkpoint), *record = sk_md_eval(dir, checkpoint, "json");
    int there = sk_file_exists(params);
    if (there == 0)
        there = sk_file_exists(record);
    if (there == 0)
        sk_fail(SK_EXIT_NOINPUT, "%s has no checkpoint %d: there is no %s", dir, checkpoint, params);
    free(params);
    free(record);
    return there > 0 ? 0 : -1;
}

int sk_evaluate_checkpoint(const char *dir, int checkpoint, const struct sk_evaluate_options *o,
                           const struct sk_ops *ops, struct sk_device *dev, struct sk_evaluated *r)
{
    *r = (struct sk_evaluated){0};
    int claim = check_there(dir, checkpoint) == 0 ? sk_claim_take(dir, checkpoint) : -1;
    if (claim < 0)
        return -1;
    int result = sk_evaluate_claimed(dir, checkpoint, claim, o, ops, dev, r);
    sk_claim_release(claim);
    if (result == 0 && r->stored) {
        r->merged = sk_evaluation_merge_now(dir, checkpoint);
        result = r->merged < 0 ? -1 : 0;
    }
    return result;
}
