/* batch.h - sentences packed without padding: two streams of tokens with
 * offsets. No masks, no padding anywhere.
 *
 * An update's sentences are dealt to V leaves (virtual shards): longest
 * first (source + target tokens), ties by ordinal, each to the leaf with the
 * fewest tokens so far (ties: the lower leaf); inside a leaf they stand by
 * ordinal. Rows of a leaf are contiguous. Only sums over tokens notice
 * leaves; see math/ops.h.
 */
#ifndef SK_TEXT_BATCH_H
#define SK_TEXT_BATCH_H
#include "text/corpus.h"

struct sk_batch {
    int sentences;                 /* S */
    int source_rows, target_rows;  /* Ts, Tt: source words + EOS; BOS + target words */
    int32_t *source;               /* (Ts) words, EOS */
    int32_t *target;               /* (Tt) BOS, words */
    int32_t *label;                /* (Tt) words, EOS */
    int32_t *source_offset;        /* (S + 1) first row of each sentence */
    int32_t *target_offset;        /* (S + 1) */
    int64_t *ordinal;              /* (S) */
    int leaves;                    /* V */
    int32_t *source_leaf;          /* (V + 1) first source row of each leaf */
    int32_t *target_leaf;          /* (V + 1) */
    /* capacities the memory was made for */
    int cap_sentences, cap_source, cap_target;
    struct sk_batch_item *item, *sorted;   /* (cap_sentences) while packing */
    int32_t *words;                /* (cap_source + cap_target) likewise */
};
struct sk_batch_limits {
    int max_sentences;   /* budget of an update; sentence batches: --batch-size */
    int max_source;      /* token budgets, EOS/BOS included; one sentence always fits */
    int max_target;
    int leaves;          /* V: a power of two, 1..1024 */
    int longest_source, longest_target;   /* longest sentence, with EOS/BOS: capacity */
};
void sk_batch_init(struct sk_batch *b, const struct sk_batch_limits *l);
void sk_batch_free(struct sk_batch *b);
/* Takes pairs in the reader's order until the next one would overflow a
 * budget, or the epoch ends. 1: a batch; 0: the epoch had no more pairs; -1. */
int sk_batch_fill(struct sk_batch *b, const struct sk_batch_limits *l, struct sk_reader *r);
/* The same from given pairs (validation, scoring): all n must fit. */
void sk_batch_pack(struct sk_batch *b, const struct sk_batch_limits *l, const struct sk_pair *pairs, int n);
/* part: what b holds of leaves first..first + n - 1 (n a power of two), as a batch
 * of its own. It points into b; its arrays of offsets are made by
 * sk_batch_part_init for parts of batches of these limits. */
void sk_batch_part_init(struct sk_batch *part, const struct sk_batch_limits *l);
void sk_batch_part(struct sk_batch *part, const struct sk_batch *b, int first, int n);
void sk_batch_part_free(struct sk_batch *part);
#endif
