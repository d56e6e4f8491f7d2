/* factored.h - words that come with factors, in one line: word|factor|factor,
 * as Sockeye reads them. A word may hold bars of its own: the last ones count.
 */
#ifndef SK_TEXT_FACTORED_H
#define SK_TEXT_FACTORED_H
#include "base/mem.h"
#include "text/vocab.h"

enum { SK_FACTORS_MAX = 8 };
/* Appends a line with the factors' lines in it. NULL, or (malloced) why not: another
 * number of words; a factor with a bar. */
char *sk_factored_join(struct sk_str *out, const char *line, const char *const *factor, int n);
/* NULL, or (malloced) which word of a line has not so many factors. */
char *sk_factored_check(const char *line, int n);
/* Zips a text with those of its factors into the file `to` (NULL: only looks whether
 * they correspond), `lines_flags` as for sk_lines_open: 0 or -1. */
int sk_factored_zip(const char *to, const char *source, const char *const *factor, int n, unsigned lines_flags);

/* Vocabularies, and the combinations that were met since sk_factored_start: row i of
 * rows (used, 1 + n) has the ids of word and factors of combination i; the first
 * SK_SPECIALS are the special symbols. A stranger is SK_UNK. */
struct sk_factored {
    const struct sk_vocab *word, *factor[SK_FACTORS_MAX];
    int n;
    int32_t *rows;
    size_t used, cap;                /* in combinations */
};
void sk_factored_start(struct sk_factored *f);
/* Adds a token: the number of the combination. */
int32_t sk_factored_add(struct sk_factored *f, const char *token, size_t length);
#endif
