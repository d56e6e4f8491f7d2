/* bleu.c - BLEU. N-grams of a reference form a tree whose children are found
 * by hashing (node, word): exact, and one look-up for each order. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include "base/opt.h"
#include "score/bleu.h"
#include "score/lowercase.h"
#include "score/tokenize.h"
#include "text/lines.h"

/* --- text to words ---------------------------------------------------------- */

/* Drops white space at the end: 13a joins words at a hyphen before a line
 * end, but not at one that ends the whole text. */
static void strip_end(struct sk_str *s)
{
    const char *p = s->text, *word;
    size_t length, end = 0;
    while ((word = sk_token_next(&p, &length)) != NULL)
        end = (size_t)(word - s->text) + length;
    s->len = end;
    s->text[end] = 0;
}

/* Text with tokens separated by white space, without NUL bytes. */
static void prepare(enum sk_bleu_tokenizer t, int lowercase, const char *line, size_t n,
                    struct sk_str *text, struct sk_str *spare)
{
    static const char nul[2] = {(char)0xC0, (char)0x80};   /* never in valid UTF-8 */
    sk_str_clear(text);
    sk_str_clear(spare);
    struct sk_str *plain = lowercase ? spare : text;
    while (n > 0) {
        const char *end = memchr(line, 0, n);
        size_t part = end ? (size_t)(end - line) : n;
        sk_str_add(plain, line, part);
        if (end)
            sk_str_add(plain, nul, sizeof nul);
        line += part + (end != NULL);
        n -= part + (end != NULL);
    }
    if (lowercase && spare->len > 0)
        sk_lowercase(spare->text, spare->len, text);
    if (text->len > 0 && memchr(text->text, '\n', text->len))
        strip_end(text);
    if (t == SK_BLEU_13A)
        sk_tokenize_13a(text, spare);
}

void sk_bleu_tokenize(enum sk_bleu_tokenizer t, int lowercase, const char *line, size_t n, struct sk_str *out)
{
    struct sk_str text = {0}, spare = {0};
    prepare(t, lowercase, line, n, &text, &spare);
    const char *p = text.len > 0 ? text.text : "", *word, *between = "";
    size_t length;
    while ((word = sk_token_next(&p, &length)) != NULL) {
        sk_str_add(out, between, strlen(between));
        sk_str_add(out, word, length);
        between = " ";
    }
    sk_str_free(&text);
    sk_str_free(&spare);
}

/* --- n-grams ------------------------------------------------------------------ */

enum { UNSEEN = 0 };                 /* a word the reference does not have */

struct word { const char *text; size_t n; uint64_t hash; uint32_t id; };
struct node { uint32_t parent, word, id, count; };
struct table {
    struct word *word;               /* (word_mask + 1) open addressing; id 0: free */
    struct node *node;               /* the same; id 0 is the root, which has no slot */
    size_t word_mask, node_mask;
    uint32_t words, nodes;
};
struct words { uint32_t *id; size_t n, cap; };

static size_t power_above(size_t n)
{
    size_t p = 16;
    while (p < n)
        p *= 2;
    return p;
}

/* Id of a word; one that is not there is added or UNSEEN. */
static uint32_t word_id(struct table *t, const char *text, size_t n, int add)
{
    uint64_t hash = XXH3_64bits(text, n);
    size_t i = hash & t->word_mask;
    for (; t->word[i].id != 0; i = (i + 1) & t->word_mask)
        if (t->word[i].hash == hash && t->word[i].n == n && memcmp(t->word[i].text, text, n) == 0)
            return t->word[i].id;
    if (!add)
        return UNSEEN;
    t->word[i] = (struct word){text, n, hash, ++t->words};
    return t->words;
}

static struct node *node_slot(struct table *t, uint32_t parent, uint32_t word)
{
    uint64_t key = ((uint64_t)parent << 32 | word) * 0x9E3779B97F4A7C15u;
    size_t i = (key ^ key >> 32) & t->node_mask;
    while (t->node[i].id != 0 && (t->node[i].parent != parent || t->node[i].word != word))
        i = (i + 1) & t->node_mask;
    return &t->node[i];
}

static size_t count_tokens(const char *text)
{
    size_t n = 0, length;
    while (sk_token_next(&text, &length) != NULL)
        n++;
    return n;
}

static struct words read_words(struct table *t, const char *text, size_t n, int add)
{
    struct words w = {sk_xcalloc(n + 1, sizeof *w.id), n, n};
    size_t length;
    for (size_t i = 0; i < n; i++) {
        const char *word = sk_token_next(&text, &length);
        w.id[i] = word_id(t, word, length, add);
    }
    return w;
}

static void count_reference(struct table *t, struct words r)
{
    for (size_t i = 0; i < r.n; i++) {
        uint32_t at = 0;
        for (size_t k = i; k < r.n && k < i + SK_BLEU_ORDER; k++) {
            struct node *s = node_slot(t, at, r.id[k]);
            if (s->id == 0)
                *s = (struct node){at, r.id[k], ++t->nodes, 0};
            s->count++;
            at = s->id;
        }
    }
}

/* Each match uses up one n-gram of the reference: that is the clipping. */
static void count_matches(struct table *t, struct words h, int64_t match[SK_BLEU_ORDER])
{
    for (size_t i = 0; i < h.n; i++) {
        uint32_t at = 0;
        for (int k = 0; k < SK_BLEU_ORDER && i + (size_t)k < h.n; k++) {
            uint32_t word = h.id[i + (size_t)k];
            struct node *s = word == UNSEEN ? NULL : node_slot(t, at, word);
            if (s == NULL || s->id == 0)
                break;
            if (s->count > 0) {
                s->count--;
                match[k]++;
            }
            at = s->id;
        }
    }
}

void sk_bleu_add(struct sk_bleu *b, enum sk_bleu_tokenizer t, int lowercase,
                 const char *hypothesis, size_t nh, const char *reference, size_t nr)
{
    struct sk_str hyp = {0}, ref = {0}, spare = {0};
    prepare(t, lowercase, hypothesis, nh, &hyp, &spare);
    prepare(t, lowercase, reference, nr, &ref, &spare);
    const char *hyp_text = hyp.len > 0 ? hyp.text : "", *ref_text = ref.len > 0 ? ref.text : "";
    size_t n_hyp = count_tokens(hyp_text), n_ref = count_tokens(ref_text);

    struct table table = {0};
    size_t word_slots = power_above(2 * n_ref), node_slots = power_above(2 * SK_BLEU_ORDER * n_ref);
    table.word = sk_xcalloc(word_slots, sizeof *table.word);
    table.node = sk_xcalloc(node_slots, sizeof *table.node);
    table.word_mask = word_slots - 1;
    table.node_mask = node_slots - 1;
    struct words r = read_words(&table, ref_text, n_ref, 1), h = read_words(&table, hyp_text, n_hyp, 0);
    count_reference(&table, r);
    count_matches(&table, h, b->match);
    for (int k = 0; k < SK_BLEU_ORDER; k++)
        if (n_hyp > (size_t)k)
            b->total[k] += (int64_t)(n_hyp - (size_t)k);
    b->hypothesis_length += (int64_t)n_hyp;
    b->reference_length += (int64_t)n_ref;
    b->sentences++;

    free(r.id);
    free(h.id);
    free(table.word);
    free(table.node);
    sk_str_free(&hyp);
    sk_str_free(&ref);
    sk_str_free(&spare);
}

/* --- scores --------------------------------------------------------------------- */

static double brevity_penalty(const struct sk_bleu *b)
{
    if (b->hypothesis_length >= b->reference_length)
        return 1;
    if (b->hypothesis_length == 0)
        return 0;
    return exp(1 - (double)b->reference_length / (double)b->hypothesis_length);
}

double sk_bleu_score(const struct sk_bleu *b)
{
    double sum = 0, smooth = 1;
    if (b->match[0] == 0)            /* then no order has a match */
        return 0;
    for (int k = 0; k < SK_BLEU_ORDER; k++) {
        if (b->total[k] == 0)        /* all hypotheses shorter than the order: precision 0 */
            return 0;
        if (b->match[k] == 0) {
            smooth *= 2;
            sum += log(100. / (smooth * (double)b->total[k]));
        } else {
            sum += log(100. * (double)b->match[k] / (double)b->total[k]);
        }
    }
    return brevity_penalty(b) * exp(sum / SK_BLEU_ORDER);
}

double sk_bleu_score_floor(const struct sk_bleu *b, double offset)
{
    double sum = 0;
    int order = 0;
    for (; order < SK_BLEU_ORDER && b->total[order] > 0; order++) {
        double match = b->match[order] > 0 ? (double)b->match[order] : offset;
        if (match <= 0)
            return 0;
        sum += log(100. * match / (double)b->total[order]);
    }
    return order == 0 ? 0 : brevity_penalty(b) * exp(sum / order) / 100;
}

void sk_bleu_signature(enum sk_bleu_tokenizer t, int lowercase, char *text, size_t n)
{
    snprintf(text, n, "nrefs:1|case:%s|eff:no|tok:%s|smooth:exp|version:sk-%s",
             lowercase ? "lc" : "mixed", t == SK_BLEU_13A ? "13a" : "none", SK_VERSION);
}
