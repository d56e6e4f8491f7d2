/* ter_edits.h - the edits of TER for one pair of word sequences. */
#ifndef SK_SCORE_TER_EDITS_H
#define SK_SCORE_TER_EDITS_H
#include <stddef.h>
#include <stdint.h>

struct sk_ter_edits;                 /* memory that is used again; NULL is none yet */
/* Edits, shifts included, from hypothesis (H) to reference (R). Numbers of
 * words: those of the reference are 1..words, those it does not have 0. */
int64_t sk_ter_edits(struct sk_ter_edits **memory, const uint32_t *hypothesis, size_t H,
                     const uint32_t *reference, size_t R, uint32_t words);
void sk_ter_edits_free(struct sk_ter_edits *e);
#endif
