/* eval_options.h - the options of sk-bleu-eval. */
#ifndef SK_MODELDIR_EVAL_OPTIONS_H
#define SK_MODELDIR_EVAL_OPTIONS_H
#include "base/opt.h"
#include "modeldir/evaluate.h"

struct sk_eval_options {
    struct sk_opt_list hypotheses, references, metrics, checkpoint;
    const char *tokenize, *smooth_method, *dtype, *monitor;
    double smooth_value, offset, alpha, beta, poll, idle;
    struct sk_chrf_options chrf;
    struct sk_ter_options ter;
    long long seed;
    int num_refs, variable, not_strict, sentence, mean, confidence, paired, samples, width;
    int lowercase, effective_order, beam_size, batch_size, num_stds, threads, use_cpu, quiet;
    int watch, once, stop_on_failure;
};
extern const struct sk_opt sk_eval_table[];

/* What goes together; exits on misuse (64). */
void sk_eval_check(const struct sk_eval_options *o, int has_dir);
/* The metrics to print: how many. `tokenizer`: BLEU's where none is given. Misuse exits. */
int sk_eval_measures(const struct sk_eval_options *o, const char *tokenizer,
                     struct sk_measure_options measure[SK_MEASURES]);
int sk_eval_threads(const struct sk_eval_options *o);
/* For struct sk_evaluate_options. */
long long sk_eval_sample(const struct sk_eval_options *o);

/* Scores the checkpoints that --checkpoint names, prints and stores the scores
 * (eval_checkpoints.c). 0 or -1 (sk_fail). */
int sk_eval_checkpoints(const struct sk_eval_options *o, const char *dir);
/* --watch and --once (eval_checkpoints.c): the exit code; -1 (sk_fail). */
int sk_eval_watch(const struct sk_eval_options *o, const char *dir);
#endif
