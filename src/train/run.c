#include "train/run.h"

#include "base/msg.h"
#include "train/checkpoint.h"
#include "train/dry_run.h"
#include "train/prepare.h"
#include "train/signals.h"
#include "train/trainer.h"

void sk_train_say_start(const struct sk_train_options *o)
{
    sk_info("sk version " SK_VERSION);
    sk_info("Command: %s", o->command);
}

int sk_train_run(const struct sk_train_options *o, const struct sk_train_plan *p)
{
    struct sk_train_data data;
    if (o->dry_run)
        return sk_dry_run(o, p);
    sk_signals_catch();
    struct sk_shards *shards = NULL;
    if (o->num_shards > 1 && !(shards = sk_shards_enter(o)))
        return sk_die();
    enum sk_start_as as = !shards ? SK_ALONE : !sk_shards_lead(shards) ? SK_FOLLOWS
        : sk_shards_found(shards) ? SK_LEADS_ON : SK_LEADS;
    int result = sk_train_prepare(&data, o, p, as);
    if (result == 0)
        result = sk_train(o, p, &data, shards);
    if (result < 0)
        result = sk_die();
    int trained = data.train != NULL;
    sk_train_data_free(&data);
    sk_shards_leave(shards);
    if (trained && sk_checkpoints_merge_scores(o->output) < 0)
        sk_warn("%s; its scores are not taken over", sk_fail_message());
    return result;
}
