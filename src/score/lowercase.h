/* lowercase.h - Unicode lower case as Python's str.lower() gives it. */
#ifndef SK_SCORE_LOWERCASE_H
#define SK_SCORE_LOWERCASE_H
#include "base/mem.h"
/* Appends the lower case of n bytes of UTF-8. Full mappings: capital I with
 * dot becomes two characters, capital sigma its final form at the end of a
 * word. Bytes that are no UTF-8 are copied. */
void sk_lowercase(const char *text, size_t n, struct sk_str *out);
#endif
