/* scorer.h - scores of given translations: of each pair of lines what
 * beam search would have reported had it found that translation, to the bit.
 *
 * Pairs are packed into batches without padding; a score does not depend on
 * the other pairs.
 */
#ifndef SK_SEARCH_SCORER_H
#define SK_SEARCH_SCORER_H
#include "search/beam.h"

struct sk_scorer_options {
    double alpha, beta;              /* length penalty, as in beam.h */
    int max_words[2];                /* longest source and translation that are scored */
    struct sk_factored *factored;    /* as in translate.h */
    int batch;                       /* target words, and source words, scored at once */
    void (*progress)(void *ctx, int64_t done, int64_t all);  /* or NULL: pairs of a call */
    void *ctx;
};
enum sk_scored {
    SK_SCORED,
    SK_SCORED_BLANK,                 /* both sides: -inf, as a line without words gets when it is translated */
    SK_UNSCORED_BLANK,               /* words without a source: inf */
    SK_UNSCORED_LONG                 /* a side too long: inf */
};
struct sk_pair_score {
    double score;                    /* -log probability / LP(words + 1): lower is better */
    int64_t words;                   /* of the translation */
    enum sk_scored how;
};
struct sk_scorer;
/* The model (made for translating) and the vocabularies must outlive it. */
struct sk_scorer *sk_scorer_new(struct sk_model *m, const struct sk_vocab *source, const struct sk_vocab *target,
                                const struct sk_scorer_options *o);
void sk_score_pairs(struct sk_scorer *s, char *const *source, char *const *target, int64_t n,
                    struct sk_pair_score *out);
void sk_scorer_free(struct sk_scorer *s);
#endif
