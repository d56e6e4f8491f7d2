/* survey.h - both sides of a parallel text, read once before anything is made
 * of them: are they text, do they correspond, what are their checksums; and
 * their words are counted by the way.
 */
#ifndef SK_TEXT_SURVEY_H
#define SK_TEXT_SURVEY_H
#include "text/corpus.h"

struct sk_survey {
    int64_t lines, blank, too_long, pairs;       /* pairs: those that a corpus would keep, */
    int64_t tokens[2];                           /* their words on each side, with EOS / BOS, */
    int longest[2];                              /* and the most of one, without */
    char file[2][SK_HASH_HEX];                   /* checksum of each file's bytes */
    char content[2][SK_HASH_HEX];                /* of its lines, each with \n behind it, however they are packed */
};
/* counts: where each side's words are counted, may be the same for both;
 * counts or its elements NULL: not counted. Unequal numbers of lines, a
 * truncated gz, invalid UTF-8, no usable pair: -1 with SK_EXIT_DATA. */
int sk_survey(struct sk_survey *s, const char *source, const char *target, const struct sk_corpus_options *o,
              struct sk_vocab_counts *const counts[2]);
#endif
