/* bleu.h - BLEU (Papineni et al. 2002) with the digits of sacreBLEU 2 (Post
 * 2018): orders 1 to 4, any number of references, scores 0..100.
 *
 * A line's statistics are SK_BLEU_STATS numbers: tokens of the hypothesis,
 * tokens of the reference whose length is closest (of two, the shorter), for
 * each order the n-grams of the hypothesis that a reference has (each as often
 * as in the reference that has most of it), for each order the n-grams of the
 * hypothesis. A corpus has the sums of those of its lines.
 *
 * Order of calls: sk_bleu_new; for each line sk_bleu_references, then
 * sk_bleu_hypothesis for each hypothesis. One thread at a time.
 */
#ifndef SK_SCORE_BLEU_H
#define SK_SCORE_BLEU_H
#include "base/mem.h"
#include "score/line.h"

enum { SK_BLEU_ORDER = 4, SK_BLEU_STATS = 2 + 2 * SK_BLEU_ORDER };
enum sk_bleu_tokenizer { SK_BLEU_NONE, SK_BLEU_13A, SK_BLEU_INTL, SK_BLEU_CHAR };
/* What an order without matches counts (Chen and Cherry 2014). */
enum sk_bleu_smoothing {
    SK_BLEU_NO_SMOOTHING,
    SK_BLEU_EXP,         /* 1/2, 1/4, ... of a match (mteval-v13a) */
    SK_BLEU_FLOOR,       /* `value` matches */
    SK_BLEU_ADD_K,       /* `value` is added to matches and n-grams of orders from 2 */
    SK_BLEU_OFFSET       /* as floor, and also when no word matches at all: Sockeye's BLEU of checkpoints */
};
struct sk_bleu_options {
    enum sk_bleu_tokenizer tokenizer;
    enum sk_bleu_smoothing smoothing;
    double value;                    /* of the smoothing, if it has one */
    int lowercase;
    int effective_order;             /* orders that no hypothesis is long enough for do not count */
};

struct sk_bleu;
struct sk_bleu *sk_bleu_new(const struct sk_bleu_options *o);        /* *o stays the caller's, and must stay */
void sk_bleu_references(struct sk_bleu *b, const struct sk_line *reference, int n);
void sk_bleu_hypothesis(struct sk_bleu *b, struct sk_line hypothesis, double *stats /* (SK_BLEU_STATS) */);
void sk_bleu_free(struct sk_bleu *b);
double sk_bleu_value(const struct sk_bleu_options *o, const double *stats);     /* 0..100 */
/* "60.2/35.0/21.4/13.3 (BP = 0.981 ratio = 0.981 hyp_len = 4311 ref_len = 4394)":
 * precisions of the orders, brevity penalty, lengths. */
void sk_bleu_detail(const struct sk_bleu_options *o, const double *stats, struct sk_str *out);
/* "case:mixed|eff:no|tok:13a|smooth:exp" */
void sk_bleu_signature(const struct sk_bleu_options *o, struct sk_str *out);

/* Appends the tokens of a line, separated by single blanks. */
void sk_bleu_tokenize(const struct sk_bleu_options *o, struct sk_line line, struct sk_str *out);
#endif
