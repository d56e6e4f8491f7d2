/* unicode_tables.h - facts about characters, sorted by character; made by
 * contrib/unicode-tables. Read them through unicode.h and lowercase.h. */
#ifndef SK_SCORE_UNICODE_TABLES_H
#define SK_SCORE_UNICODE_TABLES_H
#include <stddef.h>
#include <stdint.h>
#include "score/unicode.h"

/* Characters first, first + step, ... last become themselves plus delta; only
 * such beyond ASCII whose lower case is one character, without U+03A3. */
struct sk_lower_mapping { uint32_t first, last; int32_t step, delta; };
struct sk_char_range { uint32_t first, last; };
struct sk_char_class_range { uint32_t first, last; unsigned class; };

extern const struct sk_lower_mapping sk_lower_mappings[];
extern const struct sk_char_range sk_cased[], sk_case_ignorable[];      /* disjoint */
extern const struct sk_char_class_range sk_char_classes[];
extern const size_t sk_lower_mappings_n, sk_cased_n, sk_case_ignorable_n, sk_char_classes_n;
#endif
