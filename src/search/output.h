/* output.h - what a line of output holds, by the names and in the forms of
 * Sockeye 1.18 (output_handler.py).
 *
 *   translation              words joined by blanks
 *   score                    %.3f
 *   translation_with_score   %.3f<TAB>translation
 *   benchmark                input=...<TAB>output=...<TAB>input_tokens=N<TAB>output_tokens=N<TAB>
 *                            translation_time=%.4f
 *   json                     one object, keys sorted: the request's other keys, "score", "sentence_id" (from
 *                            1), "translation"; nbest > 1: "scores", "translations", best first; "error" if the
 *                            request has one; "unmet_constraints" if the translation does not have all
 *                            required phrases: those. A score that is not finite is null. Numbers have as many digits
 *                            as it takes to read the same value back (scores: the same float32).
 */
#ifndef SK_SEARCH_OUTPUT_H
#define SK_SEARCH_OUTPUT_H
#include "base/mem.h"
#include "search/request.h"
#include "search/translate.h"

enum sk_output_type {
    SK_OUTPUT_TRANSLATION, SK_OUTPUT_SCORE, SK_OUTPUT_TRANSLATION_WITH_SCORE, SK_OUTPUT_BENCHMARK, SK_OUTPUT_JSON
};
#define SK_OUTPUT_TYPES "translation|score|translation_with_score|benchmark|json"
/* Of a name out of SK_OUTPUT_TYPES. */
enum sk_output_type sk_output_type(const char *name);

struct sk_output {
    enum sk_output_type type;
    int nbest;                       /* > 1: json with lists */
};
/* Appends a line. id: sentence_id; seconds: of translating it. */
void sk_output_add(const struct sk_output *o, struct sk_str *out, long long id, const struct sk_request *r,
                   const struct sk_translation *t, double seconds);
#endif
