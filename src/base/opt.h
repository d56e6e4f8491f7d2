/* opt.h - one option table per program: it parses, prints --help, and says
 * what goes into the model directory's `args` record.
 *
 * Values live in a plain struct; a row names the field by offset. Long
 * options only take the forms --name VALUE and --name=VALUE; single letters
 * -x VALUE. An option given twice: the last wins (lists replace, unless they are
 * SK_OPT_REPEATED; what a file gave they replace all the same). `--` ends
 * options. --help prints the table on stdout and exits 0, --version likewise.
 * Misuse: two lines on stderr, exit 64. Numbers are checked strictly (whole
 * text, range); errors name the option, the value and what was expected.
 *
 * OPTIONS OUT OF A FILE. A row with SK_OPT_CONFIG (--config FILE) names a file
 * that is read before the command line, which counts more; required options
 * may come from it. Its lines are either those of a record (below),
 *     name<TAB>value
 * or this part of YAML, in which Sockeye writes its options,
 *     name: value            name: [value, value]            name:
 *                                                            - value
 *                                                            - value
 * with underscores for the dashes of names, plain values or quoted ones, true
 * and false for flags, lists also for the two sides of pairs, null (and ~, and
 * nothing) for what is not given; a tag (!!python/tuple) is passed over. Blank
 * lines and those that begin with # say nothing. Unknown names and bad values
 * end the program with exit 65, file and line are named; 66: no such file.
 */
#ifndef SK_BASE_OPT_H
#define SK_BASE_OPT_H
#include <stddef.h>

enum sk_opt_type {
    SK_OPT_FLAG,     /* int, 0 or 1 */
    SK_OPT_INT,      /* int in [min, max] */
    SK_OPT_LONG,     /* long long in [min, max]; plain digits with sign */
    SK_OPT_FLOAT,    /* double in [min, max], finite */
    SK_OPT_STRING,   /* const char * */
    SK_OPT_CHOICE,   /* const char *, one of `choices` ("a|b|c") */
    SK_OPT_INT_PAIR, /* int[2]: "S:T" or one value for both */
    SK_OPT_STRING_PAIR, /* const char *[2]: "S:T" or one value for both; empty allowed */
    SK_OPT_LIST      /* struct sk_opt_list: one or more values up to the next option */
};
struct sk_opt_list { int n; const char **v; };

enum {
    SK_OPT_REQUIRED = 1,
    SK_OPT_FREE = 2,      /* may change between two starts on one model directory */
    SK_OPT_HIDDEN = 4,    /* an alias not shown by --help */
    SK_OPT_INPUT = 8,     /* a path: compared by content elsewhere, not by name */
    SK_OPT_UNRECORDED = 16,/* not written to `args` (--overwrite-output, --quiet) */
    SK_OPT_CONFIG = 32,   /* a file with further options */
    SK_OPT_REPEATED = 64  /* a list that grows when it is given again */
};
struct sk_opt {
    const char *name;     /* without the dashes; NULL ends the table */
    char letter;          /* 0: none */
    const char *letters;  /* a short form of several: "vs" for -vs; or NULL */
    enum sk_opt_type type;
    size_t offset;
    const char *initial;  /* default as text, parsed like the command line; NULL: 0/NULL/empty */
    double min, max;      /* both 0: any */
    const char *choices;
    const char *value;    /* placeholder in --help: "N", "FILE" */
    const char *help;     /* one line or more, wrapped by --help */
    unsigned flags;
    const char *alias_of; /* with SK_OPT_HIDDEN: same meaning as that row */
    const char *instead_of; /* "a b": given on the command line, it undoes what a file said of these */
    const char *bare;     /* the value where none follows: --name alone is allowed; not for lists */
};
/* A row with name NULL and help non-NULL never occurs; headings: type
 * SK_OPT_FLAG, name "" and help = the heading's text. */

struct sk_program {
    const char *synopsis; /* "MODEL_DIR -o FILE [-n N]" */
    const char *summary;  /* one sentence */
    const struct sk_opt *options;
    const char *epilogue; /* or NULL */
    int min_operands, max_operands; /* max < 0: any number */
    int stop_at_operand;  /* what follows the first operand is not ours (env, nice) */
};
/* Fills values from defaults, then argv. Returns the index of the first
 * operand in argv (operands are moved to the end); exits on --help,
 * --version and misuse. */
int sk_opt_parse(const struct sk_program *p, void *values, int argc, char **argv);
/* The command line as a shell would read it, malloced; call before parsing. */
char *sk_opt_command(int argc, char **argv);
/* Two lines and exit 64, for checks across options. */
void sk_opt_misuse(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The record: each option but the unrecorded, `name<TAB>value`, sorted by
 * name, with \\ \t \n escaped; lists are joined by blanks (blanks in values
 * escaped as "\ "). Malloced text. */
char *sk_opt_record(const struct sk_opt *options, const void *values);
/* The part of it that may not change: neither FREE nor INPUT. */
char *sk_opt_bound(const struct sk_opt *options, const void *values);
/* Compares a stored record with the present values: number of options that
 * differ and may not (neither FREE nor INPUT nor UNRECORDED); for each the
 * callback gets name, old and new text (NULL: absent) as the record spells
 * them. An option the record lacks stood at its default. -1 (sk_fail) if the
 * record is damaged. */
int sk_opt_compare(const struct sk_opt *options, const void *values, const char *record,
                   void (*differs)(void *ctx, const char *name, const char *before, const char *now),
                   void *ctx);
#define SK_VERSION "0.1.0"
#endif
