/* measure.c - calls the metric that is meant. */
#include <stdlib.h>
#include <string.h>
#include "base/opt.h"
#include "score/measure.h"

struct sk_measure {
    enum sk_measure_kind kind;
    struct sk_bleu *bleu;            /* one of them */
    struct sk_chrf *chrf;
    struct sk_ter *ter;
    struct sk_rouge *rouge;
};

int sk_measure_kind(const char *name)
{
    static const char *const names[SK_MEASURES] = {"bleu", "chrf", "ter", "rouge1", "rouge2", "rougel"};
    for (int i = 0; i < SK_MEASURES; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return -1;
}

int sk_measure_stats(const struct sk_measure_options *o)
{
    switch (o->kind) {
    case SK_SCORE_BLEU: return SK_BLEU_STATS;
    case SK_SCORE_CHRF: return 3 * (o->chrf.char_order + o->chrf.word_order);
    case SK_SCORE_TER: return SK_TER_STATS;
    default: return SK_ROUGE_STATS;
    }
}

double sk_measure_value(const struct sk_measure_options *o, const double *stats)
{
    switch (o->kind) {
    case SK_SCORE_BLEU: return sk_bleu_value(&o->bleu, stats);
    case SK_SCORE_CHRF: return sk_chrf_value(&o->chrf, stats);
    case SK_SCORE_TER: return sk_ter_value(stats);
    default: return sk_rouge_value(stats);
    }
}

void sk_measure_name(const struct sk_measure_options *o, struct sk_str *out)
{
    static const char *const names[SK_MEASURES] = {"BLEU", NULL, "TER", "ROUGE-1", "ROUGE-2", "ROUGE-L"};
    if (o->kind == SK_SCORE_CHRF)
        sk_chrf_name(&o->chrf, out);
    else
        sk_str_add(out, names[o->kind], strlen(names[o->kind]));
}

void sk_measure_signature(const struct sk_measure_options *o, int references, int samples, unsigned long long seed,
                         struct sk_str *out)
{
    sk_measure_name(o, out);
    if (references > 0)
        sk_str_printf(out, "|nrefs:%d|", references);
    else
        sk_str_printf(out, "|nrefs:var|");
    if (samples > 0)
        sk_str_printf(out, "bs:%d|seed:%llu|", samples, seed);
    if (o->kind == SK_SCORE_BLEU)
        sk_bleu_signature(&o->bleu, out);
    else if (o->kind == SK_SCORE_CHRF)
        sk_chrf_signature(&o->chrf, out);
    else if (o->kind == SK_SCORE_TER)
        sk_ter_signature(&o->ter, out);
    else
        sk_str_printf(out, "case:mixed|tok:none");
    sk_str_printf(out, "|version:sk-%s", SK_VERSION);
}

struct sk_measure *sk_measure_new(const struct sk_measure_options *o)
{
    struct sk_measure *s = sk_xcalloc(1, sizeof *s);
    s->kind = o->kind;
    switch (o->kind) {
    case SK_SCORE_BLEU: s->bleu = sk_bleu_new(&o->bleu); break;
    case SK_SCORE_CHRF: s->chrf = sk_chrf_new(&o->chrf); break;
    case SK_SCORE_TER: s->ter = sk_ter_new(&o->ter); break;
    case SK_SCORE_ROUGE1: s->rouge = sk_rouge_new(SK_ROUGE_1); break;
    case SK_SCORE_ROUGE2: s->rouge = sk_rouge_new(SK_ROUGE_2); break;
    case SK_SCORE_ROUGEL: s->rouge = sk_rouge_new(SK_ROUGE_L); break;
    }
    return s;
}

void sk_measure_references(struct sk_measure *s, const struct sk_line *reference, int n)
{
    switch (s->kind) {
    case SK_SCORE_BLEU: sk_bleu_references(s->bleu, reference, n); break;
    case SK_SCORE_CHRF: sk_chrf_references(s->chrf, reference, n); break;
    case SK_SCORE_TER: sk_ter_references(s->ter, reference, n); break;
    default: sk_rouge_references(s->rouge, reference, n); break;
    }
}

void sk_measure_hypothesis(struct sk_measure *s, struct sk_line hypothesis, double *stats)
{
    switch (s->kind) {
    case SK_SCORE_BLEU: sk_bleu_hypothesis(s->bleu, hypothesis, stats); break;
    case SK_SCORE_CHRF: sk_chrf_hypothesis(s->chrf, hypothesis, stats); break;
    case SK_SCORE_TER: sk_ter_hypothesis(s->ter, hypothesis, stats); break;
    default: sk_rouge_hypothesis(s->rouge, hypothesis, stats); break;
    }
}

void sk_measure_free(struct sk_measure *s)
{
    if (s->bleu)
        sk_bleu_free(s->bleu);
    if (s->chrf)
        sk_chrf_free(s->chrf);
    if (s->ter)
        sk_ter_free(s->ter);
    if (s->rouge)
        sk_rouge_free(s->rouge);
    free(s);
}
