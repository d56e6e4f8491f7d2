/* sk-train-shard: trains a translation model, alone or as one of several processes. */
#include "base/msg.h"
#include "train/options.h"
#include "train/run.h"

int main(int argc, char **argv)
{
    static struct sk_train_options options;
    static struct sk_train_plan plan;
    sk_train_options_parse(&sk_train_program, &options, &plan, argc, argv);
    sk_train_say_start(&options);
    /* A dry run opens devices in a process of its own. */
    if (!options.dry_run && sk_train_settle_numbers(&options, -1) < 0)
        return sk_die();
    return sk_train_run(&options, &plan);
}
