/* ngrams.h - counts of n-grams of numbers (words, characters) and their
 * matches. N-grams are the nodes of a tree whose children are found by hashing
 * (node, number): exact, and one look-up for each order.
 */
#ifndef SK_SCORE_NGRAMS_H
#define SK_SCORE_NGRAMS_H
#include <stddef.h>
#include <stdint.h>

struct sk_ngram { uint64_t key; uint32_t round, id, text, count, most; };
/* Zero-initialise; reset before the first use. */
struct sk_ngrams { struct sk_ngram *node; size_t nodes, used; uint32_t round, text; };
void sk_ngrams_reset(struct sk_ngrams *g);
/* Counts the n-grams of 1 to `order` numbers (none of them 0) of one text. In
 * several texts an n-gram is there as often as in the one that has most of it.
 * distinct[k - 1], unless NULL, grows by the n-grams of length k that are new. */
void sk_ngrams_add(struct sk_ngrams *g, const uint32_t *id, size_t n, int order, int64_t *distinct);
/* Adds to match[k - 1] how many n-grams of length k of this text are there,
 * each not more often than it is there; or, with `once`, not more than once.
 * A 0 matches nothing. */
void sk_ngrams_match(struct sk_ngrams *g, const uint32_t *id, size_t n, int order, int once, int64_t *match);
void sk_ngrams_free(struct sk_ngrams *g);
#endif
