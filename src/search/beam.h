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
 * A PREFIX is what a translation begins with: its words count like others, in
 * score and length.
 * PHRASES TO AVOID: no word is chosen after which the translation would end with such
 * a phrase; with the end symbol in a phrase it may not end after the rest.
 * REQUIRED PHRASES: a hypothesis that does not hold them all may not end. They are
 * held where they occur (overlapping, too; one that is asked for twice, at two ends).
 * beam_required.c says how they get a place in the beam. At the longest output
 * hypotheses end without: the one that holds most words of phrases comes first, and
 * `unmet` says which are missing.
 * The longest output is at least the words of prefix and required phrases, and the end.
 * A SHORTLIST restricts the vocabulary of a sentence: probabilities are those of the
 * model over the allowed words alone.
 * SAMPLING: beam_size translations are drawn word by word; they are sorted by
 * score, may be equal, and depend on the seed and the sentence's line and piece only.
 *
 * Sentences make room for waiting ones as they end, so the decoder's batch
 * stays full until there are none left.
 */
#ifndef SK_SEARCH_BEAM_H
#define SK_SEARCH_BEAM_H
#include "model/model.h"
#include "search/phrases.h"

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
    const struct sk_phrases *avoid;  /* in all sentences, or NULL */
    int max_asked;                   /* most words of a sentence's prefix and required phrases */
    int samples;                     /* sample instead of searching */
    int sample_from;                 /* of so many most probable words; 0: of all */
    uint64_t seed;
    int restricted;                  /* sentences may have `allowed` */
};
struct sk_sentence {
    const int32_t *word;             /* (n) source without EOS */
    int n;                           /* 0 gives an empty hypothesis */
    const int32_t *prefix;           /* (prefixes) < max_output of them, or NULL */
    int prefixes;
    const struct sk_phrases *avoid, *required;   /* or NULL; of `required` at most SK_PHRASES_NAMED */
    const int32_t *allowed;          /* (alloweds) ascending: the only words that can be, EOS, prefix and required
                                        phrases among them; or NULL: all */
    int alloweds;
    int64_t line;                    /* its name, and */
    int32_t piece;                   /* which of its pieces: for sampling */
};
struct sk_hypothesis {
    int n;
    int32_t *words;                  /* (n) without EOS */
    double score, logprob;           /* of an empty source: -inf and 0 */
    uint64_t unmet;                  /* required phrases that it does not hold */
};
struct sk_beam_result { int n; struct sk_hypothesis *h; /* best first */ };

struct sk_beam;
/* batch: sentences searched together; longest_source with EOS. n models, all
 * on one device and over the same vocabularies; a model serves one beam at a
 * time. */
struct sk_beam *sk_beam_new(struct sk_model *const *models, int n, const struct sk_beam_options *o, int batch,
                            int longest_source);
/* Translates n sentences; results in the same order, released by sk_beam_result_free.
 * done (or NULL) is told how many are finished, from time to time. Several
 * beams of the same options, whose models and devices are twins, work at once,
 * each in a thread of its own. */
void sk_beam_search(struct sk_beam *const *beams, int n_beams, const struct sk_sentence *sentence, int n,
                    struct sk_beam_result *results, void (*done)(void *ctx, int n), void *ctx);
void sk_beam_result_free(struct sk_beam_result *r);
void sk_beam_free(struct sk_beam *b);
double sk_length_penalty(const struct sk_beam_options *o, int64_t len);
double sk_length_score(const struct sk_beam_options *o, double logprob, int64_t words);
#endif
