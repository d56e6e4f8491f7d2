#include "train/run.h"

#include "base/msg.h"
#include "train/checkpoint.h"
#include "train/dry_run.h"
#include "train/signals.h"

int sk_train_run(const struct sk_train_options *o, const struct sk_train_plan *p, sk_train_with *with, void *ctx)
{
    struct sk_train_data data;
    sk_info("sk version " SK_VERSION);
    sk_info("Command: %s", o->command);
    if (o->dry_run)
        return sk_dry_run(o, p);
    sk_signals_catch();
    int result = sk_train_prepare(&data, o, p);
    if (result == 0)
        result = with(ctx, o, p, &data);
    if (result < 0)
        result = sk_die();
    int trained = data.train != NULL;
    sk_train_data_free(&data);
    if (trained && sk_checkpoints_merge_scores(o->output) < 0)
        sk_warn("%s; its scores are not taken over", sk_fail_message());
    return result;
}
