/* mix.h - several corpora read as one, private to this folder: which pair of
 * which of them is the g-th that training takes (corpus.h says what is
 * promised).
 *
 * The pairs come in windows of 1024. What the corpora have given before a window
 * follows from its number: floor(1024 * window * share), the largest share giving
 * the rest. So the window's pairs of each are known, and a keyed permutation puts
 * them in order. From there on the i-th pair of a corpus is pair i of its own
 * endless row of epochs.
 */
#ifndef SK_TEXT_MIX_H
#define SK_TEXT_MIX_H
#include "text/corpus.h"

struct sk_mix;
/* Takes the parts over; *all: their statistics together. */
struct sk_mix *sk_mix_new(struct sk_corpus *const *part, const double *weight, int n, struct sk_corpus_stats *all);
void sk_mix_free(struct sk_mix *m);
int sk_mix_parts(const struct sk_mix *m);
const struct sk_corpus_stats *sk_mix_part(const struct sk_mix *m, int i);
void sk_mix_taken(const struct sk_mix *m, int64_t seed, int64_t g, int64_t *taken);

struct sk_mixer;
struct sk_mixer *sk_mixer_new(const struct sk_mix *m, int64_t seed);
void sk_mixer_free(struct sk_mixer *x);
void sk_mixer_seek(struct sk_mixer *x, int64_t g);
int sk_mixer_peek(struct sk_mixer *x, struct sk_pair *pair);    /* 0 or -1 */
void sk_mixer_step(struct sk_mixer *x);
#endif
