/* vocab_make.h - how a vocabulary comes to be, private to this folder. */
#ifndef SK_TEXT_VOCAB_MAKE_H
#define SK_TEXT_VOCAB_MAKE_H
#include "text/vocab.h"

enum { SK_VOCAB_MOST = 1 << 30 };    /* words: ids are int32_t */

int sk_vocab_is_special(const char *word);
/* Has the special symbols, and room for n entries. */
struct sk_vocab *sk_vocab_new(size_t n);
int sk_vocab_has(const struct sk_vocab *v, const char *word, size_t n);
/* The next id; the word is not there yet. */
void sk_vocab_add(struct sk_vocab *v, const char *word, size_t n);
#endif
