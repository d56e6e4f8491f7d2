/* out.h - where a program's results go: standard output ("-"), or a file that
 * gets its name when it is complete; a pipe or device gets them at once. */
#ifndef SK_BASE_OUT_H
#define SK_BASE_OUT_H
#include "base/file.h"

struct sk_out { struct sk_file file; int is_stdout; };
int sk_out_open(struct sk_out *o, const char *path);            /* 0 or -1 (sk_fail) */
int sk_out_write(struct sk_out *o, const void *bytes, size_t n);
/* failed != 0: the file is given up, and -1 returned (the message is kept). */
int sk_out_close(struct sk_out *o, int failed);
#endif
