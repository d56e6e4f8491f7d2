/* words.h - a table of words, private to this folder: word -> value, with
 * the words' text kept in blocks. Open addressing, at most half full; words
 * are never removed. */
#ifndef SK_TEXT_WORDS_H
#define SK_TEXT_WORDS_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

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
/* The same for who has its head and hash already. */
struct sk_word *sk_words_put_hashed(struct sk_words *t, const char *text, size_t n, uint64_t head, uint64_t hash);
/* Makes room for n words. */
void sk_words_reserve(struct sk_words *t, size_t n);
/* Bytes of memory in use. */
size_t sk_words_memory(const struct sk_words *t);
const struct sk_word *sk_words_find(const struct sk_words *t, const char *text, size_t n);  /* NULL: absent */
const struct sk_word *sk_words_find_hashed(const struct sk_words *t, const char *text, size_t n, uint64_t head,
                                           uint64_t hash);
void sk_words_free(struct sk_words *t);
void sk_words_free_table(struct sk_words *t);   /* keeps the words' text, until sk_words_free */

/* --- for who looks up many words ------------------------------------------------ */

static inline uint64_t sk_load8(const char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* The first eight bytes of a word, filled up with zeros, where eight bytes
 * may be read. */
static inline uint64_t sk_word_head_wide(const char *p, size_t n)
{
    return n >= 8 ? sk_load8(p) : sk_load8(p) & ((UINT64_C(1) << (8 * n)) - 1);
}

static inline uint64_t sk_load4(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

/* The same anywhere. */
static inline uint64_t sk_word_head(const char *p, size_t n)
{
    if (n >= 8) return sk_load8(p);
    if (n >= 4) return sk_load4(p) | sk_load4(p + n - 4) << (8 * (n - 4));
    if (n == 0) return 0;
    const unsigned char *u = (const unsigned char *)p;
    return u[0] | (uint64_t)u[n / 2] << (8 * (n / 2)) | (uint64_t)u[n - 1] << (8 * (n - 1));
}

/* Most words have at most sixteen bytes: one multiplication, folded, as in
 * wyhash; XXH3 for the others. */
static inline uint64_t sk_word_hash_of(const char *text, size_t n, uint64_t head)
{
    if (n > 16) return XXH3_64bits(text, n);
    uint64_t tail = n > 8 ? sk_load8(text + n - 8) : 0;
    unsigned __int128 product = (unsigned __int128)(head ^ 0x9E3779B97F4A7C15u) *
        (tail ^ n * 0xD1B54A32D192ED03u ^ 0xBF58476D1CE4E5B9u);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Are two words of n bytes the same from the ninth byte on? */
static inline int sk_word_same_rest(const char *a, const char *b, size_t n)
{
    if (n <= 8) return 1;
    if (n <= 16) return sk_load8(a + n - 8) == sk_load8(b + n - 8);
    return !memcmp(a + 8, b + 8, n - 8);
}

static inline uint64_t sk_word_hash(const char *text, size_t n)
{
    return sk_word_hash_of(text, n, sk_word_head(text, n));
}

/* Memory that looking a word up will need: asked for in two steps, each some
 * words ahead. */
static inline void sk_words_ask_slot(const struct sk_words *t, uint32_t hash)
{
    if (t->slots) __builtin_prefetch(&t->slot[hash & (t->slots - 1)]);
}

static inline void sk_words_ask_word(const struct sk_words *t, uint32_t hash)
{
    uint32_t slot = t->slots ? t->slot[hash & (t->slots - 1)] : 0;
    if (slot) __builtin_prefetch(&t->w[slot - 1]);
}
#endif
