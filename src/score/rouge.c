/* rouge.c - ROUGE. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "score/ngrams.h"
#include "score/rouge.h"
#include "score/unicode.h"
#include "score/lexicon.h"

struct reference {
    struct sk_ids ids;
    struct sk_ngrams ngrams;
    int64_t distinct[2];             /* words, pairs of words */
};

struct sk_rouge {
    enum sk_rouge_variant variant;
    struct sk_lexicon words;           /* of references and hypotheses */
    struct reference *reference;
    int references, cap;
    struct sk_ids ids;               /* of the hypothesis */
    struct sk_ngrams ngrams;
    uint64_t *row, *where, *often;   /* ROUGE-L: bits, one for each word of the reference */
    int *next;                       /* the next position of the same word in it, -1: there is none */
    struct place { int first, n, often; } *place;        /* of each word: first position, how many, row of often or -1 */
    size_t cap_row, cap_place, cap_often;
};

struct sk_rouge *sk_rouge_new(enum sk_rouge_variant v)
{
    struct sk_rouge *r = sk_xcalloc(1, sizeof *r);
    r->variant = v;
    return r;
}

void sk_rouge_free(struct sk_rouge *r)
{
    for (int i = 0; i < r->cap; i++) {
        sk_ids_free(&r->reference[i].ids);
        sk_ngrams_free(&r->reference[i].ngrams);
    }
    free(r->reference);
    sk_lexicon_free(&r->words);
    sk_ids_free(&r->ids);
    sk_ngrams_free(&r->ngrams);
    free(r->row);
    free(r->where);
    free(r->often);
    free(r->next);
    free(r->place);
    free(r);
}

static void read_hypothesis(struct sk_rouge *r, struct sk_line line)
{
    size_t end = sk_trim_end(line.text, line.n), at = sk_trim_start(line.text, end);
    r->ids.n = 0;
    for (;;) {
        const char *blank = memchr(line.text + at, ' ', end - at);
        size_t stop = blank ? (size_t)(blank - line.text) : end;
        sk_ids_add(&r->ids, sk_lexicon_add(&r->words, line.text + at, stop - at));
        if (!blank)
            return;
        at = stop + 1;
    }
}

void sk_rouge_references(struct sk_rouge *r, const struct sk_line *reference, int n)
{
    if (n > r->cap) {
        r->reference = sk_xrealloc(r->reference, (size_t)n, sizeof *r->reference);
        memset(r->reference + r->cap, 0, (size_t)(n - r->cap) * sizeof *r->reference);
        r->cap = n;
    }
    sk_lexicon_reset(&r->words);
    for (int i = 0; i < n; i++) {
        struct reference *s = &r->reference[i];
        sk_lexicon_read(&r->words, reference[i].text, reference[i].n, 1, &s->ids);
        if (s->ids.n == 0)
            sk_ids_add(&s->ids, sk_lexicon_add(&r->words, "", 0));
        memset(s->distinct, 0, sizeof s->distinct);
        if (r->variant != SK_ROUGE_L) {
            sk_ngrams_reset(&s->ngrams);
            sk_ngrams_add(&s->ngrams, s->ids.id, s->ids.n, r->variant + 1, s->distinct);
        }
    }
    r->references = n;
}

/* F1 of the sets of n-grams of length `order`. */
static double f1(struct sk_rouge *r, struct reference *s, int order)
{
    int64_t distinct[2] = {0}, common[2] = {0};
    sk_ngrams_reset(&r->ngrams);
    sk_ngrams_add(&r->ngrams, r->ids.id, r->ids.n, order, distinct);
    sk_ngrams_match(&s->ngrams, r->ids.id, r->ids.n, order, 1, common);
    double both = (double)common[order - 1];
    double precision = distinct[order - 1] > 0 ? both / (double)distinct[order - 1] : 0;
    double recall = s->distinct[order - 1] > 0 ? both / (double)s->distinct[order - 1] : 0;
    return 2.0 * (precision * recall / (precision + recall + 1e-8));
}

static void set_bits(const struct sk_rouge *r, const struct place *p, uint64_t *bits)
{
    for (int j = p->first; j >= 0; j = r->next[j])
        bits[j / 64] |= (uint64_t)1 << j % 64;
}

/* Where each word stands in the reference. For words that stand in more
 * places than there are blocks of 64 (at most 63 of them) bits are kept ready. */
static void index_reference(struct sk_rouge *r, const struct sk_ids *ref, size_t blocks)
{
    size_t words = r->words.words, often = 0;
    if (blocks > r->cap_row) {
        r->cap_row = 2 * blocks;
        r->row = sk_xrealloc(r->row, r->cap_row, sizeof *r->row);
        r->where = sk_xrealloc(r->where, r->cap_row, sizeof *r->where);
        r->next = sk_xrealloc(r->next, 64 * r->cap_row, sizeof *r->next);
    }
    if (words + 1 > r->cap_place) {
        r->cap_place = 2 * (words + 1);
        r->place = sk_xrealloc(r->place, r->cap_place, sizeof *r->place);
    }
    for (size_t w = 0; w <= words; w++)
        r->place[w] = (struct place){-1, 0, -1};
    for (size_t j = ref->n; j-- > 0;) {
        struct place *p = &r->place[ref->id[j]];
        r->next[j] = p->first;
        p->first = (int)j;
        if (++p->n == (int)blocks + 1)
            p->often = (int)often++;
    }
    if (often * blocks > r->cap_often) {
        r->cap_often = 2 * often * blocks;
        r->often = sk_xrealloc(r->often, r->cap_often, sizeof *r->often);
    }
    if (often == 0)
        return;
    memset(r->often, 0, often * blocks * sizeof *r->often);
    for (size_t w = 1; w <= words; w++)
        if (r->place[w].often >= 0)
            set_bits(r, &r->place[w], r->often + (size_t)r->place[w].often * blocks);
}

/* Length of the longest common subsequence, 64 words of the reference at a
 * time (Crochemore et al. 2001): row has a 0 where a row of the usual table
 * steps up. */
static size_t common_subsequence(struct sk_rouge *r, const struct sk_ids *ref)
{
    size_t blocks = ref->n / 64 + 1, common = 0;
    index_reference(r, ref, blocks);
    memset(r->row, -1, blocks * sizeof *r->row);
    for (size_t i = 0; i < r->ids.n; i++) {
        const struct place *p = &r->place[r->ids.id[i]];
        const uint64_t *where = r->where;
        if (p->n == 0)
            continue;
        if (p->often >= 0) {
            where = r->often + (size_t)p->often * blocks;
        } else {
            memset(r->where, 0, blocks * sizeof *r->where);
            set_bits(r, p, r->where);
        }
        uint64_t carry = 0;
        for (size_t b = 0; b < blocks; b++) {
            uint64_t v = r->row[b], hits = v & where[b], sum = v + hits, over = sum < v;
            sum += carry;
            carry = over | (sum < carry);
            r->row[b] = sum | (v & ~where[b]);
        }
    }
    for (size_t j = 0; j < ref->n; j++)
        common += !(r->row[j / 64] >> j % 64 & 1);
    return common;
}

static double f_of_subsequence(struct sk_rouge *r, const struct sk_ids *ref)
{
    double common = (double)common_subsequence(r, ref);
    double recall = common / (double)ref->n, precision = common / (double)r->ids.n;
    double beta = precision / (recall + 1e-12), weight = beta * beta;
    return (1 + weight) * recall * precision / (recall + weight * precision + 1e-12);
}

void sk_rouge_hypothesis(struct sk_rouge *r, struct sk_line hypothesis, double *stats)
{
    double best = 0;
    read_hypothesis(r, hypothesis);
    for (int i = 0; i < r->references; i++) {
        double f = r->variant == SK_ROUGE_L ? f_of_subsequence(r, &r->reference[i].ids)
                                            : f1(r, &r->reference[i], r->variant + 1);
        best = f > best ? f : best;
    }
    stats[0] = best;
    stats[1] = 1;
}

double sk_rouge_value(const double *stats)
{
    return stats[1] > 0 ? 100 * (stats[0] / stats[1]) : 0;
}
