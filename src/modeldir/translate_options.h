/* translate_options.h - the options of sk-translate. */
#ifndef SK_MODELDIR_TRANSLATE_OPTIONS_H
#define SK_MODELDIR_TRANSLATE_OPTIONS_H
#include "base/opt.h"

struct sk_translate_values {
    struct sk_opt_list models, checkpoints, factors;
    const char *input, *output, *output_type, *stop, *ensemble_mode, *dtype, *avoid_list, *restrict_lexicon,
        *sentencepiece[2];
    int json_input, beam_size, nbest, batch_size, chunk_size, num_stds, max_input_len, strip_unknown, threads, use_cpu,
        quiet, sample, restrict_topk;
    long long seed;
    double alpha, beta, prune;
};

/* The model of each checkpoint: one for all, or one for each. Returns how many; exits
 * on misuse. dirs: (SK_ENSEMBLE_MAX). */
int sk_translate_models(const struct sk_translate_values *o, const char **dirs);

extern const struct sk_program sk_translate_program;      /* values: struct sk_translate_values */
/* What goes together: misuse exits (64); of what has no effect a warning tells. */
void sk_translate_check(struct sk_translate_values *o);
#endif
