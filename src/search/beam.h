/* beam.h - beam search.
 *
 * The search of Sockeye 1.18 (inference.py) without its defects: every
 * hypothesis, running or finished, is compared by its normalised score, and a
 * sentence's result does not depend on what else is searched with it.
 *
 * score = -log probability / LP(len), LP(len) = ((beta + len) / (beta + 1))^alpha
 * (Wu et al. 2016, eq. 14), len = words; the end symbol, as in Sockeye, adds to
 * the probability and not to the length. Lower is better; where LP is no
 * positive number (no words at beta 0) the score is infinite, and such a
 * hypothesis comes out only if there can be no other.
 * A step extends each running hypothesis by each word (never by padding or
 * the start symbol); of these and of the finished ones the best beam_size stay;
 * ties go to the better parent, then to the lower word id. A hypothesis that
 * reaches the longest output, ceil(max_output_factor * (source words + 1)) + 1
 * with the end symbol, can only end there. A sentence ends when all that stay
 * are finished, or as soon as no running one can come among the nbest any
 * more: since a log probability never rises, its score will be no less than
 * what the largest LP still possible makes of it today. Results are the same.
 *
 * Several models: their distributions are averaged (log mean p, or the
 * normalised mean of log p), then all is as with one.
 *
 * Sentences make room for waiting ones as they end, so the decoder's batch
 * stays full until there are none left.
 */
#ifndef SK_SEARCH_BEAM_H
#define SK_SEARCH_BEAM_H
#include "model/model.h"

struct sk_beam_options {
    int beam_size;
    double alpha, beta;              /* length penalty; beta >= 0 */
    double max_output_factor;        /* mean ratio + num_stds * std of training */
    int max_output;                  /* hard limit of words incl. EOS: decoder positions */
    int nbest;                       /* <= beam_size */
    double prune;                    /* > 0: running hypotheses whose score is more than this above the best
                                        finished one's are given up */
    int stop_first;                  /* end with the first finished hypothesis that stays */
    int log_linear;                  /* how models are averaged */
};
struct sk_hypothesis {
    int n;
    int32_t *words;                  /* (n) without EOS */
    double score, logprob;           /* of an empty source: -inf and 0 */
};
struct sk_beam_result { int n; struct sk_hypothesis *h; /* best first */ };

struct sk_beam;
/* batch: sentences searched together; longest_source with EOS. n models, all
 * on one device and over the same vocabularies; a model serves one beam at a
 * time. */
struct sk_beam *sk_beam_new(struct sk_model *const *models, int n, const struct sk_beam_options *o, int batch,
                            int longest_source);
/* Translates n sentences (ids without EOS, any n; length[i] = 0 gives an empty
 * hypothesis); results in the same order, released by sk_beam_result_free.
 * done (or NULL) is told how many are finished, from time to time. Several
 * beams of the same options, whose models and devices are twins, work at once,
 * each in a thread of its own. */
void sk_beam_search(struct sk_beam *const *beams, int n_beams, const int32_t *const *source, const int *length, int n,
                    struct sk_beam_result *results, void (*done)(void *ctx, int n), void *ctx);
void sk_beam_result_free(struct sk_beam_result *r);
void sk_beam_free(struct sk_beam *b);
double sk_length_penalty(const struct sk_beam_options *o, int64_t len);
double sk_length_score(const struct sk_beam_options *o, double logprob, int64_t words);
#endif
