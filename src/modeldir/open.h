/* open.h - a trained model out of its directory, ready to translate. */
#ifndef SK_MODELDIR_OPEN_H
#define SK_MODELDIR_OPEN_H
#include "base/hash.h"
#include "modeldir/config.h"
#include "search/translate.h"

struct sk_trained {
    char *dir, *params;              /* the file the parameters came from */
    char hash[SK_HASH_HEX];          /* checksum of what was loaded (sk_tensors_checksum) */
    struct sk_config config;
    struct sk_vocab *source, *target;
    struct sk_vocab *factor[SK_FACTORS_MAX];     /* of source factors, as far as there are */
    struct sk_factored factored;     /* what the model takes its source words from then */
    struct sk_model *model;          /* for translating only */
};
/* For the options of who translates or scores with it: NULL without source factors. */
struct sk_factored *sk_trained_factored(struct sk_trained *t);
/* which: "best", a checkpoint's number, or a path of a params file (NULL:
 * "best", or the newest checkpoint with a warning if there is no best link).
 * Vocabulary sizes must agree with config.json. 0 or -1 (sk_fail). *t stays where it
 * is. */
int sk_trained_open(struct sk_trained *t, const char *dir, const char *which,
                    const struct sk_ops *ops, struct sk_device *dev);
void sk_trained_close(struct sk_trained *t);
/* n of them that translate together; which: NULL, or n of the above. Their
 * vocabularies must be equal: else SK_EXIT_CONFIG. */
int sk_trained_open_all(struct sk_trained *t, int n, const char *const *dirs, const char *const *which,
                        const struct sk_ops *ops, struct sk_device *dev);
void sk_trained_close_all(struct sk_trained *t, int n);
/* Limits of translating with all n of them: the longest output any allows (as
 * in Sockeye, the largest factor), but what each can hold; see
 * sk_translate_limits. */
void sk_trained_limits(struct sk_translate_options *o, const struct sk_trained *t, int n, int max_input, int num_stds);
#endif
