/* bootstrap.h - how much scores owe to chance: bootstrap resampling of the
 * lines of a corpus (Koehn 2004), as sacreBLEU does it.
 *
 * Each of `samples` resamples draws as many lines as the corpus has, with
 * replacement, the same for all systems and metrics. Which ones is decided by
 * the seed in the way of numpy's default_rng(seed).choice, so that intervals
 * and p-values are those of sacreBLEU with the same seed. (It sums in single
 * precision; here sums are double.)
 */
#ifndef SK_SCORE_BOOTSTRAP_H
#define SK_SCORE_BOOTSTRAP_H
#include <stdint.h>
#include "score/scoring.h"

/* Scores of the resamples, (systems, measures, samples), from the statistics
 * that s has kept; freed by the caller. */
double *sk_bootstrap(const struct sk_scoring *s, int samples, uint64_t seed, int threads);
/* Mean of the scores and half the width of the interval that holds 95% of them. */
void sk_bootstrap_interval(const double *score, int samples, double *mean, double *half);
/* Two-sided test of a system against a baseline: chance of a difference above
 * that of the two corpora, if both were equally good. */
double sk_bootstrap_p(const double *score, const double *baseline, int samples, double difference);

#endif
