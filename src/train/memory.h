/* memory.h - how large batches get, and how much memory a run takes: known
 * before any of it is taken.
 */
#ifndef SK_TRAIN_MEMORY_H
#define SK_TRAIN_MEMORY_H
#include <stddef.h>

#include "train/prepare.h"

/* Budgets of a batch. One batch's memory serves training and validation. 0 or
 * -1 with SK_EXIT_USAGE. */
int sk_train_limits(struct sk_batch_limits *l, const struct sk_train_options *o, const struct sk_train_plan *p,
                    const struct sk_train_data *d);

/* Resident bytes of this process now, and the most there ever were; 0: the
 * system does not tell. */
void sk_memory_resident(size_t *now, size_t *most);
/* The most that there will be, if training starts from here: what is resident
 * now, and what model, optimizer, batches and the device's operations take. */
size_t sk_memory_predict(const struct sk_train_options *o, const struct sk_train_plan *p,
                         const struct sk_train_data *d, const struct sk_batch_limits *l, const struct sk_ops *ops,
                         struct sk_device *dev);
#endif
