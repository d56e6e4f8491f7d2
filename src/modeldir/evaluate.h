/* evaluate.h - translates the validation text with a checkpoint, stores the
 * translations and their scores.
 */
#ifndef SK_MODELDIR_EVALUATE_H
#define SK_MODELDIR_EVALUATE_H
#include "math/ops.h"
#include "modeldir/evaluation.h"
#include "score/measure.h"

enum { SK_SAMPLE_OF_TRAINING = -2 }; /* as many lines as the training asks for (sk_heldout_wanted) */
struct sk_evaluate_options {
    enum sk_dtype dtype;             /* of dev */
    int beam_size, num_stds, batch;
    double alpha, beta;
    long long sample, seed;          /* as for sk_heldout_load, or SK_SAMPLE_OF_TRAINING */
    const struct sk_measure_options *measure;  /* (measures): of the scores returned; those stored are others,
                                              * evaluation.h says which */
    int measures;
};
struct sk_evaluated {
    double score[SK_MEASURES];        /* as sk_measure_value gives them */
    double bleu_val;                 /* as in `metrics`, 0..1 */
    long long sentences, words;      /* lines translated, words of the translations */
    double seconds;                  /* of translating; 0 if nothing had to be translated */
    int stored;                      /* eval/NNNNN.json is there and says the same */
    int merged;                      /* as sk_evaluation_merge_now returns it; 0 if not stored */
};
/* Checkpoint N of dir. If its record is there already, made in the same way,
 * its translations are only scored; made in another way, the checkpoint is
 * translated but nothing is stored. A record of other parameters is replaced;
 * parameters that change meanwhile are translated again. 0, or -1: sk_fail;
 * SK_EXIT_TEMP if another evaluator has claimed the checkpoint, or it was
 * withdrawn meanwhile. */
int sk_evaluate_checkpoint(const char *dir, int checkpoint, const struct sk_evaluate_options *o,
                           const struct sk_ops *ops, struct sk_device *dev, struct sk_evaluated *r);
/* The same by who holds the claim (claim.h); does not merge. */
int sk_evaluate_claimed(const char *dir, int checkpoint, int claim, const struct sk_evaluate_options *o,
                        const struct sk_ops *ops, struct sk_device *dev, struct sk_evaluated *r);
#endif
