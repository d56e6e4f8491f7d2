/* open.h - a trained model out of its directory, ready to translate. */
#ifndef SK_MODELDIR_OPEN_H
#define SK_MODELDIR_OPEN_H
#include "modeldir/config.h"

struct sk_trained {
    char *dir, *params;              /* the file the parameters came from */
    struct sk_config config;
    struct sk_vocab *source, *target;
    struct sk_model *model;          /* for translating only */
};
/* which: "best", a checkpoint's number, or a path of a params file (NULL:
 * "best", or the newest checkpoint with a warning if there is no best link).
 * Vocabulary sizes must agree with config.json. 0 or -1 (sk_fail). */
int sk_trained_open(struct sk_trained *t, const char *dir, const char *which,
                    const struct sk_ops *ops, struct sk_device *dev);
void sk_trained_close(struct sk_trained *t);
#endif
