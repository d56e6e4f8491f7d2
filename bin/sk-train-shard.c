/* sk-train-shard: trains a translation model in one process. */
#include "train/options.h"
#include "train/run.h"
#include "train/trainer.h"

static int here(void *ctx, const struct sk_train_options *o, const struct sk_train_plan *p, const struct sk_train_data *d)
{
    (void)ctx;
    return sk_train(o, p, d);
}

int main(int argc, char **argv)
{
    static struct sk_train_options options;
    static struct sk_train_plan plan;
    sk_train_options_parse(&sk_train_program, &options, &plan, argc, argv);
    return sk_train_run(&options, &plan, here, NULL);
}
