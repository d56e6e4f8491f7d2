/* rouge.h - ROUGE-1, -2 and -L (Lin 2004) as Sockeye 1.18 computes them;
 * scores 0..100.
 *
 * ROUGE-N is the F1 of the sets of n-grams; ROUGE-L the F of the longest
 * common subsequence of words with beta = precision / recall. The corpus has
 * the mean of its lines; with several references a line has the best of them.
 * A line's statistics are two numbers: its F, and 1.
 *
 * Words of the hypothesis are what lies between single blanks (so two blanks
 * have an empty word between them), those of a reference what lies between
 * white space; an empty line is one empty word.
 *
 * Order of calls as in bleu.h.
 */
#ifndef SK_SCORE_ROUGE_H
#define SK_SCORE_ROUGE_H
#include "score/line.h"

enum { SK_ROUGE_STATS = 2 };
enum sk_rouge_variant { SK_ROUGE_1, SK_ROUGE_2, SK_ROUGE_L };

struct sk_rouge;
struct sk_rouge *sk_rouge_new(enum sk_rouge_variant v);
/* The text of the lines must stay where it is up to the last hypothesis. */
void sk_rouge_references(struct sk_rouge *r, const struct sk_line *reference, int n);
void sk_rouge_hypothesis(struct sk_rouge *r, struct sk_line hypothesis, double *stats /* (SK_ROUGE_STATS) */);
void sk_rouge_free(struct sk_rouge *r);
double sk_rouge_value(const double *stats);
#endif
