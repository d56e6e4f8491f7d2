/* lines.h - reading text: plain, gzip (by suffix or magic bytes 1f 8b), or
 * `-` for standard input.
 *
 * A line ends at \n, \r\n or \r. A final line without an end counts. A UTF-8
 * BOM at the start is dropped and \r\n accepted, each with one warning per
 * file. Invalid UTF-8 is an error naming file, line and byte, or is replaced
 * by U+FFFD (with one warning); so is a NUL byte, so that a line is always a
 * string of *n bytes. A truncated or corrupt gz is SK_EXIT_DATA.
 */
#ifndef SK_TEXT_LINES_H
#define SK_TEXT_LINES_H
#include <stddef.h>
#include <stdint.h>
struct sk_lines;
enum {
    SK_LINES_REPLACE_INVALID = 1,
    SK_LINES_NEWLINE_ONLY = 2,       /* only \n ends a line; \r, NUL and a BOM are text, without warnings (scoring) */
    SK_LINES_NO_WARNINGS = 4         /* somebody has read the file already, and warned */
};
enum { SK_LINES_LONGEST = 1 << 28 }; /* bytes of a line: more is SK_EXIT_DATA */
struct sk_lines *sk_lines_open(const char *path, unsigned flags);  /* NULL: sk_fail */
/* 1: *line (terminated, valid until the next call) and *n are set; 0: end; -1: sk_fail. */
int sk_lines_next(struct sk_lines *l, char **line, size_t *n);
/* 1 if sk_lines_next would not wait for input: a whole line is buffered, or
 * the end was seen, or poll(2) finds the descriptor readable. Reading from a
 * pipe or terminal therefore takes what read(2) gives and never waits for a
 * full buffer. */
int sk_lines_ready(struct sk_lines *l);
uint64_t sk_lines_number(const struct sk_lines *l);    /* of the line last read, from 1 */
const char *sk_lines_path(const struct sk_lines *l);
/* Bytes of the underlying file consumed so far and its size (0 if unknown): progress. */
void sk_lines_progress(const struct sk_lines *l, uint64_t *done, uint64_t *total);
void sk_lines_close(struct sk_lines *l);

/* Next token of a line: separated by Unicode white space exactly as Python's
 * str.split() does. *p advances; returns NULL at the end; *n is its length.
 * The text is not modified. */
const char *sk_token_next(const char **p, size_t *n);

/* What is said of a text, for all who read one. fixed: no option helps. */
int sk_lines_invalid(const char *path, uint64_t line, size_t byte, int nul, int fixed);
void sk_lines_warn_invalid(const char *path, uint64_t line);
void sk_lines_warn_crlf(const char *path, uint64_t line);
#endif
