/* vocab_private.h - how a vocabulary comes to be, and looking up many words at
 * once; private to this folder. */
#ifndef SK_TEXT_VOCAB_PRIVATE_H
#define SK_TEXT_VOCAB_PRIVATE_H
#include "text/vocab.h"

enum { SK_VOCAB_MOST = 1 << 30 };    /* words: ids are int32_t */

int sk_vocab_is_special(const char *word);
/* Has the special symbols, and room for n entries. */
struct sk_vocab *sk_vocab_new(size_t n);
int sk_vocab_has(const struct sk_vocab *v, const char *word, size_t n);
/* The next id; the word is not there yet. */
void sk_vocab_add(struct sk_vocab *v, const char *word, size_t n);

struct sk_token { const char *text; uint64_t head; uint32_t n, hash; };   /* as words.h has them */
/* sk_vocab_id of each of n tokens, at most SK_TOKENS: memory is asked for all of
 * them before any is waited for. */
enum { SK_TOKENS = 64 };
void sk_vocab_ids(const struct sk_vocab *v, const struct sk_token *t, int n, int32_t *ids);
#endif
