/* tokenize.h - the tokenisers of BLEU and TER, as sacreBLEU 2 has them.
 *
 * Each rewrites the text of `line` so that its tokens are separated by white
 * space (sk_word_next). spare is scratch memory.
 */
#ifndef SK_SCORE_TOKENIZE_H
#define SK_SCORE_TOKENIZE_H
#include "base/mem.h"

/* WMT's mteval-v13a. */
void sk_tokenize_13a(struct sk_str *line, struct sk_str *spare);
/* mteval-v14 --international-tokenization: punctuation and symbols of all
 * scripts, but for punctuation between numbers. */
void sk_tokenize_intl(struct sk_str *line, struct sk_str *spare);
/* Every character is a token. */
void sk_tokenize_char(struct sk_str *line, struct sk_str *spare);

/* Normalisation of Tercom 0.7, for TER. */
enum {
    SK_TERCOM_NORMALIZED = 1,        /* Western punctuation becomes tokens, XML's escapes are undone */
    SK_TERCOM_NO_PUNCT = 2,          /* punctuation is removed */
    SK_TERCOM_ASIAN = 4              /* the two above for Chinese and Japanese characters and punctuation as well */
};
void sk_tokenize_tercom(unsigned how, struct sk_str *line, struct sk_str *spare);
#endif
