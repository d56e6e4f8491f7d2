/* events.h - DIR/tensorboard: the metrics as TensorBoard shows them.
 *
 * The table `metrics` at its checkpoints: tag perplexity-val, ..., step the number
 * of the checkpoint, as in Sockeye; True and False are 1 and 0. Between
 * checkpoints, step the update: update/learning-rate, update/gradient-norm,
 * update/perplexity-train, update/target-tokens-per-second.
 *
 * No point is there twice, whatever happens: each process that writes (the holder
 * of DIR/lock) appends to a file of its own, events.out.tfevents.TIME.HOST.PID.N,
 * and begins by reading what is there: points that an earlier process wrote
 * beyond the state that is gone on from, or of a checkpoint that was withdrawn
 * and made anew, are taken out of its file, which is replaced whole; points of
 * the table that are not there are added. A kill at any moment leaves at most a
 * torn last record, which readers pass over and the next process takes away.
 *
 * A late score: call sk_events_metrics with the table that has it, after `metrics`
 * is saved. Nothing here is needed to train: what fails warns, once.
 */
#ifndef SK_MODELDIR_EVENTS_H
#define SK_MODELDIR_EVENTS_H
#include "modeldir/metrics.h"

#define SK_EVENTS_UPDATE "update/"   /* tags whose step is an update */

struct sk_events;
struct sk_events *sk_events_new(const char *dir);
void sk_events_free(struct sk_events *e);
/* Reads what is there, unless that was done, for a run that stands at this update
 * with this table (that of the metrics, or of the state): what contradicts goes.
 * The caller holds DIR/lock. */
void sk_events_begin(struct sk_events *e, long long updates, const struct sk_metrics *table);
/* Others may write from now on; or the run went back. */
void sk_events_forget(struct sk_events *e);
/* A point, from sk_events_flush on (or an earlier sk_events_metrics). */
void sk_events_scalar(struct sk_events *e, const char *tag, long long step, double value);
void sk_events_flush(struct sk_events *e);
/* Adds what the table has and the files do not; a value that has changed takes
 * the place of the old one. Begun before. */
void sk_events_metrics(struct sk_events *e, const struct sk_metrics *table);
/* All of it, for who holds DIR/lock after training. */
void sk_events_merge(const char *dir, const struct sk_metrics *table);
#endif
