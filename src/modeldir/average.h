/* average.h - which checkpoints to average, and the average of tensor files.
 *
 * Strategies of Sockeye 1.18 (average.py). Values compare as the pair
 * (value, checkpoint): of equal values the lower checkpoint is first when
 * smaller is better, the higher one when larger is.
 *   best      the n best
 *   last      the n consecutive ones that end with the best
 *   lifespan  those that stayed the best for longest: (checkpoints until a
 *             better one, value), descending
 */
#ifndef SK_MODELDIR_AVERAGE_H
#define SK_MODELDIR_AVERAGE_H
#include "modeldir/metrics.h"

enum sk_strategy { SK_AVERAGE_BEST, SK_AVERAGE_LAST, SK_AVERAGE_LIFESPAN };
struct sk_point { double value; int checkpoint; };

/* At most size checkpoints of the n points (ascending by checkpoint) to
 * chosen, in order of choice; returns how many. */
int sk_average_choose(const struct sk_point *points, int n, enum sk_strategy strategy, int maximize,
                      int size, int *chosen);
/* Points of METRIC-val in the metrics of a directory, of checkpoints whose
 * parameters are still there; *points is malloced. Returns how many, or -1. */
int sk_average_points(const char *dir, const char *metric, struct sk_point **points);
/* Mean of the tensors of n files, summed in double in the order given, to
 * path; memory does not grow with files. Names and shapes must agree. 0, -1. */
int sk_average_files(const char *const *inputs, int n, const char *path);
#endif
