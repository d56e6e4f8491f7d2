/* bleu.c - BLEU. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "score/bleu.h"
#include "score/lowercase.h"
#include "score/ngrams.h"
#include "score/tokenize.h"
#include "score/unicode.h"
#include "score/lexicon.h"

struct sk_bleu {
    const struct sk_bleu_options *o;
    struct sk_lexicon words;           /* of the references */
    struct sk_ngrams ngrams;
    struct sk_ids ids;
    size_t *length;                  /* of each reference */
    struct sk_str *text;             /* of each reference; the words point into it */
    int references, cap;
    struct sk_str hypothesis, spare;
};

struct sk_bleu *sk_bleu_new(const struct sk_bleu_options *o)
{
    struct sk_bleu *b = sk_xcalloc(1, sizeof *b);
    b->o = o;
    return b;
}

void sk_bleu_free(struct sk_bleu *b)
{
    for (int i = 0; i < b->cap; i++)
        sk_str_free(&b->text[i]);
    free(b->text);
    free(b->length);
    sk_lexicon_free(&b->words);
    sk_ngrams_free(&b->ngrams);
    sk_ids_free(&b->ids);
    sk_str_free(&b->hypothesis);
    sk_str_free(&b->spare);
    free(b);
}

/* Text with tokens separated by white space. */
static void tokenize(const struct sk_bleu_options *o, struct sk_line line, struct sk_str *text, struct sk_str *spare)
{
    size_t n = sk_trim_end(line.text, line.n);
    sk_str_clear(text);
    if (o->lowercase)
        sk_lowercase(line.text, n, text);
    else
        sk_str_add(text, line.text, n);
    if (o->tokenizer == SK_BLEU_13A)
        sk_tokenize_13a(text, spare);
    else if (o->tokenizer == SK_BLEU_INTL)
        sk_tokenize_intl(text, spare);
    else if (o->tokenizer == SK_BLEU_CHAR)
        sk_tokenize_char(text, spare);
}

void sk_bleu_tokenize(const struct sk_bleu_options *o, struct sk_line line, struct sk_str *out)
{
    struct sk_str text = {0}, spare = {0};
    tokenize(o, line, &text, &spare);
    const char *p = text.text, *end = p + text.len, *word, *between = "";
    size_t length;
    while ((word = sk_word_next(&p, end, &length)) != NULL) {
        sk_str_add(out, between, strlen(between));
        sk_str_add(out, word, length);
        between = " ";
    }
    sk_str_free(&text);
    sk_str_free(&spare);
}

void sk_bleu_references(struct sk_bleu *b, const struct sk_line *reference, int n)
{
    if (n > b->cap) {
        b->text = sk_xrealloc(b->text, (size_t)n, sizeof *b->text);
        b->length = sk_xrealloc(b->length, (size_t)n, sizeof *b->length);
        for (; b->cap < n; b->cap++)
            b->text[b->cap] = (struct sk_str){0};
    }
    sk_lexicon_reset(&b->words);
    sk_ngrams_reset(&b->ngrams);
    for (int i = 0; i < n; i++) {
        tokenize(b->o, reference[i], &b->text[i], &b->spare);
        sk_lexicon_read(&b->words, b->text[i].text, b->text[i].len, 1, &b->ids);
        sk_ngrams_add(&b->ngrams, b->ids.id, b->ids.n, SK_BLEU_ORDER, NULL);
        b->length[i] = b->ids.n;
    }
    b->references = n;
}

static size_t closest_length(const struct sk_bleu *b, size_t n)
{
    size_t best = 0, best_distance = SIZE_MAX;
    for (int i = 0; i < b->references; i++) {
        size_t length = b->length[i], distance = length > n ? length - n : n - length;
        if (distance < best_distance || (distance == best_distance && length < best)) {
            best = length;
            best_distance = distance;
        }
    }
    return best;
}

void sk_bleu_hypothesis(struct sk_bleu *b, struct sk_line hypothesis, double *stats)
{
    int64_t match[SK_BLEU_ORDER] = {0};
    tokenize(b->o, hypothesis, &b->hypothesis, &b->spare);
    sk_lexicon_read(&b->words, b->hypothesis.text, b->hypothesis.len, 0, &b->ids);
    sk_ngrams_match(&b->ngrams, b->ids.id, b->ids.n, SK_BLEU_ORDER, 0, match);
    stats[0] = (double)b->ids.n;
    stats[1] = (double)closest_length(b, b->ids.n);
    for (size_t k = 0; k < SK_BLEU_ORDER; k++) {
        stats[2 + k] = (double)match[k];
        stats[2 + SK_BLEU_ORDER + k] = b->ids.n > k ? (double)(b->ids.n - k) : 0;
    }
}

/* --- from statistics to the score ------------------------------------------------ */

struct parts { double precision[SK_BLEU_ORDER], brevity; int orders; };

static struct parts take_apart(const struct sk_bleu_options *o, const double *stats)
{
    const double *match = stats + 2, *total = match + SK_BLEU_ORDER;
    double length = stats[0], reference = stats[1], halves = 1;
    struct parts p = {.brevity = 1, .orders = SK_BLEU_ORDER};
    int offset = o->smoothing == SK_BLEU_OFFSET;
    if (length < reference)
        p.brevity = length > 0 ? exp(1 - reference / length) : 0;
    if (match[0] == 0 && !offset) {  /* then no order has matches */
        p.orders = 0;
        return p;
    }
    int shown = 0;
    for (int k = 0; k < SK_BLEU_ORDER; k++) {
        double add = o->smoothing == SK_BLEU_ADD_K && k > 0 ? o->value : 0;
        double m = match[k] + add, t = total[k] + add;
        if (t == 0)
            break;
        shown = k + 1;
        if (m == 0 && o->smoothing == SK_BLEU_EXP) {
            halves *= 2;
            p.precision[k] = 100 / (halves * t);
        } else if (m == 0 && (o->smoothing == SK_BLEU_FLOOR || offset)) {
            p.precision[k] = 100 * o->value / t;
        } else {
            p.precision[k] = 100 * m / t;
        }
    }
    if (o->effective_order)
        p.orders = shown;
    return p;
}

double sk_bleu_value(const struct sk_bleu_options *o, const double *stats)
{
    struct parts p = take_apart(o, stats);
    double sum = 0;
    for (int k = 0; k < p.orders; k++) {
        if (p.precision[k] == 0)
            return 0;
        sum += log(p.precision[k]);
    }
    return p.orders == 0 ? 0 : p.brevity * exp(sum / p.orders);
}

void sk_bleu_detail(const struct sk_bleu_options *o, const double *stats, struct sk_str *out)
{
    struct parts p = take_apart(o, stats);
    for (int k = 0; k < SK_BLEU_ORDER; k++)
        sk_str_printf(out, "%s%.1f", k > 0 ? "/" : "", p.precision[k]);
    sk_str_printf(out, " (BP = %.3f ratio = %.3f hyp_len = %.0f ref_len = %.0f)", p.brevity,
                  stats[1] > 0 ? stats[0] / stats[1] : 0, stats[0], stats[1]);
}

void sk_bleu_signature(const struct sk_bleu_options *o, struct sk_str *out)
{
    static const char *const tokenizer[] = {"none", "13a", "intl", "char"};
    static const char *const smoothing[] = {"none", "exp", "floor", "add-k", "offset"};
    sk_str_printf(out, "case:%s|eff:%s|tok:%s|smooth:%s", o->lowercase ? "lc" : "mixed",
                  o->effective_order ? "yes" : "no", tokenizer[o->tokenizer], smoothing[o->smoothing]);
    if (o->smoothing >= SK_BLEU_FLOOR)
        sk_str_printf(out, "[%.2f]", o->value);
}
