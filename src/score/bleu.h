/* bleu.h - BLEU (Papineni et al. 2002) with the digits of sacreBLEU (Post 2018).
 * Tokenisers: none, 13a. Corpus level: exponential smoothing, no effective
 * order; orders 1..4; score 0-100.
 */
#ifndef SK_SCORE_BLEU_H
#define SK_SCORE_BLEU_H
#include <stdint.h>
#include "base/mem.h"
enum sk_bleu_tokenizer { SK_BLEU_NONE, SK_BLEU_13A };
struct sk_bleu { int64_t match[4], total[4], hypothesis_length, reference_length; int64_t sentences; };
/* Appends the tokenised line to out, tokens separated by single blanks. */
void sk_bleu_tokenize(enum sk_bleu_tokenizer t, const char *line, struct sk_str *out);
/* Adds one sentence pair (untokenised lines). */
void sk_bleu_add(struct sk_bleu *b, enum sk_bleu_tokenizer t, int lowercase, const char *hypothesis, const char *reference);
double sk_bleu_score(const struct sk_bleu *b);                   /* 0..100 */
/* Sockeye's raw BLEU of checkpoints: floor smoothing 0.01, effective order, 0..1. */
double sk_bleu_score_floor(const struct sk_bleu *b, double offset);
/* sacreBLEU's signature "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:sk-0.1.0" */
void sk_bleu_signature(enum sk_bleu_tokenizer t, int lowercase, char *text, size_t n);
#endif
