/* run.h - a training from its options to its exit code. */
#ifndef SK_TRAIN_RUN_H
#define SK_TRAIN_RUN_H
#include "train/prepare.h"

/* What trains once all is prepared: sk_train in this process, or processes that
 * do so. An exit code, or -1 (sk_fail). */
typedef int sk_train_with(void *ctx, const struct sk_train_options *o, const struct sk_train_plan *p,
                          const struct sk_train_data *d);
/* A dry run, if the options ask for one; else prepares the directory, trains, and
 * takes over scores that came in meanwhile. Says what fails; returns the exit code. */
int sk_train_run(const struct sk_train_options *o, const struct sk_train_plan *p, sk_train_with *with, void *ctx);
#endif
