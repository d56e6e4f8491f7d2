#include "text/batch.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"

/* A sentence of the update being packed; ids stand in the batch's own buffer. */
struct sk_batch_item { int64_t ordinal; int ns, nt, leaf; int32_t *ids; };

static int most(int a, int b) { return a > b ? a : b; }

void sk_batch_init(struct sk_batch *b, const struct sk_batch_limits *l)
{
    SK_ENSURE(l->leaves >= 1 && l->leaves <= 1024 && !(l->leaves & (l->leaves - 1)));
    *b = (struct sk_batch){.leaves = l->leaves, .cap_sentences = most(l->max_sentences, 1),
                           .cap_source = most(l->max_source, l->longest_source),
                           .cap_target = most(l->max_target, l->longest_target)};
    b->source = sk_xcalloc((size_t)b->cap_source, sizeof *b->source);
    b->target = sk_xcalloc((size_t)b->cap_target, sizeof *b->target);
    b->label = sk_xcalloc((size_t)b->cap_target, sizeof *b->label);
    b->source_offset = sk_xcalloc((size_t)b->cap_sentences + 1, sizeof *b->source_offset);
    b->target_offset = sk_xcalloc((size_t)b->cap_sentences + 1, sizeof *b->target_offset);
    b->ordinal = sk_xcalloc((size_t)b->cap_sentences, sizeof *b->ordinal);
    b->source_leaf = sk_xcalloc((size_t)b->leaves + 1, sizeof *b->source_leaf);
    b->target_leaf = sk_xcalloc((size_t)b->leaves + 1, sizeof *b->target_leaf);
    b->item = sk_xcalloc((size_t)b->cap_sentences, sizeof *b->item);
    b->sorted = sk_xcalloc((size_t)b->cap_sentences, sizeof *b->sorted);
    b->words = sk_xcalloc((size_t)b->cap_source + (size_t)b->cap_target, sizeof *b->words);
}

void sk_batch_free(struct sk_batch *b)
{
    free(b->source);
    free(b->target);
    free(b->label);
    free(b->source_offset);
    free(b->target_offset);
    free(b->ordinal);
    free(b->source_leaf);
    free(b->target_leaf);
    free(b->item);
    free(b->sorted);
    free(b->words);
    *b = (struct sk_batch){0};
}

static int by_length(const struct sk_batch_item *x, const struct sk_batch_item *y)
{
    int nx = x->ns + x->nt, ny = y->ns + y->nt;
    if (nx != ny) return nx > ny ? -1 : 1;
    return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

static int by_leaf(const struct sk_batch_item *x, const struct sk_batch_item *y)
{
    if (x->leaf != y->leaf) return x->leaf - y->leaf;
    return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

/* Merge sort from the bottom: qsort would allocate in each step. */
static void sort(struct sk_batch *b, int n, int (*compare)(const struct sk_batch_item *, const struct sk_batch_item *))
{
    struct sk_batch_item *from = b->item, *to = b->sorted;
    for (int width = 1; width < n; width *= 2) {
        for (int start = 0; start < n; start += 2 * width) {
            int middle = start + width < n ? start + width : n, end = middle + width < n ? middle + width : n;
            for (int i = start, j = middle, k = start; k < end; k++)
                to[k] = i < middle && (j == end || compare(&from[i], &from[j]) <= 0) ? from[i++] : from[j++];
        }
        struct sk_batch_item *swap = from;
        from = to;
        to = swap;
    }
    b->item = from;
    b->sorted = to;
}

/* Deals the n items to leaves and lays out the streams. */
static void pack(struct sk_batch *b, int n)
{
    int64_t load[1024] = {0};
    sort(b, n, by_length);
    for (int i = 0; i < n; i++) {
        int leaf = 0;
        for (int l = 1; l < b->leaves; l++)
            if (load[l] < load[leaf]) leaf = l;
        b->item[i].leaf = leaf;
        load[leaf] += b->item[i].ns + b->item[i].nt + 2;
    }
    sort(b, n, by_leaf);
    int s = 0, t = 0, leaf = 0;
    b->sentences = n;
    for (int i = 0; i < n; i++) {
        const struct sk_batch_item *x = &b->item[i];
        while (leaf <= x->leaf) {
            b->source_leaf[leaf] = s;
            b->target_leaf[leaf++] = t;
        }
        b->ordinal[i] = x->ordinal;
        b->source_offset[i] = s;
        b->target_offset[i] = t;
        memcpy(b->source + s, x->ids, (size_t)x->ns * sizeof *b->source);
        s += x->ns;
        b->source[s++] = SK_EOS;
        b->target[t] = SK_BOS;
        memcpy(b->target + t + 1, x->ids + x->ns, (size_t)x->nt * sizeof *b->target);
        memcpy(b->label + t, x->ids + x->ns, (size_t)x->nt * sizeof *b->label);
        t += x->nt;
        b->label[t++] = SK_EOS;
    }
    while (leaf <= b->leaves) {
        b->source_leaf[leaf] = s;
        b->target_leaf[leaf++] = t;
    }
    b->source_offset[n] = b->source_rows = s;
    b->target_offset[n] = b->target_rows = t;
}

/* Takes a copy of a pair; at: words kept so far. */
static size_t take(struct sk_batch *b, int i, const struct sk_pair *p, size_t at)
{
    int32_t *ids = b->words + at;
    b->item[i] = (struct sk_batch_item){p->ordinal, p->ns, p->nt, 0, ids};
    if (p->ns) memcpy(ids, p->source, (size_t)p->ns * sizeof *ids);
    if (p->nt) memcpy(ids + p->ns, p->target, (size_t)p->nt * sizeof *ids);
    return at + (size_t)p->ns + (size_t)p->nt;
}

int sk_batch_fill(struct sk_batch *b, const struct sk_batch_limits *l, struct sk_reader *r)
{
    struct sk_pair p;
    int n = 0, got, max = l->max_sentences < b->cap_sentences ? most(l->max_sentences, 1) : b->cap_sentences;
    int64_t s = 0, t = 0;
    size_t words = 0;
    while (n < max && (got = sk_reader_peek(r, &p)) != 0) {
        if (got < 0) return -1;
        if (n && (s + p.ns + 1 > l->max_source || t + p.nt + 1 > l->max_target)) break;
        SK_ENSURE(s + p.ns + 1 <= b->cap_source && t + p.nt + 1 <= b->cap_target);
        if (sk_reader_next(r, &p) != 1) return -1;
        words = take(b, n++, &p, words);
        s += p.ns + 1;
        t += p.nt + 1;
    }
    if (!n) return 0;
    pack(b, n);
    return 1;
}

void sk_batch_pack(struct sk_batch *b, const struct sk_batch_limits *l, const struct sk_pair *pairs, int n)
{
    size_t words = 0;
    int64_t s = 0, t = 0;
    SK_ENSURE(n <= b->cap_sentences && b->leaves == l->leaves);
    for (int i = 0; i < n; i++) {
        s += pairs[i].ns + 1;
        t += pairs[i].nt + 1;
        SK_ENSURE(s <= b->cap_source && t <= b->cap_target);
        words = take(b, i, &pairs[i], words);
    }
    pack(b, n);
}

void sk_batch_part_init(struct sk_batch *part, const struct sk_batch_limits *l)
{
    *part = (struct sk_batch){.cap_sentences = most(l->max_sentences, 1)};
    part->source_offset = sk_xcalloc((size_t)part->cap_sentences + 1, sizeof *part->source_offset);
    part->target_offset = sk_xcalloc((size_t)part->cap_sentences + 1, sizeof *part->target_offset);
    part->source_leaf = sk_xcalloc((size_t)l->leaves + 1, sizeof *part->source_leaf);
    part->target_leaf = sk_xcalloc((size_t)l->leaves + 1, sizeof *part->target_leaf);
}

/* First sentence whose rows stand at `row` or behind: sentences have rows, so there is one. */
static int sentence_at(const struct sk_batch *b, int row)
{
    int low = 0, high = b->sentences;
    while (low < high) {
        int middle = (low + high) / 2;
        if (b->source_offset[middle] < row) low = middle + 1;
        else high = middle;
    }
    return low;
}

void sk_batch_part(struct sk_batch *part, const struct sk_batch *b, int first, int n)
{
    SK_ENSURE(n >= 1 && !(n & (n - 1)) && first >= 0 && first + n <= b->leaves);
    int s = b->source_leaf[first], t = b->target_leaf[first], begin = sentence_at(b, s);
    part->leaves = n;
    part->sentences = sentence_at(b, b->source_leaf[first + n]) - begin;
    part->source_rows = b->source_leaf[first + n] - s;
    part->target_rows = b->target_leaf[first + n] - t;
    part->source = b->source + s;
    part->target = b->target + t;
    part->label = b->label + t;
    part->ordinal = b->ordinal + begin;
    for (int i = 0; i <= part->sentences; i++) {
        part->source_offset[i] = b->source_offset[begin + i] - s;
        part->target_offset[i] = b->target_offset[begin + i] - t;
    }
    for (int l = 0; l <= n; l++) {
        part->source_leaf[l] = b->source_leaf[first + l] - s;
        part->target_leaf[l] = b->target_leaf[first + l] - t;
    }
}

void sk_batch_part_free(struct sk_batch *part)
{
    free(part->source_offset);
    free(part->target_offset);
    free(part->source_leaf);
    free(part->target_leaf);
    *part = (struct sk_batch){0};
}
