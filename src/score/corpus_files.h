/* corpus_files.h - hypotheses and references of files, line by line.
 *
 * Files are plain, gz or -; only \n ends a line, as for sacreBLEU, and NUL
 * bytes are text. All are read side by side: what is in memory is one block
 * of lines, whatever their number.
 */
#ifndef SK_SCORE_CORPUS_FILES_H
#define SK_SCORE_CORPUS_FILES_H
#include "score/scoring.h"

enum { SK_SCORE_LONGEST = 1 << 20 };             /* bytes of a line; longer ones are an error */

struct sk_score_files {
    const char *const *hypothesis, *const *reference;
    int hypotheses, references;      /* how many files */
    int fields;                      /* references separated by tabs in the only reference file; 1: it has no such */
    int variable;                    /* a reference without anything is none; fields may be missing */
    int not_strict;                  /* the corpus ends with the shortest file */
    /* Called for each block as it has been scored, unless NULL; 0, or -1 to stop. */
    int (*block)(void *ctx, const struct sk_scoring *s, const double *stats, int n);
    void *ctx;
};
/* Adds all lines. 0, or -1: files of different length, without lines, with
 * invalid UTF-8, lines that are too long or lack references: SK_EXIT_DATA. */
int sk_score_files(struct sk_scoring *s, const struct sk_score_files *f);
#endif
