/* request.h - one line of input: the text itself, or a JSON object that holds
 * it, as Sockeye has it: {"text": "...", what wishes.h says, any other key: passed through}.
 */
#ifndef SK_SEARCH_REQUEST_H
#define SK_SEARCH_REQUEST_H
#include <stddef.h>
#include "search/wishes.h"
#include "text/factored.h"

struct sk_request {
    char *text;                      /* to translate; "" if there is an error */
    struct json_t *others;           /* the keys to pass through, or NULL */
    struct sk_wishes *wishes;        /* or NULL */
    char *factor[SK_FACTORS_MAX];    /* "factors": a line for each */
    int factors;
    char *error;                     /* why the line cannot be translated, or NULL */
};
/* line (n bytes) of valid UTF-8; NUL bytes, which would end a text early,
 * become "substitute" (1a). */
void sk_request_text(struct sk_request *r, const char *line, size_t n);
/* A line that is no such object has an error, and so have those with keys of
 * Sockeye that ask for what is not done here ("restrict_lexicon"; null and empty
 * ones are dropped), and those whose wishes cannot be granted. */
void sk_request_json(struct sk_request *r, const char *line, size_t n, const struct sk_wish_words *words);
/* For models with n source factors: puts those of other files (factor, n lines), or
 * NULL: those of the request, into the words, which otherwise must have them. What
 * does not fit is an error. */
void sk_request_factors(struct sk_request *r, int n, const char *const *factor);
void sk_request_free(struct sk_request *r);
#endif
