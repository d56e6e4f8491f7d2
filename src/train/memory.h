/* memory.h - how large batches get, and how much memory a run takes: known
 * before any of it is taken.
 */
#ifndef SK_TRAIN_MEMORY_H
#define SK_TRAIN_MEMORY_H
#include <stddef.h>

#include "math/ops.h"
#include "text/batch.h"
#include "text/corpus.h"
#include "train/options.h"

/* Budgets of a batch. One batch's memory serves training and validation. 0 or
 * -1 with SK_EXIT_USAGE. */
int sk_train_limits(struct sk_batch_limits *l, const struct sk_train_options *o, const struct sk_train_plan *p,
                    const struct sk_corpus_stats *train, const struct sk_corpus_stats *val);

/* The most that there will be, if training starts from here: what is resident
 * now, and what model, optimizer, batches and the device's operations take. Of
 * the corpora their sizes count, which are known before they are made. *on_device: of
 * this, what does not count since it is the memory of a device of its own; or 0. */
size_t sk_memory_predict(const struct sk_train_options *o, const struct sk_train_plan *p,
                         const struct sk_model_config *m, const struct sk_corpus_stats *train,
                         const struct sk_corpus_stats *val, const struct sk_batch_limits *l,
                         const struct sk_ops *ops, struct sk_device *dev, size_t *on_device);
/* Refuses what a device with memory of its own does not have: says how much it is, and
 * which --batch-size would fit. 0, or -1 with SK_EXIT_NO. */
int sk_memory_device_check(const struct sk_train_options *o, const struct sk_train_plan *p,
                           const struct sk_model_config *m, const struct sk_corpus_stats *train,
                           const struct sk_corpus_stats *val, const struct sk_ops *ops, struct sk_device *dev,
                           size_t on_device);
#endif
