/* lexicon.c - numbers for words: open addressing, emptied by counting rounds. */
#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "base/mem.h"
#include "score/unicode.h"
#include "score/lexicon.h"

enum { FEWEST = 64 };

void sk_lexicon_reset(struct sk_lexicon *w)
{
    if (w->slots == 0) {
        w->slot = sk_xcalloc(FEWEST, sizeof *w->slot);
        w->slots = FEWEST;
    }
    w->words = 0;
    if (++w->round == 0) {           /* after 2^32 rounds old slots would look new */
        memset(w->slot, 0, w->slots * sizeof *w->slot);
        w->round = 1;
    }
}

static struct sk_lexicon_slot *find(const struct sk_lexicon *w, uint64_t hash, const char *text, size_t n)
{
    size_t i = hash & (w->slots - 1);
    for (; w->slot[i].round == w->round; i = (i + 1) & (w->slots - 1))
        if (w->slot[i].hash == hash && w->slot[i].n == n && memcmp(w->slot[i].text, text, n) == 0)
            break;
    return &w->slot[i];
}

static void grow(struct sk_lexicon *w)
{
    struct sk_lexicon_slot *old = w->slot;
    size_t n = w->slots;
    w->slots *= 2;
    w->slot = sk_xcalloc(w->slots, sizeof *w->slot);
    for (size_t k = 0; k < n; k++)
        if (old[k].round == w->round)
            *find(w, old[k].hash, old[k].text, old[k].n) = old[k];
    free(old);
}

uint32_t sk_lexicon_add(struct sk_lexicon *w, const char *text, size_t n)
{
    uint64_t hash = XXH3_64bits(text, n);
    struct sk_lexicon_slot *s = find(w, hash, text, n);
    if (s->round != w->round) {
        if (2 * ((size_t)w->words + 1) > w->slots) {
            grow(w);
            s = find(w, hash, text, n);
        }
        *s = (struct sk_lexicon_slot){hash, text, n, ++w->words, w->round};
    }
    return s->id;
}

uint32_t sk_lexicon_find(const struct sk_lexicon *w, const char *text, size_t n)
{
    const struct sk_lexicon_slot *s = find(w, XXH3_64bits(text, n), text, n);
    return s->round == w->round ? s->id : SK_LEXICON_NONE;
}

void sk_lexicon_free(struct sk_lexicon *w)
{
    free(w->slot);
    *w = (struct sk_lexicon){0};
}

void sk_ids_add(struct sk_ids *l, uint32_t id)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->id = sk_xrealloc(l->id, l->cap, sizeof *l->id);
    }
    l->id[l->n++] = id;
}

void sk_ids_free(struct sk_ids *l)
{
    free(l->id);
    *l = (struct sk_ids){0};
}

void sk_lexicon_read(struct sk_lexicon *w, const char *text, size_t n, int add, struct sk_ids *l)
{
    const char *end = text + n, *word;
    size_t length;
    l->n = 0;
    while ((word = sk_word_next(&text, end, &length)) != NULL)
        sk_ids_add(l, add ? sk_lexicon_add(w, word, length) : sk_lexicon_find(w, word, length));
}
