/* shards_stage.h - sums of a device with memory of its own, on their way to other
 * shards: the exchange works on the host, on a copy of what is summed.
 */
#ifndef SK_TRAIN_SHARDS_STAGE_H
#define SK_TRAIN_SHARDS_STAGE_H
#include "model/model.h"
#include "train/exchange/exchange.h"

struct sk_shards_stage {
    const struct sk_ops *ops, *host_ops;     /* host_ops: what the exchange computes with; ops if that is the host */
    struct sk_device *dev, *host_dev;
    const struct sk_model_region *region;    /* on the device */
    struct sk_model_region host[SK_REGIONS_MAX];     /* on the host: the same if that is the device */
    int regions;
};

/* 0, or -1 and sk_fail. */
int sk_shards_stage_open(struct sk_shards_stage *s, struct sk_model *m);
void sk_shards_stage_close(struct sk_shards_stage *s);
/* What the device has, to the host; what the host has, to the device. */
void sk_shards_stage_down(const struct sk_shards_stage *s);
void sk_shards_stage_up(const struct sk_shards_stage *s);
#endif
