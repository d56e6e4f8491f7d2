/* data.h - vocabularies and corpora out of text: what the trainer and
 * sk-prepare-data do alike.
 *
 * The text is read twice: once to check, sum and count it (sk_inputs_read),
 * once to make the corpus.
 */
#ifndef SK_TRAIN_DATA_H
#define SK_TRAIN_DATA_H
#include "base/pool.h"
#include "text/corpus.h"
#include "train/inputs.h"

struct sk_data_options {
    int shared_vocab, num_words[2], word_min_count[2], pad_vocab;
    struct sk_corpus_options corpus;
};

/* Counts for the vocabularies that are not given: one for both sides if they
 * share it (none if it is given for either side). */
struct sk_data_counts { struct sk_vocab_counts *side[2]; };
void sk_data_counts_new(struct sk_data_counts *c, const struct sk_data_options *o, const struct sk_inputs *in);
void sk_data_counts_free(struct sk_data_counts *c);

/* Loads the vocabularies that are given into v (others stay NULL): 0 or -1. */
int sk_data_given_vocabs(struct sk_vocab *v[2], const struct sk_inputs *in);
/* Builds those that were not, and uses the counts up. Sides that share a
 * vocabulary get the same pointer, unless it was given for each. 0 or -1. */
int sk_data_build_vocabs(struct sk_vocab *v[2], const struct sk_data_options *o, const struct sk_inputs *in,
                         struct sk_data_counts *c);
/* Frees both. */
void sk_data_vocabs_free(struct sk_vocab *v[2]);

/* Threads for reading text: `wanted`, or (0) one for each CPU as far as that
 * helps. */
struct sk_pool *sk_data_pool(int wanted);
#endif
