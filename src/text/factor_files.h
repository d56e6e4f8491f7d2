/* factor_files.h - source factors in files of their own, read along with a text. */
#ifndef SK_TEXT_FACTOR_FILES_H
#define SK_TEXT_FACTOR_FILES_H
#include "text/factored.h"
#include "text/lines.h"

struct sk_factor_files { int n; struct sk_lines *in[SK_FACTORS_MAX]; const char *line[SK_FACTORS_MAX]; };
/* n paths (0: words or requests have their factors), for a model that has `wanted`:
 * 0, or -1 with SK_EXIT_CONFIG if these are not as many. option: what gave them. */
int sk_factor_files_open(struct sk_factor_files *f, const char *const *path, int n, int wanted, const char *option);
/* After a line of `text` was read (or, read = 0, its end): the lines that go with it,
 * in f->line. 0, or -1 (sk_fail): there is none, or one too many. */
int sk_factor_files_next(struct sk_factor_files *f, const struct sk_lines *text, int read);
void sk_factor_files_close(struct sk_factor_files *f);
#endif
