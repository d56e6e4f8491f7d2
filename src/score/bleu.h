/* bleu.h - BLEU (Papineni et al. 2002) with the digits of sacreBLEU 2
 * (Post 2018): orders 1..4, one reference, exponential smoothing, no
 * effective order; scores 0..100.
 *
 * A line is UTF-8 text of n bytes; NUL bytes and line ends inside it count as
 * sacreBLEU counts them. Order of calls: a zeroed struct sk_bleu,
 * sk_bleu_add for each pair, then a score. Counts of parts of a corpus may be
 * added up field by field.
 */
#ifndef SK_SCORE_BLEU_H
#define SK_SCORE_BLEU_H
#include <stdint.h>
#include "base/mem.h"

enum { SK_BLEU_ORDER = 4 };
enum sk_bleu_tokenizer { SK_BLEU_NONE, SK_BLEU_13A };
struct sk_bleu {
    int64_t match[SK_BLEU_ORDER], total[SK_BLEU_ORDER];  /* clipped matches, n-grams of the hypotheses */
    int64_t hypothesis_length, reference_length;         /* tokens */
    int64_t sentences;
};

/* Appends the line's tokens to out, separated by single blanks. A NUL byte in
 * the line becomes the two bytes c0 80, so that out is a C string. */
void sk_bleu_tokenize(enum sk_bleu_tokenizer t, int lowercase, const char *line, size_t n, struct sk_str *out);
/* Adds one sentence pair (untokenised lines). */
void sk_bleu_add(struct sk_bleu *b, enum sk_bleu_tokenizer t, int lowercase,
                 const char *hypothesis, size_t nh, const char *reference, size_t nr);
/* Adds the pairs of two files (plain, gz or -) of equally many lines; only \n
 * ends a line, as for sacreBLEU. Files of different length, without lines or
 * with invalid UTF-8: -1 with SK_EXIT_DATA. */
int sk_bleu_add_files(struct sk_bleu *b, enum sk_bleu_tokenizer t, int lowercase,
                      const char *hypotheses, const char *references);
double sk_bleu_score(const struct sk_bleu *b);           /* 0..100 */
/* BLEU of checkpoints as Sockeye 1.18 writes it to `metrics`: 0..1, effective
 * order, an order without matches counts as `offset` (0.01) matches. */
double sk_bleu_score_floor(const struct sk_bleu *b, double offset);
/* In sacreBLEU's form: nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:sk-X.Y.Z */
void sk_bleu_signature(enum sk_bleu_tokenizer t, int lowercase, char *text, size_t n);
#endif
