/* sk-train-shard: trains a translation model, alone or as one of several processes. */
#include "train/options.h"
#include "train/run.h"

int main(int argc, char **argv)
{
    static struct sk_train_options options;
    static struct sk_train_plan plan;
    sk_train_options_parse(&sk_train_program, &options, &plan, argc, argv);
    sk_train_say_start(&options);
    return sk_train_run(&options, &plan);
}
