/* phrases.c - a trie whose nodes know the longest proper end of theirs that is
 * in it too. Children are looked up by hashing, and listed by sibling. */
#include "search/phrases.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "model/model.h"

enum { NONE = -1, ROOT = 0 };
struct node {
    int32_t word, parent, fail, child, sibling;
    int32_t depth;
    int whole;                       /* a phrase ends here */
    uint64_t through, ends;          /* named phrases that begin with this, and that are this */
};
struct sk_phrases {
    struct node *node;
    size_t nodes;
    int32_t *slot;                   /* (slots) nodes by parent and word */
    size_t slots;
    int32_t *single;                 /* phrases of one word */
    size_t singles;
    int32_t start;
    int words;
    int length[SK_PHRASES_NAMED];
    uint64_t all;
};

/* --- lists ---------------------------------------------------------------------- */

void sk_phrase_list_word(struct sk_phrase_list *l, int32_t word)
{
    if (l->words == l->word_cap)
        l->word = sk_xrealloc(l->word, l->word_cap = l->word_cap ? 2 * l->word_cap : 64, sizeof *l->word);
    l->word[l->words++] = word;
}

void sk_phrase_list_end(struct sk_phrase_list *l)
{
    if (l->words == (l->n ? l->end[l->n - 1] : 0))
        return;
    if (l->n == l->cap)
        l->end = sk_xrealloc(l->end, l->cap = l->cap ? 2 * l->cap : 16, sizeof *l->end);
    l->end[l->n++] = l->words;
}

void sk_phrase_list_free(struct sk_phrase_list *l)
{
    free(l->word);
    free(l->end);
    *l = (struct sk_phrase_list){0};
}

void sk_word_list_add(struct sk_word_list *l, int32_t word)
{
    if (l->n == l->cap)
        l->word = sk_xrealloc(l->word, l->cap = l->cap ? 2 * l->cap : 64, sizeof *l->word);
    l->word[l->n++] = word;
}

/* --- the automaton ----------------------------------------------------------------- */

/* The slot of a node's child by a word: where it is, or would be. */
static size_t find(const struct sk_phrases *p, int32_t parent, int32_t word)
{
    uint64_t key = ((uint64_t)(uint32_t)parent << 32 | (uint32_t)word) * 0x9E3779B97F4A7C15u;
    size_t i = (size_t)(key >> 20) & (p->slots - 1);
    while (p->slot[i] != NONE && (p->node[p->slot[i]].parent != parent || p->node[p->slot[i]].word != word))
        i = (i + 1) & (p->slots - 1);
    return i;
}

static void insert(struct sk_phrases *p, const int32_t *word, size_t n, uint64_t name)
{
    int32_t at = ROOT;
    p->node[ROOT].through |= name;
    for (size_t k = 0; k < n; k++) {
        size_t slot = find(p, at, word[k]);
        if (p->slot[slot] == NONE) {
            p->slot[slot] = (int32_t)p->nodes;
            p->node[p->nodes] = (struct node){word[k], at, ROOT, NONE, p->node[at].child, p->node[at].depth + 1, 0, 0, 0};
            p->node[at].child = (int32_t)p->nodes++;
        }
        at = p->slot[slot];
        p->node[at].through |= name;
    }
    p->node[at].ends |= name;
    p->node[at].whole = 1;
}

/* Level by level: what a node falls back to is less deep. */
static void link_ends(struct sk_phrases *p)
{
    int32_t *queue = sk_xcalloc(p->nodes, sizeof *queue);
    size_t n = 1;
    for (size_t i = 0; i < n; i++)
        for (int32_t c = p->node[queue[i]].child; c != NONE; c = p->node[c].sibling) {
            if (queue[i] != ROOT)
                p->node[c].fail = sk_phrases_next(p, p->node[queue[i]].fail, p->node[c].word);
            queue[n++] = c;
        }
    free(queue);
}

struct sk_phrases *sk_phrases_new(const struct sk_phrase_list *l)
{
    if (l->n == 0)
        return NULL;
    struct sk_phrases *p = sk_xcalloc(1, sizeof *p);
    p->node = sk_xcalloc(l->words + 1, sizeof *p->node);
    p->node[ROOT] = (struct node){NONE, NONE, ROOT, NONE, NONE, 0, 0, 0, 0};
    p->nodes = 1;
    p->words = (int)l->words;
    for (p->slots = 64; p->slots < 2 * l->words;)
        p->slots *= 2;
    p->slot = sk_xcalloc(p->slots, sizeof *p->slot);
    for (size_t i = 0; i < p->slots; i++)
        p->slot[i] = NONE;
    for (size_t i = 0, first = 0; i < l->n; first = l->end[i++]) {
        uint64_t name = i < SK_PHRASES_NAMED ? (uint64_t)1 << i : 0;
        insert(p, l->word + first, l->end[i] - first, name);
        p->all |= name;
        if (name)
            p->length[i] = (int)(l->end[i] - first);
    }
    link_ends(p);
    p->single = sk_xcalloc(l->n, sizeof *p->single);
    for (int32_t c = p->node[ROOT].child; c != NONE; c = p->node[c].sibling)
        if (p->node[c].whole)
            p->single[p->singles++] = p->node[c].word;
    p->start = sk_phrases_next(p, ROOT, SK_BOS);
    return p;
}

void sk_phrases_free(struct sk_phrases *p)
{
    if (!p)
        return;
    free(p->node);
    free(p->slot);
    free(p->single);
    free(p);
}

int sk_phrases_words(const struct sk_phrases *p) { return p ? p->words : 0; }
uint64_t sk_phrases_all(const struct sk_phrases *p) { return p ? p->all : 0; }
int32_t sk_phrases_start(const struct sk_phrases *p) { return p ? p->start : ROOT; }

int32_t sk_phrases_next(const struct sk_phrases *p, int32_t state, int32_t word)
{
    if (!p)
        return ROOT;
    for (;; state = p->node[state].fail) {
        int32_t child = p->slot[find(p, state, word)];
        if (child != NONE)
            return child;
        if (state == ROOT)
            return ROOT;
    }
}

uint64_t sk_phrases_ended(const struct sk_phrases *p, int32_t state, uint64_t wanted)
{
    uint64_t ended = 0;
    for (; p && state != ROOT; state = p->node[state].fail) {
        uint64_t ends = p->node[state].ends & wanted;
        ended |= ends & -ends;
    }
    return ended;
}

int sk_phrases_progress(const struct sk_phrases *p, int32_t state, uint64_t met)
{
    int words = 0;
    for (uint64_t left = met; left; left &= left - 1)
        words += p->length[__builtin_ctzll(left)];
    for (; p && state != ROOT; state = p->node[state].fail)
        if (p->node[state].through & ~p->node[state].ends & ~met)
            return words + p->node[state].depth;
    return words;
}

void sk_phrases_ending(const struct sk_phrases *p, int32_t state, struct sk_word_list *l)
{
    for (; p && state != ROOT; state = p->node[state].fail)
        for (int32_t c = p->node[state].child; c != NONE; c = p->node[c].sibling)
            if (p->node[c].whole)
                sk_word_list_add(l, p->node[c].word);
    for (size_t i = 0; p && i < p->singles; i++)
        sk_word_list_add(l, p->single[i]);
}

void sk_phrases_ending_soon(const struct sk_phrases *p, int32_t state, int32_t last, struct sk_word_list *l)
{
    for (; p; state = p->node[state].fail) {
        for (int32_t c = p->node[state].child; c != NONE; c = p->node[c].sibling) {
            int32_t after = p->slot[find(p, c, last)];
            if (after != NONE && p->node[after].whole)
                sk_word_list_add(l, p->node[c].word);
        }
        if (state == ROOT)
            break;
    }
}

void sk_phrases_leading(const struct sk_phrases *p, int32_t state, uint64_t wanted, struct sk_word_list *l)
{
    size_t first = l->n, k;
    for (; p; state = p->node[state].fail) {
        for (int32_t c = p->node[state].child; c != NONE; c = p->node[c].sibling) {
            if (!(p->node[c].through & wanted) || p->node[c].word == SK_BOS)
                continue;
            for (k = first; k < l->n && l->word[k] != p->node[c].word; k++) {}
            if (k == l->n)
                sk_word_list_add(l, p->node[c].word);
        }
        if (state == ROOT)
            break;
    }
}
