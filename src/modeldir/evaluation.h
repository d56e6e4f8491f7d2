/* evaluation.h - translations and scores of a checkpoint, kept in the model
 * directory: eval/NNNNN.out, then eval/NNNNN.json.
 *
 * FORMAT of the .json: one object, keys sorted: "beam-size", "checkpoint",
 * "dtype" (number type of products; not there: float32), "format" (1), "length-penalty-alpha", "length-penalty-beta",
 * "max-output-length-num-stds", "metrics" (object: name -> number, the names
 * of the table `metrics`), "out" (checksum of the .out file), "params"
 * (checksum of the parameters), "sentences". The scores among the metrics are
 * Sockeye's: bleu-val, chrf-val, ter-val, rouge1-val, rouge2-val, rougel-val,
 * of tokens as they are, 1 (and not 100) being all. "sample-seed" is there if
 * not all lines were translated: "sentences" of them, drawn as heldout.h says.
 *
 * Both are published by link, the first one wins, by the holder of the kernel
 * lock eval/NNNNN.claim. The .json commits: a .out without it is what a dead
 * evaluator left, and may be removed under the claim. So may a record of other
 * parameters than those that are there: of a checkpoint that was withdrawn and
 * made anew.
 */
#ifndef SK_MODELDIR_EVALUATION_H
#define SK_MODELDIR_EVALUATION_H
#include "base/hash.h"
#include "math/ops.h"
#include "modeldir/metrics.h"

enum { SK_EVALUATION_FORMAT = 1 };
struct sk_evaluation {
    int checkpoint;
    int beam_size, num_stds;         /* how it was translated */
    enum sk_dtype dtype;
    double alpha, beta;
    long long sentences, seed;       /* lines translated; what they were drawn by, -1: all there were */
    char params[SK_HASH_HEX], out[SK_HASH_HEX];
    struct sk_metrics metrics;       /* one line: that of the checkpoint */
};
void sk_evaluation_free(struct sk_evaluation *e);
/* 1: there; 0: not evaluated yet; -1: sk_fail (hostile input). */
int sk_evaluation_load(struct sk_evaluation *e, const char *dir, int checkpoint);
/* Publishes the text of the translations and the record; fills e->out. The
 * caller holds the claim and found no .json. 0; 1: another, who also believed
 * to hold the claim, was first, and nothing has changed; -1. */
int sk_evaluation_publish(struct sk_evaluation *e, const char *dir, const char *text, size_t n);
/* Removes what dead evaluators left in eval/ under temporary names: of this
 * checkpoint, whose claim the caller holds, or (0, by the trainer) of all whose
 * claims are free, and what a dead trainer left. 0 or -1. */
int sk_evaluation_sweep(const char *dir, int checkpoint);
/* 1 if both were translated in the same way. */
int sk_evaluation_same_search(const struct sk_evaluation *a, const struct sk_evaluation *b);
/* Checksum of the checkpoint's parameters, as sk_tensors_checksum gives it: 1; 0:
 * they are not there; -1. */
int sk_evaluation_params_hash(const char *dir, int checkpoint, char hex[SK_HASH_HEX]);
/* 1 and *value: the checkpoint's record has this score, and is of the parameters
 * that are there (or were, if they are gone); NAN if it lacks the score; 0: there
 * is no such record; -1. */
int sk_evaluation_score(const char *dir, int checkpoint, const char *name, double *value);
/* Removes what a command said of the checkpoint (values.h), the record, then
 * the translations. 0 or -1. */
int sk_evaluation_remove(const char *dir, int checkpoint);

/* Takes the scores of all evaluated checkpoints, and what a command said of them
 * (values.h), over into their lines of t.
 * Scores of parameters other than those of the present params file are left
 * out. Returns the number of lines that changed, or -1. */
int sk_evaluation_merge(const char *dir, struct sk_metrics *t);
/* Of one checkpoint: 1 if its line changed, 0, -1. */
int sk_evaluation_merge_line(const char *dir, struct sk_metrics *t, int checkpoint);
/* All into DIR/metrics, if no trainer holds DIR/lock (for another evaluator,
 * which merges its own, it waits): 1: the checkpoint's line has its scores; 0: a
 * live trainer will merge them; 2: nobody trains, but `metrics` has no such line
 * yet (the next start of training writes it); -1. */
int sk_evaluation_merge_now(const char *dir, int checkpoint);
#endif
