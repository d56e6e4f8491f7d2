/* opt_table.h - what the files behind opt.h share about tables. */
#ifndef SK_BASE_OPT_TABLE_H
#define SK_BASE_OPT_TABLE_H
#include "base/mem.h"
#include "base/opt.h"

static inline int sk_opt_is_heading(const struct sk_opt *o) { return o->name[0] == '\0'; }

/* The row by name (n bytes), aliases included, or NULL. */
const struct sk_opt *sk_opt_find(const struct sk_opt *options, const char *name, size_t n);
/* The row an alias stands for; the row itself otherwise. */
const struct sk_opt *sk_opt_main_row(const struct sk_opt *options, const struct sk_opt *o);
/* The default of a row into values, or 0, NULL, empty. */
void sk_opt_set_initial(const struct sk_opt *o, void *values);
/* The value as the record has it, escaped; malloced; NULL if absent. */
char *sk_opt_text(const struct sk_opt *o, const void *values);
/* One value into its field, checked; lists grow by it. Misuse: exits. */
void sk_opt_set(const struct sk_opt *o, void *values, const char *text);
void sk_opt_clear_list(const struct sk_opt *o, void *values);
/* A copy that lives as long as the program. */
const char *sk_opt_keep(const char *text, size_t n);
/* Ends the program: there is no such option, but perhaps a similar one. */
void sk_opt_unknown(const struct sk_opt *options, const char *arg) __attribute__((noreturn));
/* From now on misuse is one of this line of a file (SK_EXIT_DATA); NULL: of
 * the command line. */
void sk_opt_where(const char *file, int line);
/* Options out of a file; marks the rows that it gave. Errors: exits. */
void sk_opt_read_config(const struct sk_opt *options, void *values, const char *path, unsigned char *given);
/* The --help text. */
void sk_opt_help(const struct sk_program *p, struct sk_str *out);
#endif
