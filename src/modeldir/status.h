/* status.h - how a training stands, read off the files of its model directory
 * while they are written, when it is finished, and as far as they are whole.
 */
#ifndef SK_MODELDIR_STATUS_H
#define SK_MODELDIR_STATUS_H
#include "base/mem.h"
#include "modeldir/metrics.h"

enum sk_state {
    SK_STATE_EMPTY,                  /* no run has begun here */
    SK_STATE_RUNNING,                /* a trainer holds the lock */
    SK_STATE_WAITING,                /* so it does, and waits for the score of a checkpoint */
    SK_STATE_INTERRUPTED,            /* stopped by a signal, state saved */
    SK_STATE_FINISHED,
    SK_STATE_DEAD                    /* killed: nobody works here, nothing says why */
};
/* Numbers are 0, texts NULL where nothing is known. */
struct sk_status {
    char *dir;
    enum sk_state state;
    char *trainer;                   /* who holds the lock: "sk-train-shard, pid 1 on host since ..." */
    char *device;                    /* that it computes on */
    int waiting;                     /* of SK_STATE_WAITING: for which checkpoint, */
    long long waiting_since;         /* and since when */
    char *reason;                    /* of SK_STATE_FINISHED: "updates", "converged", ... */
    char *signal;                    /* that stopped it: "SIGTERM" */
    long long time;                  /* of the last progress, seconds since 1970 */
    long long updates, max_updates, frequency, epoch, samples;
    double tokens_per_second, updates_per_second, learning_rate, seconds;
    double to_checkpoint, to_end;    /* seconds; < 0: not known, or no end is set */
    int checkpoint, best;            /* last, best; 0: none */
    int waited, patience;            /* checkpoints without improvement; patience -1: endless */
    char *optimized;                 /* "perplexity" */
    struct sk_metrics metrics;
    int *pending, n_pending;         /* checkpoints with parameters and without scores of these very ones, once there
                                      * are evaluations */
    char **shown;                    /* names of metrics that a person wants to see, in order; */
    int n_shown;
    struct sk_evaluator { int checkpoint; char *who; } *evaluator;
    int n_evaluators;
    char *damage;                    /* what could not be read; NULL: nothing */
};
/* 0, or -1 (sk_fail): no such folder. */
int sk_status_read(struct sk_status *s, const char *dir);
void sk_status_free(struct sk_status *s);
const char *sk_status_word(const struct sk_status *s);      /* "running" */
/* The metrics that a person wants to see, in order: perplexity-val, bleu-val,
 * ..., then those of a user's own command; `index` from 0; NULL after the last. */
const char *sk_status_metric(const struct sk_status *s, int index);

/* --- status_text.c ------------------------------------------------------------ */
/* A screen of one; width in columns; utf8: curves of block characters. */
void sk_status_screen(const struct sk_status *s, int width, int utf8, struct sk_str *out);
/* A table of several, a line each under a heading. */
void sk_status_table(const struct sk_status *s, int n, struct sk_str *out);
/* One JSON object, one line. */
void sk_status_json(const struct sk_status *s, struct sk_str *out);

/* --- status_plot.c ------------------------------------------------------------ */
/* Curves of the metrics of n runs, drawn by gnuplot to path (.svg, .png or
 * .pdf): whole or not at all. 0, -1 (sk_fail). */
int sk_status_plot(const struct sk_status *s, int n, const char *path);
#endif
