/* sk-train-shard: trains a translation model, alone or as one of several processes. */
#include "base/msg.h"
#include "train/checkpoint.h"
#include "train/dry_run.h"
#include "train/options.h"
#include "train/prepare.h"
#include "train/signals.h"
#include "train/trainer.h"

int main(int argc, char **argv)
{
    static struct sk_train_options options;
    static struct sk_train_plan plan;
    struct sk_train_data data;
    sk_msg_program(argv[0]);
    sk_train_options_parse(&options, &plan, argc, argv);
    if (options.dry_run)
        return sk_dry_run(&options, &plan);
    sk_signals_catch();
    struct sk_shards *shards = NULL;
    if (options.num_shards > 1 && !(shards = sk_shards_enter(&options)))
        return sk_die();
    int result = sk_train_prepare(&data, &options, &plan, !shards ? SK_ALONE : sk_shards_lead(shards) ? SK_LEADS
                                                                                               : SK_FOLLOWS);
    if (result == 0)
        result = sk_train(&options, &plan, &data, shards);
    if (result < 0)
        result = sk_die();
    int trained = data.train != NULL;
    sk_train_data_free(&data);
    sk_shards_leave(shards);
    if (trained && sk_checkpoints_merge_scores(options.output) < 0)
        sk_warn("%s; its scores are not taken over", sk_fail_message());
    return result;
}
