/* run.h - the life of a process that trains, from its options to its exit code. */
#ifndef SK_TRAIN_RUN_H
#define SK_TRAIN_RUN_H
#include "train/options.h"

/* Version and command, as the first lines of the log. */
void sk_train_say_start(const struct sk_train_options *o);
/* A dry run, if the options ask for one; else prepares the directory, trains alone
 * or as one of several shards, and takes over scores that came in meanwhile. Says
 * what fails; returns the exit code. */
int sk_train_run(const struct sk_train_options *o, const struct sk_train_plan *p);
#endif
