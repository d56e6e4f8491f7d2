/* shortlist.h - for each source word the target words that it is likely to become,
 * most likely first: what a translation may consist of (Devlin 2017).
 *
 * The file is Sockeye's: NumPy's format (.npy, versions 1 to 3), an array of
 * int32 ('<i4'; '<i8' is read too), C order, of shape (source vocabulary, k); 0 where
 * there are no more. Ids are those of the model's vocabularies.
 */
#ifndef SK_SEARCH_SHORTLIST_H
#define SK_SEARCH_SHORTLIST_H
#include <stdint.h>
#include "text/vocab.h"

struct sk_shortlist {
    int sources, k;
    int32_t *word;                   /* (sources, k) */
};
/* Out of a table of lexical probabilities, lines `source target log-probability`, as
 * fast_align writes them; white space between. Source words that the vocabulary lacks are
 * passed over, target words that it lacks count as <unk> together; of lines for the
 * same pair the last counts; of equal ones the lower id comes first. *used: lines that
 * were of use. 0 or -1: sk_fail. */
int sk_shortlist_make(struct sk_shortlist *s, const char *path, const struct sk_vocab *source,
                      const struct sk_vocab *target, int k, long long *used, long long *lines);
/* Whole, by rename. 0 or -1. */
int sk_shortlist_save(const struct sk_shortlist *s, const char *path);
/* topk: no more than so many of each word; 0: all. The file is hostile input. */
int sk_shortlist_load(struct sk_shortlist *s, const char *path, int sources, int targets, int topk);
void sk_shortlist_free(struct sk_shortlist *s);
#endif
