/* metrics.h - the table `metrics` of a model directory.
 *
 * FORMAT: one line per checkpoint, ascending: `N<TAB>name=value<TAB>...`,
 * names sorted by byte order; values are text (numbers as written by
 * sk_metrics_number: fewest digits that read back the same double, as Python
 * writes them: 0.0001, 1e-05, 120).
 */
#ifndef SK_MODELDIR_METRICS_H
#define SK_MODELDIR_METRICS_H
#include <stddef.h>

struct sk_metric { char *name, *value; };
struct sk_metrics_line { int checkpoint; int n; struct sk_metric *m; };
struct sk_metrics { int n; struct sk_metrics_line *line; };

/* Parses text (hostile): 0, or -1 with SK_EXIT_DATA naming `where` and line. */
int sk_metrics_parse(struct sk_metrics *t, const char *text, const char *where);
/* DIR/metrics; an absent file is an empty table. */
int sk_metrics_load(struct sk_metrics *t, const char *dir);
/* Whole file, replaced. */
int sk_metrics_save(const struct sk_metrics *t, const char *dir);
char *sk_metrics_text(const struct sk_metrics *t);     /* malloced */
void sk_metrics_free(struct sk_metrics *t);

struct sk_metrics_line *sk_metrics_at(const struct sk_metrics *t, int checkpoint);  /* NULL: absent */
/* Sets a value (adds line and name where they are missing, in order). */
void sk_metrics_set(struct sk_metrics *t, int checkpoint, const char *name, const char *value);
void sk_metrics_set_number(struct sk_metrics *t, int checkpoint, const char *name, double value);
/* Drops lines of checkpoints > last. */
void sk_metrics_truncate(struct sk_metrics *t, int last);
/* 1 and *value; 0: not there or no number. */
int sk_metrics_get(const struct sk_metrics *t, int checkpoint, const char *name, double *value);
/* Shortest decimal text that reads back as the same double ("nan", "inf" spelled so). */
void sk_metrics_number(double value, char text[32]);
/* 1: larger is better (accuracy, bleu, chrf...), 0: smaller is (perplexity, ter, loss);
 * `name` with or without "-val"/"-train". */
int sk_metric_maximize(const char *name);
#endif
