/* chrf.h - chrF and chrF++ (Popović 2015, 2017) with the digits of sacreBLEU
 * 2: F-score of n-grams of characters, and with a word order also of words;
 * scores 0..100.
 *
 * A line's statistics are three numbers for each order, characters first:
 * n-grams of the hypothesis, of the reference, matches. With several
 * references they are those against the one that gives the line the best
 * score, the first of equals. A corpus has the sums of those of its lines.
 *
 * Order of calls as in bleu.h.
 */
#ifndef SK_SCORE_CHRF_H
#define SK_SCORE_CHRF_H
#include "base/mem.h"
#include "score/line.h"

enum { SK_CHRF_MAX_ORDER = 32, SK_CHRF_MAX_STATS = 3 * 2 * SK_CHRF_MAX_ORDER };
struct sk_chrf_options {
    int char_order;                  /* 6; 1..SK_CHRF_MAX_ORDER */
    int word_order;                  /* 0; 2 for chrF++ */
    int beta;                        /* 2: how much more recall counts than precision */
    int lowercase;
    int whitespace;                  /* white space is characters too */
    int eps_smoothing;               /* orders without n-grams count, as in chrF++.py, Moses and NLTK */
};

struct sk_chrf;
struct sk_chrf *sk_chrf_new(const struct sk_chrf_options *o);
void sk_chrf_references(struct sk_chrf *c, const struct sk_line *reference, int n);
void sk_chrf_hypothesis(struct sk_chrf *c, struct sk_line hypothesis, double *stats);
void sk_chrf_free(struct sk_chrf *c);
double sk_chrf_value(const struct sk_chrf_options *o, const double *stats);     /* 0..100 */
/* "chrF2", "chrF2++": beta, and a plus for each word order. */
void sk_chrf_name(const struct sk_chrf_options *o, struct sk_str *out);
/* "case:mixed|eff:yes|nc:6|nw:0|space:no" */
void sk_chrf_signature(const struct sk_chrf_options *o, struct sk_str *out);
#endif
