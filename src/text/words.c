#include "text/words.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"

static inline int same(const struct sk_word *w, uint32_t hash, uint64_t head, const char *text, size_t n)
{
    return w->hash == hash && w->head == head && w->length == n && sk_word_same_rest(w->text, text, n);
}

static void resize(struct sk_words *t, uint32_t slots)
{
    t->slots = slots;
    free(t->slot);
    t->slot = sk_xcalloc(t->slots, sizeof *t->slot);
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t at = t->w[i].hash & (t->slots - 1);
        while (t->slot[at]) at = (at + 1) & (t->slots - 1);
        t->slot[at] = i + 1;
    }
}

void sk_words_reserve(struct sk_words *t, size_t n)
{
    enum { FEWEST = 256 };
    uint32_t slots = t->slots ? t->slots : FEWEST;
    if (n > UINT32_MAX / 4) {
        sk_fail(SK_EXIT_DATA, "more than %u different words: is this text with white space between words?", t->n);
        exit(sk_die());
    }
    while (n > slots / 2) slots *= 2;
    if (slots > t->slots) resize(t, slots);
    if (n > t->cap) {
        t->cap = n > 2 * (size_t)t->cap ? (uint32_t)n : 2 * t->cap;
        t->w = sk_xrealloc(t->w, t->cap, sizeof *t->w);
    }
}

static const char *keep(struct sk_words *t, const char *text, size_t n)
{
    enum { BLOCK = 1 << 14 };
    if (t->size - t->used < n + 1) {
        t->size = n + 1 > BLOCK ? n + 1 : BLOCK;
        t->block = sk_xmalloc(t->size);
        t->text_bytes += t->size;
        t->used = 0;
        t->blocks = sk_xrealloc(t->blocks, t->n_blocks + 1, sizeof *t->blocks);
        t->blocks[t->n_blocks++] = t->block;
    }
    char *p = t->block + t->used;
    memcpy(p, text, n);
    p[n] = 0;
    t->used += n + 1;
    return p;
}

static struct sk_word *put(struct sk_words *t, const char *text, size_t n, uint64_t head, uint32_t hash)
{
    if (t->n >= t->slots / 2 || t->n == t->cap) sk_words_reserve(t, (size_t)t->n + 1);
    uint32_t mask = t->slots - 1, at = hash & mask;
    for (; t->slot[at]; at = (at + 1) & mask)
        if (same(&t->w[t->slot[at] - 1], hash, head, text, n)) return &t->w[t->slot[at] - 1];
    SK_ENSURE(n <= UINT32_MAX);      /* sk_lines gives no such line */
    t->w[t->n] = (struct sk_word){keep(t, text, n), head, (uint32_t)n, hash, 0};
    t->slot[at] = ++t->n;
    return &t->w[t->n - 1];
}

struct sk_word *sk_words_put(struct sk_words *t, const char *text, size_t n)
{
    uint64_t head = sk_word_head(text, n);
    return put(t, text, n, head, (uint32_t)sk_word_hash_of(text, n, head));
}

struct sk_word *sk_words_put_hashed(struct sk_words *t, const char *text, size_t n, uint64_t head, uint64_t hash)
{
    return put(t, text, n, head, (uint32_t)hash);
}

size_t sk_words_memory(const struct sk_words *t)
{
    return (size_t)t->n * sizeof *t->w + (size_t)t->slots * sizeof *t->slot + t->text_bytes;
}

const struct sk_word *sk_words_find_hashed(const struct sk_words *t, const char *text, size_t n, uint64_t head,
                                           uint64_t hash_)
{
    uint32_t hash = (uint32_t)hash_, mask = t->slots - 1, at = hash & mask;
    if (!t->slots) return NULL;
    for (; t->slot[at]; at = (at + 1) & mask)
        if (same(&t->w[t->slot[at] - 1], hash, head, text, n)) return &t->w[t->slot[at] - 1];
    return NULL;
}

const struct sk_word *sk_words_find(const struct sk_words *t, const char *text, size_t n)
{
    uint64_t head = sk_word_head(text, n);
    return sk_words_find_hashed(t, text, n, head, sk_word_hash_of(text, n, head));
}

void sk_words_free_table(struct sk_words *t)
{
    free(t->w);
    free(t->slot);
    t->w = NULL;
    t->slot = NULL;
    t->n = t->cap = t->slots = 0;
}

void sk_words_free(struct sk_words *t)
{
    sk_words_free_table(t);
    for (size_t i = 0; i < t->n_blocks; i++) free(t->blocks[i]);
    free(t->blocks);
    *t = (struct sk_words){0};
}
