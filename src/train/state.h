/* state.h - all that a bit-exact resume needs besides tensors, and its text.
 *
 * FORMAT: one JSON object, kept as metadata "state" of `state.NNNNN` and
 * `interrupted`. Doubles are strings that read back exactly ("%.17g"). The
 * metrics table stands in it as text, so that `metrics` can be redone.
 */
#ifndef SK_TRAIN_STATE_H
#define SK_TRAIN_STATE_H
#include "base/hash.h"
#include "modeldir/metrics.h"
#include "train/schedule.h"
#include "train/stopping.h"

/* What a checkpoint decides or starts anew. */
struct sk_decided {
    int checkpoint;                  /* the last one; 0: none */
    int lowered;                     /* it lowered the learning rate: the next update begins with what
                                      * --learning-rate-decay-*-reset asks for */
    int64_t updates;                 /* where it was made */
    struct sk_schedule_state schedule;
    struct sk_stopping stopping;
    /* sums over the training labels since then */
    double nll;
    int64_t correct, labels;
};
struct sk_train_state {
    int64_t updates, samples;
    int64_t epoch, position;         /* of the next pair */
    int64_t steps;                   /* updates since the optimizer's moments were zero */
    double seconds;                  /* of training, all starts together */
    double gradient_norm, learning_rate;   /* of the last update */
    struct sk_decided now;
    /* A last checkpoint between two regular ones is withdrawn when the run is
     * extended: what was decided before it. */
    int has_before;
    struct sk_decided before;
    /* `interrupted` only: it takes the place of this checkpoint; 0: of none. */
    int withdraws;
    char corpus[SK_HASH_HEX], validation[SK_HASH_HEX];   /* the data's checksums */
    char params[SK_HASH_HEX];        /* checksum of the file of parameters */
    struct sk_metrics metrics;       /* lines 1..now.checkpoint */
};
void sk_train_state_free(struct sk_train_state *s);
/* Malloced JSON. Adds version, instruction set and C library of this process. */
char *sk_train_state_text(const struct sk_train_state *s);
/* Hostile text: 0, or -1 with SK_EXIT_DATA naming `where`; -2: it is whole, but
 * of a format that this version does not read. Warns when the state was made by
 * another version, instruction set or C library. */
int sk_train_state_parse(struct sk_train_state *s, const char *text, const char *where);
#endif
