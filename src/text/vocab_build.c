/* vocab_build.c - counts become a vocabulary: each part of them is sorted by
 * itself, then lists are merged two by two. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"
#include "base/pool.h"
#include "text/count.h"
#include "text/vocab_private.h"

/* A word in the order of vocabularies; `head` compares as its first bytes do. */
struct key { int64_t count; uint64_t head; const char *text; uint32_t n; };
struct keys { struct key *k; size_t n; };

struct build {
    struct sk_count_part *part;
    struct keys list[SK_COUNT_PARTS];
    size_t initial[SK_COUNT_PARTS], frequent[SK_COUNT_PARTS];
    size_t most;                     /* words to keep */
    int64_t min_count;
    int step;                        /* lists at multiples of it are still there */
    struct { char *message; enum sk_exit code; } failure[SK_COUNT_PARTS];
};

/* Most frequent first; ties in reverse byte order, which is reverse code
 * point order for UTF-8. */
static int by_count(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    if (x->head != y->head) return x->head > y->head ? -1 : 1;
    return x->n > 8 && y->n > 8 ? strcmp(y->text + 8, x->text + 8) : x->n < y->n ? 1 : x->n > y->n ? -1 : 0;
}

/* The frequent words of a part, sorted. */
static void sort_part(void *ctx, int part, int thread)
{
    struct build *b = ctx;
    struct sk_count_part *p = &b->part[part];
    struct keys *l = &b->list[part];
    (void)thread;
    if (sk_count_load(p)) {
        b->failure[part].message = sk_xstrdup(sk_fail_message());
        b->failure[part].code = sk_fail_code();
        return;
    }
    l->k = sk_xcalloc(p->words.n, sizeof *l->k);
    for (uint32_t i = 0; i < p->words.n; i++) {
        const struct sk_word *w = &p->words.w[i];
        if (sk_vocab_is_special(w->text)) continue;
        b->initial[part]++;
        if (w->value >= b->min_count) l->k[l->n++] = (struct key){w->value, htobe64(w->head), w->text, w->length};
    }
    b->frequent[part] = l->n;
    qsort(l->k, l->n, sizeof *l->k, by_count);
    if (l->n > b->most) l->n = b->most;
    l->k = sk_xrealloc(l->k, l->n, sizeof *l->k);
    sk_words_free_table(&p->words);
}

/* Lists 2i*step and (2i+1)*step become one, in the place of the first. */
static void merge_lists(void *ctx, int i, int thread)
{
    struct build *b = ctx;
    struct keys *x = &b->list[2 * i * b->step], *y = &b->list[(2 * i + 1) * b->step], out = {0};
    size_t n = x->n + y->n < b->most ? x->n + y->n : b->most;
    (void)thread;
    out.k = sk_xcalloc(n, sizeof *out.k);
    for (size_t a = 0, c = 0; out.n < n;)
        out.k[out.n++] = c == y->n || (a < x->n && by_count(&x->k[a], &y->k[c]) <= 0) ? x->k[a++] : y->k[c++];
    free(x->k);
    free(y->k);
    *x = out;
    *y = (struct keys){0};
}

static void each(struct sk_pool *pool, int parts, void (*job)(void *, int, int), struct build *b)
{
    if (pool) sk_pool_run(pool, parts, job, b);
    else for (int i = 0; i < parts; i++) job(b, i, 0);
}

/* All words in order, in b->list[0]: 0 or -1. */
static int sort_words(struct build *b, struct sk_pool *pool)
{
    int result = 0;
    each(pool, SK_COUNT_PARTS, sort_part, b);
    for (int i = 0; i < SK_COUNT_PARTS; i++) {
        if (b->failure[i].message && !result) result = sk_fail(b->failure[i].code, "%s", b->failure[i].message);
        free(b->failure[i].message);
    }
    for (b->step = 1; b->step < SK_COUNT_PARTS && !result; b->step *= 2)
        each(pool, SK_COUNT_PARTS / (2 * b->step), merge_lists, b);
    return result;
}

/* Why there is no vocabulary. */
static int nothing_left(size_t initial, size_t kept, int min_count)
{
    if (kept) return sk_fail(SK_EXIT_DATA, "%zu words are too many for a vocabulary: limit them by --num-words", kept);
    if (initial)
        return sk_fail(SK_EXIT_DATA, "none of %zu words occurs %d times (--word-min-count)", initial, min_count);
    return sk_fail(SK_EXIT_DATA, "the text has no words to make a vocabulary of");
}

/* `<padN>` with its own id. Should the text have that very word, an
 * apostrophe tells them apart. */
static void add_padding(struct sk_vocab *v)
{
    char name[64];
    size_t n = (size_t)snprintf(name, sizeof name, "<pad%d>", sk_vocab_size(v));
    while (sk_vocab_has(v, name, n) && n + 1 < sizeof name) {
        name[n++] = '\'';
        name[n] = 0;
    }
    sk_vocab_add(v, name, n);
}

struct sk_vocab *sk_vocab_build(struct sk_vocab_counts *c, int num_words, int min_count, int pad_to,
                                struct sk_pool *pool)
{
    struct build *b = sk_xcalloc(1, sizeof *b);
    struct sk_vocab *v = NULL;
    size_t initial = 0, frequent = 0;
    int pads = 0;
    b->part = c->part;
    b->most = num_words > 0 ? (size_t)num_words : (size_t)SK_VOCAB_MOST + 1;
    b->min_count = min_count;
    int result = sort_words(b, pool);
    const struct keys *all = &b->list[0];
    for (int i = 0; i < SK_COUNT_PARTS; i++) {
        initial += b->initial[i];
        frequent += b->frequent[i];
    }
    if (!result && (!all->n || all->n > SK_VOCAB_MOST)) result = nothing_left(initial, all->n, min_count);
    if (!result) {
        v = sk_vocab_new((size_t)SK_SPECIALS + all->n + (size_t)pad_to);
        for (size_t i = 0; i < all->n; i++) sk_vocab_add(v, all->k[i].text, all->k[i].n);
        for (; pad_to > 0 && sk_vocab_size(v) % pad_to; pads++) add_padding(v);
        char limit[16] = "None", pad[16] = "None";
        if (num_words > 0) snprintf(limit, sizeof limit, "%d", num_words);
        if (pad_to > 0) snprintf(pad, sizeof pad, "%d", pad_to);
        sk_info("Vocabulary: types: %zu/%zu/%zu/%d (initial/min_pruned/max_pruned/+special) [min_frequency=%d, "
                "max_num_types=%s, pad_to_multiple_of=%s]", initial, frequent, all->n, sk_vocab_size(v), min_count,
                limit, pad);
    }
    for (int i = 0; i < SK_COUNT_PARTS; i++) {
        free(b->list[i].k);
        sk_count_free(&c->part[i]);
    }
    free(b);
    return v;
}
