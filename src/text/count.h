/* count.h - counting words by several threads, private to this folder.
 *
 * The words of a block are first dealt to SK_COUNT_PARTS lists by their hash;
 * then each part is counted in a table of its own, which is small enough to
 * stay in a cache. What does not fit into memory goes to a temporary file.
 */
#ifndef SK_TEXT_COUNT_H
#define SK_TEXT_COUNT_H
#include <stdio.h>
#include "text/vocab.h"
#include "text/words.h"

enum { SK_COUNT_PARTS = 64 };

struct sk_count_part {
    struct sk_words words;
    FILE *spilled;                   /* (count, length, text) of words, again and again */
};
struct sk_vocab_counts {
    struct sk_count_part part[SK_COUNT_PARTS];
    size_t most_bytes;               /* a part's table grows to so many before it goes to its file */
};

/* Lists of one block's words. */
struct sk_dealt;
struct sk_dealt *sk_dealt_new(void);
void sk_dealt_free(struct sk_dealt *d);
/* For each block: begin, the words one by one (n bytes at `at` of the
 * block's text), end. */
void sk_dealt_begin(struct sk_dealt *d);
void sk_dealt_add(struct sk_dealt *d, const char *text, uint32_t at, uint32_t n);
void sk_dealt_end(struct sk_dealt *d);
/* Counts a block's words of a part. Different parts may be counted at the
 * same time. 0 or -1: the temporary file cannot be written. */
int sk_vocab_count_part(struct sk_vocab_counts *c, int part, const char *text, const struct sk_dealt *d);
/* Takes what went to the file back into the table: 0 or -1. */
int sk_count_load(struct sk_count_part *p);
void sk_count_free(struct sk_count_part *p);
#endif
