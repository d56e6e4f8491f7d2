/* decide.h - what follows from validation results: the best checkpoint,
 * patience, the learning rate.
 *
 * Perplexity and accuracy are known when a checkpoint is made. BLEU, chrF and
 * TER come later, from evaluators: checkpoint N then decides about N-1, whose
 * result it waits for. With that fixed lag a run is a function of its inputs,
 * not of how fast evaluators are. Only params.best, which no decision reads,
 * follows at once.
 */
#ifndef SK_TRAIN_DECIDE_H
#define SK_TRAIN_DECIDE_H
#include "train/state.h"

/* The best checkpoint by all results that are there: those that were decided on
 * and, with a late metric, that of the last checkpoint. 0 or -1 (sk_fail). */
int sk_trainer_known(const char *dir, const char *late, const struct sk_train_state *s, struct sk_stopping *known);
#endif
