/* report.h - scores of corpora as lines of text: a line for each system and
 * metric, NAME<TAB>value, then fields that depend on what is wanted:
 *
 *   BLEU  34.21                                  one system
 *   BLEU  34.21  a.out                           several: the system's name
 *   BLEU  34.21  mean=34.18  ci=0.52             --confidence
 *   BLEU  34.21  b.out  mean=34.18  ci=0.52  p=0.0310     --paired
 *   BLEU  34.05  sd=0.21                         --mean: over systems
 */
#ifndef SK_SCORE_REPORT_H
#define SK_SCORE_REPORT_H
#include "score/scoring.h"

struct sk_report {
    const char *const *name;         /* of the systems; not printed if there is only one */
    int width;                       /* digits after the point */
    int mean;                        /* only mean and standard deviation over systems */
    int samples;                     /* resamples for an interval; 0: none */
    unsigned long long seed;
    int paired;                      /* and a test against the first system; needs samples */
    int threads;
};
/* Appends the lines. */
void sk_report(const struct sk_scoring *s, const struct sk_report *r, struct sk_str *out);
#endif
