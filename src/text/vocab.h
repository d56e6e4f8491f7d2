/* vocab.h - vocabularies in Sockeye's JSON form: one object, UTF-8 not
 * escaped, 4 blanks of indent, in order of ids, no newline at the end.
 * Ids: <pad> 0, <unk> 1, <s> 2, </s> 3, then words by (count, word)
 * descending: ties in reverse code point order. (Sockeye 1.18, vocab.py)
 */
#ifndef SK_TEXT_VOCAB_H
#define SK_TEXT_VOCAB_H
#include <stddef.h>
#include <stdint.h>
enum { SK_PAD = 0, SK_UNK = 1, SK_BOS = 2, SK_EOS = 3, SK_SPECIALS = 4 };

struct sk_pool;
struct sk_vocab;
/* Counting: memory is bounded; of texts with more than some millions of
 * different words counts go to temporary files in $TMPDIR. Nothing depends on
 * the pool (NULL: this thread alone). */
struct sk_vocab_counts;
struct sk_vocab_counts *sk_vocab_counts_new(void);
/* Counts all tokens of a file (shows progress); 0 or -1. May be called for several files. */
int sk_vocab_count_file(struct sk_vocab_counts *c, const char *path, unsigned lines_flags, struct sk_pool *pool);
/* num_words 0: no limit (specials not counted); pad_to 0: none. Uses the
 * counts up. NULL with SK_EXIT_DATA if no word is left.
 * Logs `Vocabulary: types: a/b/c/d (initial/min_pruned/max_pruned/+special) [...]`. */
struct sk_vocab *sk_vocab_build(struct sk_vocab_counts *c, int num_words, int min_count, int pad_to,
                                struct sk_pool *pool);
void sk_vocab_counts_free(struct sk_vocab_counts *c);

struct sk_vocab *sk_vocab_load(const char *path);   /* hostile input; NULL: sk_fail */
int sk_vocab_save(const struct sk_vocab *v, const char *path);  /* whole, by rename; -: standard output */
int32_t sk_vocab_size(const struct sk_vocab *v);
int32_t sk_vocab_id(const struct sk_vocab *v, const char *word, size_t n);  /* SK_UNK if absent or a special symbol */
const char *sk_vocab_word(const struct sk_vocab *v, int32_t id);
int sk_vocab_equal(const struct sk_vocab *a, const struct sk_vocab *b);
void sk_vocab_free(struct sk_vocab *v);
#endif
