/* awaited.h - checkpoints whose results are still to come. */
#ifndef SK_TRAIN_AWAITED_H
#define SK_TRAIN_AWAITED_H
#include "train/checkpoint.h"

/* Marks kept[1..last]: those that an evaluator or a command will need, also if
 * only some evaluator is at work at this moment. 0 or -1. */
int sk_awaited_mark(const struct sk_checkpoints *c, int last, unsigned char *kept);
/* The last of the checkpoints 1..last up to which all have the metric that
 * --cache-metric names, if evaluators find that one; else `last`. What is
 * chosen of these does not change when others get theirs. */
int sk_awaited_known(const struct sk_checkpoints *c, const struct sk_metrics *t, int last);
#endif
