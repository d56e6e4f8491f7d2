/* report.h - what is said about progress: the line every 50 updates and at
 * checkpoints in Sockeye's form (with `target-tokens/sec=NUMBER`, real tokens),
 * the live line on a terminal, and DIR/progress.
 *
 * FORMAT of `progress`: `name<TAB>value` lines; replaced whole.
 */
#ifndef SK_TRAIN_REPORT_H
#define SK_TRAIN_REPORT_H
#include "model/params.h"
#include "modeldir/events.h"
#include "text/batch.h"
#include "train/state.h"

struct sk_tally { double since; int64_t updates, samples, source_tokens, target_tokens; };
struct sk_report {
    const char *dir;
    char device[256];                /* that computes, described */
    struct sk_events *events;        /* gets a point every 50 updates */
    int accuracy;                    /* is reported */
    int64_t interval, max_updates;   /* between checkpoints; 0: no limit */
    struct sk_tally line, checkpoint;
    double live, progress;           /* when last shown, when last written */
    int follows;                     /* another shard writes DIR/progress */
    const char *stopped;             /* the signal that ends it; NULL: none */
    int waiting;                     /* checkpoint whose result it waits for; 0: none */
    long long waiting_since;         /* seconds since 1970 */
};
/* Seconds of a clock that only goes forward. */
double sk_clock(void);
void sk_report_start(struct sk_report *r);
/* Model parameters by name and shape; of their values `fixed` are not trained. */
void sk_report_params(const struct sk_params *t, int64_t fixed);
/* After each batch, and after each update. */
void sk_report_batch(struct sk_report *r, const struct sk_batch *b);
void sk_report_update(struct sk_report *r, const struct sk_train_state *s);
/* Before validation: the training side of checkpoint N. */
void sk_report_training(const struct sk_report *r, const struct sk_train_state *s, int checkpoint);
/* Time spent validating is not training time. */
void sk_report_restart(struct sk_report *r);
/* Writes DIR/progress; it only serves readers, so failing warns. */
void sk_report_progress(struct sk_report *r, const struct sk_train_state *s);
#endif
