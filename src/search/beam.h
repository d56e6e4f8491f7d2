/* beam.h - beam search (Sockeye 1.18, inference.py, with hypotheses compared
 * by normalised score, as Sockeye 2 does).
 *
 * A sentence's result does not depend on what else is in the batch.
 * Score of a hypothesis: negative log probability / LP(len), LP(len) =
 * (beta + len)^alpha / (beta + 1)^alpha, len counts words and EOS... see below.
 * Lower is better.
 */
#ifndef SK_SEARCH_BEAM_H
#define SK_SEARCH_BEAM_H
#include "model/transformer.h"

struct sk_beam_options {
    int beam_size;
    double alpha, beta;              /* length penalty */
    double max_output_factor;        /* mean ratio + num_stds * std of training */
    int max_output;                  /* hard limit of words incl. EOS: decoder positions */
    int nbest;                       /* <= beam_size */
};
struct sk_hypothesis { int n; int32_t *words; /* without EOS */ double score; /* normalised */ double logprob; int finished; };
struct sk_beam_result { int n; struct sk_hypothesis *h; /* best first */ };

struct sk_beam;
/* batch: sentences searched together; longest_source with EOS. */
struct sk_beam *sk_beam_new(struct sk_model *m, const struct sk_beam_options *o, int batch, int longest_source);
/* Translates n sentences (ids without EOS, any n; n[i] = 0 gives an empty
 * hypothesis); results in the same order, released by sk_beam_result_free. */
void sk_beam_search(struct sk_beam *b, const int32_t *const *source, const int *length, int n,
                    struct sk_beam_result *results);
void sk_beam_result_free(struct sk_beam_result *r);
void sk_beam_free(struct sk_beam *b);
#endif
