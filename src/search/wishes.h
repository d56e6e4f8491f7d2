/* wishes.h - what is asked of a translation besides: by JSON input, with the
 * keys of Sockeye:
 *
 *   "target_prefix": "..."                     it begins with these words (Sockeye 3)
 *   "use_target_prefix_all_chunks": false      only the first piece of a long line does
 *   "keep_target_prefix": false                they are left out of what is written
 *   "constraints": ["...", ...]                phrases that must be in it (Sockeye 1 and 2)
 *   "avoid": ["...", ...]                      phrases that must not
 *
 * A phrase may begin with <s> and end with </s>: the beginning and the end of a
 * translation (of each piece of a long line). Of a phrase that is both required and
 * to be avoided the former counts.
 */
#ifndef SK_SEARCH_WISHES_H
#define SK_SEARCH_WISHES_H
#include "search/phrases.h"
#include "text/vocab.h"

struct json_t;
struct sk_wishes {
    int32_t *prefix;
    int prefixes, first_only, drop_prefix;
    struct sk_phrases *avoid, *required;
    int32_t *word;                   /* (words) of required phrases */
    int words;
    char **name;                     /* (names) of required phrases, as they came */
    int names;
};
/* How texts become words: by white space, or, before that, by something else. */
struct sk_wish_words {
    const struct sk_vocab *target;
    int most;                        /* words of a prefix */
    int sampling;                    /* phrases cannot be required */
    char *(*encode)(void *ctx, const char *text);        /* malloced; or NULL */
    void *ctx;
};
/* Takes the keys out of o. NULL: nothing is asked for. *error: what is wrong
 * with it, malloced, or NULL. */
struct sk_wishes *sk_wishes_json(struct json_t *o, const struct sk_wish_words *words, char **error);
void sk_wishes_free(struct sk_wishes *w);

/* The phrases of a file, one a line, as of --avoid-list; phrases with words that
 * are not in the vocabulary cannot be written anyway. *phrases: NULL if there are
 * none. 0 or -1 (sk_fail). */
int sk_avoid_list(const char *path, const struct sk_wish_words *words, struct sk_phrases **phrases);
#endif
