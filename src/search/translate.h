/* translate.h - text in, text out: lines of source text to lines of target
 * text with one trained model, or the mean of several.
 *
 * Tokens are separated by white space; unknown ones become <unk>. A line with
 * more words than max_words is cut into pieces of that many, which are
 * translated by themselves and joined by blanks, with a warning for each such
 * line. A line without tokens gives an empty line. Lines given together are
 * searched in the order of their lengths; results do not depend on that.
 */
#ifndef SK_SEARCH_TRANSLATE_H
#define SK_SEARCH_TRANSLATE_H
#include "search/beam.h"
#include "search/shortlist.h"
#include "search/wishes.h"

struct sk_translate_options {
    struct sk_beam_options beam;
    int batch;                       /* sentences searched together, by each thread if there are many */
    int max_words;                   /* longest piece, without EOS */
    const struct sk_shortlist *shortlist;        /* the target words that are allowed, or NULL: all */
    int strip_unknown;               /* leave <unk> out of the text */
    struct sk_factored *factored;    /* NULL, or the models have source factors: words of a line have them, word|factor,
                                        and the models look there for what is met */
    /* Called now and then with the number of pieces of this call that are
     * done, and of all; may be NULL. */
    void (*progress)(void *ctx, int64_t done, int64_t all);
    void *ctx;
};
struct sk_translation {
    char *text;                      /* words joined by blanks */
    double score;                    /* normalised, lower is better; empty source: -inf; pieces: their
                                        log probabilities over the length penalty of their joint length */
    int64_t source_words, words;     /* words: of the text */
    int n;                           /* hypotheses: 1 to nbest, those of the pieces joined rank by rank */
    char **texts;                    /* (n) best first: texts[0] is text */
    double *scores;                  /* (n) */
    uint64_t unmet;                  /* required phrases that the text does not hold, by number */
};

struct sk_translator;
/* The n models and the vocabularies must outlive it. */
struct sk_translator *sk_translator_new(struct sk_model *const *models, int n, const struct sk_vocab *source,
                                        const struct sk_vocab *target, const struct sk_translate_options *o);
void sk_translator_free(struct sk_translator *t);
/* A line as sk_translate takes it, malloced: NUL bytes, which would end it
 * early, become "substitute" (1a). */
char *sk_translate_line(const char *line, size_t n);
/* Lines are numbered from 1 over all calls (for warnings and for sampling). wishes: (n),
 * what is asked of each besides, or NULL; or NULL. Of a line in pieces the first one has
 * the required phrases. */
void sk_translate(struct sk_translator *t, char *const *line, const struct sk_wishes *const *wishes, int64_t n,
                  struct sk_translation *out);
void sk_translation_free(struct sk_translation *t, int64_t n);

/* Fills in what follows from the model and its training: the longest output
 * (ratio_mean + num_stds * ratio_std of the source's length; num_stds < 0: twice
 * that length, as in Sockeye) and the longest piece: max_seq_len words, fewer if
 * max_input (with EOS; 0: no limit) or the model's positions say so. */
void sk_translate_limits(struct sk_translate_options *o, const struct sk_model_config *c, int max_seq_len,
                         int max_input, double ratio_mean, double ratio_std, int num_stds);
#endif
