/* option_rows.h - rows of option tables that programs which translate or score have
 * in common. S: the struct of values, whose fields have the options' names. */
#ifndef SK_MODELDIR_OPTION_ROWS_H
#define SK_MODELDIR_OPTION_ROWS_H
#include <stddef.h>
#include "base/opt.h"
#include "math/ops.h"

/* double alpha, beta */
#define SK_ROWS_PENALTY(S)                                                                                         \
    {.name = "length-penalty-alpha", .type = SK_OPT_FLOAT, .offset = offsetof(S, alpha), .initial = "1.0",         \
     .min = -100, .max = 100, .value = "A", .help = "Exponent of the length penalty."},                            \
    {.name = "length-penalty-beta", .type = SK_OPT_FLOAT, .offset = offsetof(S, beta), .initial = "0.0", .min = 0, \
     .max = 1e6, .value = "B", .help = "Length added in the length penalty."}

/* int beam_size, batch_size, num_stds, and the above */
#define SK_ROWS_SEARCH(S)                                                                                          \
    {.name = "beam-size", .letter = 'b', .type = SK_OPT_INT, .offset = offsetof(S, beam_size), .initial = "5",     \
     .min = 1, .max = 10000, .value = "N", .help = "Hypotheses kept for each sentence; 1: greedy."},               \
    {.name = "batch-size", .type = SK_OPT_INT, .offset = offsetof(S, batch_size), .initial = "32", .min = 1,       \
     .max = 65536, .value = "N",                                                                                   \
     .help = "Sentences translated together, by each thread if there are enough; has no effect on results."},      \
    SK_ROWS_PENALTY(S),                                                                                            \
    {.name = "max-output-length-num-stds", .type = SK_OPT_INT, .offset = offsetof(S, num_stds), .initial = "2",    \
     .min = -1e6, .max = 1e6, .value = "N",                                                                        \
     .help = "Longest translation: so many standard deviations over the mean length ratio of training; "           \
             "negative: twice the source's length."}

/* const char *dtype; int threads, use_cpu */
#define SK_ROWS_COMPUTING(S)                                                                                       \
    {.name = "threads", .type = SK_OPT_INT, .offset = offsetof(S, threads), .initial = "0", .min = 0, .max = 1024, \
     .value = "N", .help = "Threads; 0: one for each CPU. Has no effect on results."},                             \
    {.name = "dtype", .type = SK_OPT_CHOICE, .offset = offsetof(S, dtype), .initial = "float32",                   \
     .choices = SK_DTYPES,                                                                                         \
     .help = "Numbers that matrix products multiply, whatever the model was trained with. bfloat16, "              \
             "bfloat16-amx and int8 are faster where the processor has instructions for them."},                   \
    {.name = "use-cpu", .type = SK_OPT_FLAG, .offset = offsetof(S, use_cpu), .help = "Use the CPU."}

/* int quiet */
#define SK_ROW_QUIET(S)                                                                                            \
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = offsetof(S, quiet),                            \
     .help = "Only warnings and errors."}
#endif
