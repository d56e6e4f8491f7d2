/* dry_run.h - what training would be like: --dry-run.
 *
 * Prints on stdout lines `name<TAB>value`:
 *   parameters, learned-parameters        values of the model
 *   memory                                most bytes that training will take
 *   pairs, source-tokens, target-tokens   of the training data, EOS and BOS included
 *   source-coverage, target-coverage      percent of the tokens that the vocabulary has
 *   batches-per-epoch, updates-per-epoch  of the first epoch
 */
#ifndef SK_TRAIN_DRY_RUN_H
#define SK_TRAIN_DRY_RUN_H
#include "train/options.h"

/* Reads and prepares the data as a first start would, in a folder below TMPDIR
 * (/tmp) that is gone afterwards, also after a signal; MODEL_DIR is neither
 * read nor written. Works in a process of its own. Returns the exit code. */
int sk_dry_run(const struct sk_train_options *o, const struct sk_train_plan *p);
#endif
