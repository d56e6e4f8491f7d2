/* phrases.h - which phrases of a set a text holds, found while the text grows
 * word by word: the automaton of Aho and Corasick (1975), over word ids.
 *
 * A state is what matters of the text so far: its longest end that begins a
 * phrase. The start symbol may stand before a phrase, and the end symbol after
 * it: they are words like others, and a text begins with the start symbol.
 */
#ifndef SK_SEARCH_PHRASES_H
#define SK_SEARCH_PHRASES_H
#include <stddef.h>
#include <stdint.h>

/* The first so many phrases are bits of the sets below. */
enum { SK_PHRASES_NAMED = 64 };

struct sk_phrases;
/* Zero-initialise; words of phrases one after the other. */
struct sk_phrase_list { int32_t *word; size_t *end; size_t words, n, word_cap, cap; };
void sk_phrase_list_word(struct sk_phrase_list *l, int32_t word);
/* What came since the last end is a phrase; without words it is none. */
void sk_phrase_list_end(struct sk_phrase_list *l);
void sk_phrase_list_free(struct sk_phrase_list *l);

/* NULL of an empty list, which is also what the functions below take for one. */
struct sk_phrases *sk_phrases_new(const struct sk_phrase_list *l);
void sk_phrases_free(struct sk_phrases *p);
/* Words of all phrases. */
int sk_phrases_words(const struct sk_phrases *p);
/* All phrases, the first SK_PHRASES_NAMED. */
uint64_t sk_phrases_all(const struct sk_phrases *p);

/* The state of a text that holds nothing yet. */
int32_t sk_phrases_start(const struct sk_phrases *p);
int32_t sk_phrases_next(const struct sk_phrases *p, int32_t state, int32_t word);
/* Of the `wanted`, those that end where the text does; of equal ones the first. */
uint64_t sk_phrases_ended(const struct sk_phrases *p, int32_t state, uint64_t wanted);
/* How many words of the phrases a text has that holds those of `met`: theirs, and those of
 * the longest beginning of another that it ends with. */
int sk_phrases_progress(const struct sk_phrases *p, int32_t state, uint64_t met);

struct sk_word_list { int32_t *word; size_t n, cap; };
void sk_word_list_add(struct sk_word_list *l, int32_t word);
/* Adds the words after which the text ends with a whole phrase. */
void sk_phrases_ending(const struct sk_phrases *p, int32_t state, struct sk_word_list *l);
/* Adds the words after which `last` would end it with a whole phrase. */
void sk_phrases_ending_soon(const struct sk_phrases *p, int32_t state, int32_t last, struct sk_word_list *l);
/* Adds the words after which the text ends with more of one of the `wanted`, each once;
 * not the start symbol, which comes once. */
void sk_phrases_leading(const struct sk_phrases *p, int32_t state, uint64_t wanted, struct sk_word_list *l);
#endif
