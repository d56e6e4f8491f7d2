/* ngrams.c - a tree of n-grams in one open-addressed table. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "score/ngrams.h"

enum { FEWEST = 256, ROOT = 0 };

void sk_ngrams_reset(struct sk_ngrams *g)
{
    if (g->nodes == 0) {
        g->node = sk_xcalloc(FEWEST, sizeof *g->node);
        g->nodes = FEWEST;
    }
    g->used = 0;
    g->text = 0;
    if (++g->round == 0) {           /* after 2^32 rounds old nodes would look new */
        memset(g->node, 0, g->nodes * sizeof *g->node);
        g->round = 1;
    }
}

/* Where the node is, or would be. */
static struct sk_ngram *find(const struct sk_ngrams *g, uint64_t key)
{
    uint64_t mixed = key * 0x9E3779B97F4A7C15u;
    size_t i = (mixed ^ mixed >> 32) & (g->nodes - 1);
    while (g->node[i].round == g->round && g->node[i].key != key)
        i = (i + 1) & (g->nodes - 1);
    return &g->node[i];
}

static void grow(struct sk_ngrams *g)
{
    struct sk_ngram *old = g->node;
    size_t n = g->nodes;
    g->nodes *= 2;
    g->node = sk_xcalloc(g->nodes, sizeof *g->node);
    for (size_t k = 0; k < n; k++)
        if (old[k].round == g->round)
            *find(g, old[k].key) = old[k];
    free(old);
}

void sk_ngrams_add(struct sk_ngrams *g, const uint32_t *id, size_t n, int order, int64_t *distinct)
{
    g->text++;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = ROOT;
        for (size_t k = i; k < n && k < i + (size_t)order; k++) {
            uint64_t key = (uint64_t)at << 32 | id[k];
            struct sk_ngram *s = find(g, key);
            if (s->round != g->round) {
                if (2 * (g->used + 1) > g->nodes) {
                    grow(g);
                    s = find(g, key);
                }
                *s = (struct sk_ngram){.key = key, .round = g->round, .id = (uint32_t)++g->used};
                if (distinct)
                    distinct[k - i]++;
            }
            if (s->text != g->text) {
                s->text = g->text;
                s->count = 0;
            }
            if (++s->count > s->most)
                s->most = s->count;
            at = s->id;
        }
    }
}

void sk_ngrams_match(struct sk_ngrams *g, const uint32_t *id, size_t n, int order, int once, int64_t *match)
{
    g->text++;
    for (size_t i = 0; i < n; i++) {
        uint32_t at = ROOT;
        for (size_t k = i; k < n && k < i + (size_t)order && id[k] != 0; k++) {
            struct sk_ngram *s = find(g, (uint64_t)at << 32 | id[k]);
            if (s->round != g->round)
                break;
            if (s->text != g->text) {
                s->text = g->text;
                s->count = 0;
            }
            if (s->count < (once ? 1 : s->most)) {
                s->count++;
                match[k - i]++;
            }
            at = s->id;
        }
    }
}

void sk_ngrams_free(struct sk_ngrams *g)
{
    free(g->node);
    *g = (struct sk_ngrams){0};
}
