/* chrf.c - chrF. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "score/chrf.h"
#include "score/lowercase.h"
#include "score/ngrams.h"
#include "score/unicode.h"
#include "score/lexicon.h"

struct reference {
    struct sk_ngrams characters, words;
    struct sk_str text;              /* the words point into it */
    size_t n_characters, n_words;
};

struct sk_chrf {
    const struct sk_chrf_options *o;
    struct sk_lexicon words;           /* of all references */
    struct reference *reference;
    int references, cap;
    struct sk_ids characters, ids;   /* of the line at hand */
    struct sk_str hypothesis;
};

struct sk_chrf *sk_chrf_new(const struct sk_chrf_options *o)
{
    struct sk_chrf *c = sk_xcalloc(1, sizeof *c);
    c->o = o;
    return c;
}

void sk_chrf_free(struct sk_chrf *c)
{
    for (int i = 0; i < c->cap; i++) {
        sk_ngrams_free(&c->reference[i].characters);
        sk_ngrams_free(&c->reference[i].words);
        sk_str_free(&c->reference[i].text);
    }
    free(c->reference);
    sk_lexicon_free(&c->words);
    sk_ids_free(&c->characters);
    sk_ids_free(&c->ids);
    sk_str_free(&c->hypothesis);
    free(c);
}

/* --- a line to numbers ----------------------------------------------------------- */

static int is_punctuation(char a)
{
    return (a >= '!' && a <= '/') || (a >= ':' && a <= '@') || (a >= '[' && a <= '`') || (a >= '{' && a <= '~');
}

static void read_word(struct sk_chrf *c, const char *word, size_t n, int add)
{
    sk_ids_add(&c->ids, add ? sk_lexicon_add(&c->words, word, n) : sk_lexicon_find(&c->words, word, n));
}

/* Words of chrF++: one punctuation mark at the end, or else one at the start,
 * is a word of its own. */
static void read_words(struct sk_chrf *c, const char *text, size_t n, int add)
{
    const char *end = text + n, *word;
    size_t length, first;
    c->ids.n = 0;
    while ((word = sk_word_next(&text, end, &length)) != NULL) {
        sk_utf8_decode(word, word + length, &first);
        if (first == length) {       /* one character */
            read_word(c, word, length, add);
        } else if (is_punctuation(word[length - 1])) {
            read_word(c, word, length - 1, add);
            read_word(c, word + length - 1, 1, add);
        } else if (is_punctuation(word[0])) {
            read_word(c, word, 1, add);
            read_word(c, word + 1, length - 1, add);
        } else {
            read_word(c, word, length, add);
        }
    }
}

static void read_characters(struct sk_chrf *c, const char *text, size_t n)
{
    const char *end = text + n;
    size_t length;
    c->characters.n = 0;
    while (text < end) {
        size_t space = c->o->whitespace ? 0 : sk_space_at(text, end);
        if (space > 0) {
            text += space;
            continue;
        }
        sk_ids_add(&c->characters, sk_utf8_decode(text, end, &length) + 1);      /* 0 means none */
        text += length;
    }
}

/* Numbers of the line's characters and, if they count, words. */
static void read_line(struct sk_chrf *c, struct sk_line line, struct sk_str *text, int add)
{
    size_t n = sk_trim_end(line.text, line.n);
    sk_str_clear(text);
    if (c->o->lowercase)
        sk_lowercase(line.text, n, text);
    else
        sk_str_add(text, line.text, n);
    read_characters(c, text->text, text->len);
    c->ids.n = 0;
    if (c->o->word_order > 0)
        read_words(c, text->text, text->len, add);
}

/* --- statistics ------------------------------------------------------------------ */

void sk_chrf_references(struct sk_chrf *c, const struct sk_line *reference, int n)
{
    if (n > c->cap) {
        c->reference = sk_xrealloc(c->reference, (size_t)n, sizeof *c->reference);
        memset(c->reference + c->cap, 0, (size_t)(n - c->cap) * sizeof *c->reference);
        c->cap = n;
    }
    sk_lexicon_reset(&c->words);
    for (int i = 0; i < n; i++) {
        struct reference *r = &c->reference[i];
        read_line(c, reference[i], &r->text, 1);
        sk_ngrams_reset(&r->characters);
        sk_ngrams_add(&r->characters, c->characters.id, c->characters.n, c->o->char_order, NULL);
        sk_ngrams_reset(&r->words);
        sk_ngrams_add(&r->words, c->ids.id, c->ids.n, c->o->word_order, NULL);
        r->n_characters = c->characters.n;
        r->n_words = c->ids.n;
    }
    c->references = n;
}

static double ngrams_of(size_t tokens, int order)
{
    return tokens >= (size_t)order ? (double)(tokens - (size_t)order + 1) : 0;
}

static void fill(double *stats, int orders, size_t hypothesis, size_t reference, const int64_t *match)
{
    for (int k = 0; k < orders; k++) {
        stats[3 * k + 1] = ngrams_of(reference, k + 1);
        stats[3 * k] = stats[3 * k + 1] > 0 ? ngrams_of(hypothesis, k + 1) : 0;
        stats[3 * k + 2] = (double)match[k];
    }
}

void sk_chrf_hypothesis(struct sk_chrf *c, struct sk_line hypothesis, double *stats)
{
    int orders = c->o->char_order + c->o->word_order;
    double best = -1, now[SK_CHRF_MAX_STATS];
    read_line(c, hypothesis, &c->hypothesis, 0);
    for (int i = 0; i < c->references; i++) {
        struct reference *r = &c->reference[i];
        int64_t match[2 * SK_CHRF_MAX_ORDER] = {0};
        sk_ngrams_match(&r->characters, c->characters.id, c->characters.n, c->o->char_order, 0, match);
        sk_ngrams_match(&r->words, c->ids.id, c->ids.n, c->o->word_order, 0, match + c->o->char_order);
        fill(now, c->o->char_order, c->characters.n, r->n_characters, match);
        fill(now + 3 * c->o->char_order, c->o->word_order, c->ids.n, r->n_words, match + c->o->char_order);
        double value = sk_chrf_value(c->o, now);
        if (value > best) {
            best = value;
            memcpy(stats, now, (size_t)(3 * orders) * sizeof *stats);
        }
    }
}

/* --- from statistics to the score ------------------------------------------------ */

double sk_chrf_value(const struct sk_chrf_options *o, const double *stats)
{
    const double eps = 1e-16;
    double weight = (double)o->beta * o->beta, sum = 0, precision = 0, recall = 0;
    int orders = o->char_order + o->word_order, effective = 0;
    for (int k = 0; k < orders; k++) {
        double hypothesis = stats[3 * k], reference = stats[3 * k + 1], match = stats[3 * k + 2];
        double p = hypothesis > 0 ? match / hypothesis : eps;
        double r = reference > 0 ? match / reference : eps;
        double below = weight * p + r;
        sum += below > 0 ? (1 + weight) * p * r / below : eps;
        if (hypothesis > 0 && reference > 0) {
            precision += p;
            recall += r;
            effective++;
        }
    }
    if (o->eps_smoothing)
        return 100 * sum / orders;
    if (effective == 0)
        return 0;
    precision /= effective;
    recall /= effective;
    if (precision + recall == 0)
        return 0;
    return 100 * ((1 + weight) * precision * recall / (weight * precision + recall));
}

void sk_chrf_name(const struct sk_chrf_options *o, struct sk_str *out)
{
    sk_str_printf(out, "chrF%d", o->beta);
    for (int k = 0; k < o->word_order; k++)
        sk_str_add(out, "+", 1);
}

void sk_chrf_signature(const struct sk_chrf_options *o, struct sk_str *out)
{
    sk_str_printf(out, "case:%s|eff:%s|nc:%d|nw:%d|space:%s", o->lowercase ? "lc" : "mixed",
                  o->eps_smoothing ? "no" : "yes", o->char_order, o->word_order, o->whitespace ? "yes" : "no");
}
