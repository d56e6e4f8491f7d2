/* prepare.h - the start of a training process: model directory, lock, options
 * against the record, vocabularies, corpora, config.json.
 *
 * `args` is the last file of a first start: while it is absent nothing in the
 * directory is trusted and all is made anew, so a kill at any instant costs
 * that work only. Once it is there, files that are missing are made again from
 * the same text, and differing options end with SK_EXIT_CONFIG, unless no update
 * was saved: then the run begins anew with them.
 */
#ifndef SK_TRAIN_PREPARE_H
#define SK_TRAIN_PREPARE_H
#include "modeldir/config.h"
#include "text/corpus.h"
#include "text/vocab.h"
#include "train/options.h"

struct sk_train_data {
    int lock;                        /* descriptor: held as long as it is open */
    struct sk_vocab *source, *target;
    struct sk_corpus *train, *validation;    /* train: of several texts if --data says so (sk_corpus_join) */
    struct sk_corpus *monitor[SK_TEXTS_MAX]; /* of --monitor-set, in order */
    int monitors;
    struct sk_corpus_stats held_out;         /* of validation and monitors together */
    struct sk_vocab *factor[SK_FACTORS_MAX];
    struct sk_factored factored;             /* the combinations that source ids of the corpora stand for */
    struct sk_config config;
};
/* SK_LEADS: one of several shards that holds the lock already; SK_LEADS_ON: the same,
 * but others who live train the run that is there: it stays; SK_FOLLOWS: one
 * that finds the directory prepared and writes nothing but its log. SK_REPLAYS: in
 * a copy of a directory; the text it was made from may be gone. */
enum sk_start_as { SK_ALONE, SK_LEADS, SK_LEADS_ON, SK_FOLLOWS, SK_REPLAYS };
/* 0 or -1 (sk_fail). Wrong input, --params that do not fit, too little memory
 * (SK_EXIT_NO) are found before anything is written. Takes the lock (another
 * trainer holds it: SK_EXIT_TEMP), opens the log, --overwrite-output removes the
 * old run's files; it is refused if the input is among them. */
int sk_train_prepare(struct sk_train_data *d, const struct sk_train_options *o, const struct sk_train_plan *p,
                     enum sk_start_as as);
/* What a run is known by: checksum of the options that bind and of its data, as
 * the prepared directory says. 0; -1: sk_fail, SK_EXIT_CONFIG if it holds a run
 * with other options. (identity.c) */
int sk_train_identity(const struct sk_train_options *o, char hex[SK_HASH_HEX]);
void sk_train_data_free(struct sk_train_data *d);
#endif
