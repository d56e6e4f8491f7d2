/* ter.h - translation edit rate (Snover et al. 2006) with the digits of
 * sacreBLEU 2: the fewest insertions, deletions, substitutions and shifts of
 * runs of words that make the hypothesis the reference, for each 100 words of
 * it. Shifts are looked for greedily, as Tercom does.
 *
 * A line's statistics are two numbers: edits against the reference that needs
 * fewest, and the mean length of the references. A corpus has the sums.
 *
 * Order of calls as in bleu.h.
 */
#ifndef SK_SCORE_TER_H
#define SK_SCORE_TER_H
#include <stdint.h>
#include "base/mem.h"
#include "score/line.h"

enum { SK_TER_STATS = 2 };
struct sk_ter_options { int normalized, no_punct, asian_support, case_sensitive; };

struct sk_ter;
struct sk_ter *sk_ter_new(const struct sk_ter_options *o);
void sk_ter_references(struct sk_ter *t, const struct sk_line *reference, int n);
void sk_ter_hypothesis(struct sk_ter *t, struct sk_line hypothesis, double *stats /* (SK_TER_STATS) */);
void sk_ter_free(struct sk_ter *t);
double sk_ter_value(const double *stats);                /* 0..100 and more */
/* "case:lc|tok:tercom|norm:no|punct:yes|asian:no" */
void sk_ter_signature(const struct sk_ter_options *o, struct sk_str *out);
#endif
