/* measure.h - one metric with its options, whichever it is.
 *
 * Every metric makes a few numbers of each line (its statistics, see bleu.h,
 * chrf.h, ter.h, rouge.h), whose sums over lines give the score.
 */
#ifndef SK_SCORE_MEASURE_H
#define SK_SCORE_MEASURE_H
#include "score/bleu.h"
#include "score/chrf.h"
#include "score/rouge.h"
#include "score/ter.h"

enum sk_measure_kind { SK_SCORE_BLEU, SK_SCORE_CHRF, SK_SCORE_TER, SK_SCORE_ROUGE1, SK_SCORE_ROUGE2, SK_SCORE_ROUGEL };
enum { SK_MEASURES = 6, SK_MEASURE_MAX_STATS = SK_CHRF_MAX_STATS };
struct sk_measure_options {
    enum sk_measure_kind kind;
    struct sk_bleu_options bleu;     /* only those of its kind count */
    struct sk_chrf_options chrf;
    struct sk_ter_options ter;
};
/* Kind by name (bleu, chrf, ter, rouge1, rouge2, rougel); -1: there is none. */
int sk_measure_kind(const char *name);

int sk_measure_stats(const struct sk_measure_options *o);              /* how many numbers */
double sk_measure_value(const struct sk_measure_options *o, const double *stats);      /* 0..100; TER also more */
/* "BLEU", "chrF2++", "TER", "ROUGE-1": appended. */
void sk_measure_name(const struct sk_measure_options *o, struct sk_str *out);
/* In sacreBLEU's form, with the name before it: BLEU|nrefs:1|bs:1000|seed:12345|
 * case:mixed|eff:no|tok:13a|smooth:exp|version:sk-X.Y.Z; references 0: "var";
 * samples 0: no resampling. */
void sk_measure_signature(const struct sk_measure_options *o, int references, int samples, unsigned long long seed,
                         struct sk_str *out);

/* The memory of one thread. Order of calls as in bleu.h; *o must stay, and so
 * must the text of the references up to the last hypothesis. */
struct sk_measure;
struct sk_measure *sk_measure_new(const struct sk_measure_options *o);
void sk_measure_references(struct sk_measure *s, const struct sk_line *reference, int n);
void sk_measure_hypothesis(struct sk_measure *s, struct sk_line hypothesis, double *stats);
void sk_measure_free(struct sk_measure *s);
#endif
