/* scoring.h - several metrics of several systems over a corpus that comes in
 * blocks of lines. Lines of a block are shared out among threads; sums are
 * taken in the order of the lines, so that no bit depends on the threads.
 */
#ifndef SK_SCORE_SCORING_H
#define SK_SCORE_SCORING_H
#include "score/measure.h"

struct sk_segment {                  /* a line with its translations */
    const struct sk_line *reference; /* (references) */
    int references;                  /* at least one */
    const struct sk_line *hypothesis;/* (systems) */
};

struct sk_scoring {
    const struct sk_measure_options *measure;  /* (measures) */
    int measures, systems;
    int stats;                       /* S: numbers of all measures together */
    int at[SK_MEASURES + 1];          /* where each measure's begin in these */
    double *sum;                     /* (systems, S) */
    long long lines;
    int least, most;                 /* references of a line */
    double *kept;                    /* (lines, systems, S), if they are kept */
    struct sk_scoring_threads *threads;
};
/* keep: statistics of all lines stay in memory, for resampling. Threads start
 * when there is enough for them to do. measure must stay; 1..SK_MEASURES. */
void sk_scoring_open(struct sk_scoring *s, const struct sk_measure_options *measure, int measures, int systems,
                     int threads, int keep);
/* Scores a block; returns its statistics (n, systems, S), valid until the next call. */
const double *sk_scoring_add(struct sk_scoring *s, const struct sk_segment *segment, int n);
/* Score of a system's corpus. */
double sk_scoring_value(const struct sk_scoring *s, int system, int measure);
/* References of every line, for the signature: 0 if their number varies. */
int sk_scoring_references(const struct sk_scoring *s);
void sk_scoring_close(struct sk_scoring *s);
#endif
