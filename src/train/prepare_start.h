/* prepare_start.h - a start of training in the making: what prepare.c
 * (directory, options, records), prepare_check.c (what is looked at before) and
 * prepare_text.c (vocabularies, corpora, validation text) share. */
#ifndef SK_TRAIN_PREPARE_START_H
#define SK_TRAIN_PREPARE_START_H
#include "train/prepare.h"
#include "train/prepared.h"

struct sk_start {
    struct sk_train_data *d;
    const struct sk_train_options *o;
    const struct sk_train_plan *p;
    const char *dir;
    enum sk_start_as as;
    struct sk_data_options data;
    struct sk_inputs inputs, record;
    struct sk_data_counts counts;
    struct sk_vocab *vocab[2];
    struct sk_vocab *combinations;   /* of words and source factors, word|factor; NULL without factors */
    struct sk_corpus *prepared;      /* that of --prepared-data, once it was opened */
    int inputs_read, recorded;       /* the given files' checksums; data/checksums */
    int fresh;                       /* no args, or nothing was trained with them: nothing there is trusted */
    int replaces;                    /* fresh, but there were args */
    int gone;                        /* --prepared-data is not there, but its corpus is */
};

char *sk_start_path(const struct sk_start *s, const char *name);
int sk_start_has(const struct sk_start *s, const char *name);    /* as sk_file_exists */

/* --overwrite-output must not remove what it is given. 0 or -1, as the others. */
int sk_start_check_places(const struct sk_start *s);
/* Reads and checks all that is given, writes nothing. */
int sk_start_read_inputs(struct sk_start *s);
/* After that: vocabularies in memory, whether the model can be made of them and
 * of --params, and whether there is memory for it. Writes nothing. */
int sk_start_check(struct sk_start *s);
int sk_start_vocabs(struct sk_start *s);
int sk_start_corpora(struct sk_start *s);
/* Source factors (prepare_factors.c): do their files correspond to the text, before
 * anything is written; their vocabularies, in memory; after sk_start_vocabs: these
 * saved or loaded, and all combinations, which are the words of the corpora. The text
 * of a corpus, zipped with its factors (0: training, 1: validation), in a file that
 * is removed by sk_start_factors_swept. All are content without factors. */
int sk_start_check_factors(const struct sk_start *s);
int sk_start_factor_vocabs(struct sk_start *s);
int sk_start_factors(struct sk_start *s);
char *sk_start_zipped(const struct sk_start *s, int held_out);
int sk_start_factors_swept(const struct sk_start *s);
int sk_start_validation_text(const struct sk_start *s);
#endif
