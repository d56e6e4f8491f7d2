/* unicode.h - the characters of UTF-8 text as tokenisers see them.
 *
 * Text is n bytes, or runs up to `end`; NUL is a character like others. Bytes
 * that are no UTF-8 count as characters of their own, of no class.
 */
#ifndef SK_SCORE_UNICODE_H
#define SK_SCORE_UNICODE_H
#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"

/* Character at s < end and its length in bytes. */
uint32_t sk_utf8_decode(const char *s, const char *end, size_t *length);
/* Appends it; c <= 0x10ffff. */
void sk_utf8_add(struct sk_str *out, uint32_t c);

/* Classes of Unicode: \p{P}, \p{S} and \p{N}. */
enum { SK_PUNCTUATION = 1, SK_SYMBOL = 2, SK_NUMBER = 4 };
unsigned sk_char_class(uint32_t c);

/* White space is what Python's str.split() takes for it. */
/* Bytes of the white space character at s < end; 0: none. */
size_t sk_space_at(const char *s, const char *end);
/* Next word at or behind *s, NULL at the end; *s moves behind it. */
const char *sk_word_next(const char **s, const char *end, size_t *length);
/* Bytes of text without white space at its end, and at its start. */
size_t sk_trim_end(const char *text, size_t n);
size_t sk_trim_start(const char *text, size_t n);       /* how many to leave out */
#endif
