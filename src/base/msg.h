/* msg.h - messages of the suite: one message is one write(2) on stderr.
 *
 * Library functions that fail because of the world (files, text, locks,
 * peers) return -1 (or NULL) after sk_fail(): the message and the exit code
 * that a main would give are kept, per thread, until the next sk_fail.
 * Mains end with `return sk_die();`, which prints `PROGRAM: MESSAGE`.
 * A bug in our own code calls sk_bug(), which ends the program at once (exit 70).
 */
#ifndef SK_BASE_MSG_H
#define SK_BASE_MSG_H

enum sk_exit {
    SK_EXIT_OK = 0,      /* done, or done before */
    SK_EXIT_NO = 1,      /* the answer is no: nothing to do, diverged */
    SK_EXIT_USAGE = 64,  /* wrong usage: fix the command */
    SK_EXIT_DATA = 65,   /* bad content: fix the data */
    SK_EXIT_NOINPUT = 66,/* a file that cannot be opened: fix the path */
    SK_EXIT_BUG = 70,    /* a bug in this program */
    SK_EXIT_IO = 74,     /* input or output failed: free space, requeue */
    SK_EXIT_TEMP = 75,   /* stopped for a reason that passes: requeue */
    SK_EXIT_CONFIG = 78  /* options against what the model directory says */
};

#define SK_PRINTF(a, b) __attribute__((format(printf, a, b)))

/* Name shown before each message; call first in main. From then on a write over
 * the limit of file sizes (ulimit -f) fails, as on a full disk, instead of
 * ending the program by SIGXFSZ. */
void sk_msg_program(const char *argv0);
const char *sk_msg_program_name(void);

/* Keeps the message and exit code; always returns -1. */
int sk_fail(enum sk_exit code, const char *fmt, ...) SK_PRINTF(2, 3);
/* The same, with `: strerror(errno)` appended. ENOENT, EACCES, ENOTDIR,
 * EISDIR and ELOOP give code SK_EXIT_NOINPUT, all else SK_EXIT_IO. */
int sk_fail_errno(const char *fmt, ...) SK_PRINTF(1, 2);
/* Puts text in front of the kept message ("model/args: ..."). Returns -1. */
int sk_fail_prefix(const char *fmt, ...) SK_PRINTF(1, 2);
const char *sk_fail_message(void);
enum sk_exit sk_fail_code(void);
/* Prints the kept message, returns its exit code. */
int sk_die(void);

/* Talk on stderr: `PROG: warning: ...`, and plain lines for the log.
 * Each also goes to the log file, if one was opened, with a time stamp
 * `[YYYY-mm-dd:HH:MM:SS:LEVEL:PROG] `. --quiet silences the console only. */
void sk_info(const char *fmt, ...) SK_PRINTF(1, 2);
void sk_warn(const char *fmt, ...) SK_PRINTF(1, 2);
void sk_quiet(int quiet);
/* Talk that is for those who look for something; off by default. */
void sk_debug(const char *fmt, ...) SK_PRINTF(1, 2);
void sk_debug_wanted(int wanted);
/* Appends to a log file, first what was said so far; -1 if it cannot be opened. */
int sk_log_open(const char *path);
/* A live line on a terminal (overwritten by the next, erased before any
 * other message); nothing when stderr is no terminal. */
void sk_live(const char *fmt, ...) SK_PRINTF(1, 2);
int sk_live_wanted(void);

void sk_bug(const char *file, int line, const char *fmt, ...)
    SK_PRINTF(3, 4) __attribute__((noreturn));
#define SK_BUG(...) sk_bug(__FILE__, __LINE__, __VA_ARGS__)
/* Checks our own arithmetic, never input. */
#define SK_ENSURE(cond) ((cond) ? (void)0 : SK_BUG("%s", #cond))
#endif
