/* values.h - metrics that a user's command found for a checkpoint:
 * eval/NNNNN.values.
 *
 * FORMAT: a line `# params CHECKSUM` (sk_tensors_checksum of the parameters it
 * was given), if the command failed a line `# failed: how`, then lines
 * `name=value`. Published by link, never changed; that it is there says that
 * the command need not be run again.
 *
 * Of a command's output each line of the form name=value counts: a name of up
 * to 64 letters, digits, '.', '_' and '-' that begins with a letter, and a
 * finite number. The names that training and evaluation give are refused.
 */
#ifndef SK_MODELDIR_VALUES_H
#define SK_MODELDIR_VALUES_H
#include "base/mem.h"
#include "modeldir/metrics.h"

/* The lines of `text` (n bytes) that count, into *lines; warns of names that
 * are refused, naming the checkpoint. How many. */
int sk_values_read(const char *text, size_t n, int checkpoint, struct sk_str *lines);
/* failed: how; NULL: it did not. 0 or -1. */
int sk_values_publish(const char *dir, int checkpoint, const char *params, const char *failed, const struct sk_str *lines);
/* Takes them over into the checkpoint's line of t, unless they are of other
 * parameters: 1 if that changed, 0, -1 (sk_fail: hostile input). */
int sk_values_merge(const char *dir, struct sk_metrics *t, int checkpoint);
#endif
