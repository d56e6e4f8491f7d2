/* average.h - which checkpoints to average, and the mean of tensor files.
 *
 * The strategies are Sockeye 1.18's, ties included. Points stand in order of
 * checkpoints; "better" compares (value, checkpoint): of equal values the
 * higher checkpoint is the better one when maximising, the lower one when
 * minimising.
 *   best      the n best points
 *   last      the n points that end with the best one (fewer near the start)
 *   lifespan  the n points that stayed best for the most later points
 */
#ifndef SK_MODELDIR_AVERAGE_H
#define SK_MODELDIR_AVERAGE_H
#include "modeldir/metrics.h"

enum sk_strategy { SK_STRATEGY_BEST, SK_STRATEGY_LAST, SK_STRATEGY_LIFESPAN };
struct sk_point { double value; int checkpoint; };

/* Chooses up to n of n_points points, the most wanted first (`last`: in order
 * of checkpoints). chosen has room for n. Returns how many. A pure function;
 * values are numbers. */
int sk_average_choose(enum sk_strategy strategy, int maximize, const struct sk_point *points, int n_points,
                      int n, struct sk_point *chosen);
/* The checkpoints of a table that have a finite value of the metric (Sockeye's
 * name, "perplexity": the column "perplexity-val", else "perplexity") and are
 * among the n_there numbers `there` (ascending). Those left out are counted in
 * without (a value) and gone (their parameters). *points is malloced. Returns
 * how many. */
int sk_average_points(const struct sk_metrics *t, const char *metric, const int *there, int n_there,
                      struct sk_point **points, int *without, int *gone);
/* Writes the mean of n tensor files (each value is summed in double, in the
 * order given, and rounded once; the mean of one file or of equal ones is that
 * file's values). Memory is constant. All files have the same names and
 * shapes, finite values and the checksum in their headers, or -1 with
 * SK_EXIT_DATA; nothing is written then. The output may be one of the inputs. */
int sk_average_files(const char *const *paths, int n, const char *output);
#endif
