#include "text/words.h"
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include "base/mem.h"
#include "base/msg.h"

static uint32_t hash_of(const char *text, size_t n) { return (uint32_t)XXH3_64bits(text, n); }

static int same(const struct sk_word *w, uint32_t hash, const char *text, size_t n)
{
    return w->hash == hash && w->length == n && !memcmp(w->text, text, n);
}

static void grow(struct sk_words *t)
{
    t->slots = t->slots ? t->slots * 2 : 1024;
    SK_ENSURE(t->slots);
    free(t->slot);
    t->slot = sk_xcalloc(t->slots, sizeof *t->slot);
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t at = t->w[i].hash & (t->slots - 1);
        while (t->slot[at]) at = (at + 1) & (t->slots - 1);
        t->slot[at] = i + 1;
    }
}

static const char *keep(struct sk_words *t, const char *text, size_t n)
{
    enum { BLOCK = 1 << 16 };
    if (t->size - t->used < n + 1) {
        t->size = n + 1 > BLOCK ? n + 1 : BLOCK;
        t->block = sk_xmalloc(t->size);
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

struct sk_word *sk_words_put(struct sk_words *t, const char *text, size_t n)
{
    if (t->n >= t->slots / 4 * 3) grow(t);
    uint32_t hash = hash_of(text, n), at = hash & (t->slots - 1);
    for (; t->slot[at]; at = (at + 1) & (t->slots - 1))
        if (same(&t->w[t->slot[at] - 1], hash, text, n)) return &t->w[t->slot[at] - 1];
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 1024;
        t->w = sk_xrealloc(t->w, t->cap, sizeof *t->w);
    }
    SK_ENSURE(n <= UINT32_MAX);
    t->w[t->n] = (struct sk_word){keep(t, text, n), (uint32_t)n, hash, 0};
    t->slot[at] = ++t->n;
    return &t->w[t->n - 1];
}

const struct sk_word *sk_words_find(const struct sk_words *t, const char *text, size_t n)
{
    if (!t->slots) return NULL;
    uint32_t hash = hash_of(text, n), at = hash & (t->slots - 1);
    for (; t->slot[at]; at = (at + 1) & (t->slots - 1))
        if (same(&t->w[t->slot[at] - 1], hash, text, n)) return &t->w[t->slot[at] - 1];
    return NULL;
}

void sk_words_free(struct sk_words *t)
{
    for (size_t i = 0; i < t->n_blocks; i++) free(t->blocks[i]);
    free(t->blocks);
    free(t->w);
    free(t->slot);
    *t = (struct sk_words){0};
}
