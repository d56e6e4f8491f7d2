/* words.h - a table of words, private to this folder: word -> value, with
 * the words' text kept in blocks. Open addressing, at most half full; words
 * are never removed. */
#ifndef SK_TEXT_WORDS_H
#define SK_TEXT_WORDS_H
#include <stddef.h>
#include <stdint.h>

struct sk_word {
    const char *text;                /* terminated */
    uint64_t head;                   /* its first eight bytes, so that most comparisons need no more */
    uint32_t length, hash;
    int64_t value;
};
struct sk_words {
    struct sk_word *w;               /* (n) in order of first appearance */
    uint32_t n, cap;
    uint32_t *slot;                  /* index + 1, 0: free */
    uint32_t slots;                  /* power of two */
    char *block;                     /* text memory */
    size_t used, size;
    char **blocks;
    size_t n_blocks, text_bytes;
};
/* Finds a word, or adds it with value 0. The pointer holds until the next call. */
struct sk_word *sk_words_put(struct sk_words *t, const char *text, size_t n);
/* The same for who has its sk_word_hash already. */
struct sk_word *sk_words_put_hashed(struct sk_words *t, const char *text, size_t n, uint64_t hash);
/* Makes room for n words. */
void sk_words_reserve(struct sk_words *t, size_t n);
/* Bytes of memory in use. */
size_t sk_words_memory(const struct sk_words *t);
const struct sk_word *sk_words_find(const struct sk_words *t, const char *text, size_t n);  /* NULL: absent */
void sk_words_free(struct sk_words *t);
void sk_words_free_table(struct sk_words *t);   /* keeps the words' text, until sk_words_free */
/* 64 bits of a word, well mixed. */
uint64_t sk_word_hash(const char *text, size_t n);
#endif
