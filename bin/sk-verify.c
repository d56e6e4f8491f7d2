/* sk-verify: does a checkpoint's updates again and says whether its bits are right. */
#include "base/msg.h"
#include "base/opt.h"
#include "train/verify.h"

#define FIELD(f) offsetof(struct sk_verify_options, f)

static const struct sk_opt table[] = {
    {.name = "checkpoint", .letter = 'c', .type = SK_OPT_INT, .offset = FIELD(checkpoint), .min = 1, .max = 999999999,
     .value = "N", .help = "Which one. Default: the last."},
    {.name = "from", .type = SK_OPT_INT, .offset = FIELD(from), .initial = "-1", .min = -1, .max = 999999999, .value = "M",
     .help = "Begin with checkpoint M, which must have params and state, 0: with the first update; -1: with the last "
     "checkpoint before N that has both."},
    {.name = "threads", .type = SK_OPT_INT, .offset = FIELD(threads), .initial = "0", .min = 0, .max = 1024, .value = "N",
     .help = "Threads; 0: one for each CPU. Has no effect on results."},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = FIELD(quiet), .help = "Only warnings and errors."},
    {0}};

static const struct sk_program program = {
    .synopsis = "MODEL_DIR [-c N]",
    .summary = "Trains again from the checkpoint before, elsewhere, and says whether checkpoint N has the bits that come "
               "out: \"right\", or \"wrong\" and where.",
    .options = table,
    .epilogue = "sk-train-shard --keep-last-states 2 keeps the state that this begins with; without one, all updates are done "
                "again. Exit codes: 0 right, 1 wrong, 64 usage, 65 bad content, 66 no such file, 74 I/O error, 75 stopped by "
                "a signal.",
    .min_operands = 1, .max_operands = 1};

int main(int argc, char **argv)
{
    struct sk_verify_options o = {0};
    sk_msg_program(argv[0]);
    int first = sk_opt_parse(&program, &o, argc, argv);
    sk_quiet(o.quiet);
    o.dir = argv[first];
    int result = sk_verify(&o);
    return result < 0 ? sk_die() : result;
}
