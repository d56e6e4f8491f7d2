/* utf8.h - which bytes are text, private to this folder. */
#ifndef SK_TEXT_UTF8_H
#define SK_TEXT_UTF8_H
#include "base/mem.h"

/* Bytes at the start that are valid UTF-8 (Unicode 15, table 3-7). NUL bytes
 * are not unless nul is set: they come from UTF-16 and binary files, and
 * would end a line early for all who read it as a string. */
size_t sk_utf8_valid(const char *text, size_t n, int nul);
/* Appends the text with one U+FFFD for each maximal subpart (the Unicode
 * standard's term) of what is not valid. */
void sk_utf8_repair(struct sk_str *to, const char *text, size_t n, int nul);
#endif
