/* lexicon.h - numbers for words, so that comparing words is comparing numbers. */
#ifndef SK_SCORE_LEXICON_H
#define SK_SCORE_LEXICON_H
#include <stddef.h>
#include <stdint.h>

enum { SK_LEXICON_NONE = 0 };             /* a word that was not looked up for the first time by sk_lexicon_add */

struct sk_lexicon_slot { uint64_t hash; const char *text; size_t n; uint32_t id, round; };
/* Zero-initialise. Words are 1, 2, ... in order of their first appearance
 * since the last reset. Their text is not copied: it must stay where it is. */
struct sk_lexicon { struct sk_lexicon_slot *slot; size_t slots; uint32_t words, round; };
void sk_lexicon_reset(struct sk_lexicon *w);
uint32_t sk_lexicon_add(struct sk_lexicon *w, const char *text, size_t n);
/* SK_LEXICON_NONE if it is not there. */
uint32_t sk_lexicon_find(const struct sk_lexicon *w, const char *text, size_t n);
void sk_lexicon_free(struct sk_lexicon *w);

/* A growing list of numbers. Zero-initialise. */
struct sk_ids { uint32_t *id; size_t n, cap; };
void sk_ids_add(struct sk_ids *l, uint32_t id);
void sk_ids_free(struct sk_ids *l);

/* The words of n bytes of text, separated by white space; new ones are added,
 * or are SK_LEXICON_NONE. The list is replaced. */
void sk_lexicon_read(struct sk_lexicon *w, const char *text, size_t n, int add, struct sk_ids *l);
#endif
