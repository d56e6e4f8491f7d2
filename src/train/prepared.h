/* prepared.h - prepared data: a folder with all that training needs of its
 * text, made by sk-prepare-data, read by the trainer (--prepared-data).
 *
 * FORMAT of the folder:
 *   data.info         `sk-prepared<TAB>1`, then the options it was made with,
 *                     as in a model directory's args, then `sum<TAB>` and the
 *                     checksum of all before it and of the file checksums. The
 *                     last file to come: without it the folder is not prepared
 *   corpus            see text/corpus.h
 *   vocab.src.0.json, vocab.trg.0.json
 *   checksums         see inputs.h: of the texts, of the vocabularies' words
 *                     and of the corpus. The names of the folder and of the
 *                     texts do not count, contents do
 *   log               what was said
 *   lock              held (kernel lock, never removed) by who writes here
 * Files are replaced whole; readers need no lock.
 */
#ifndef SK_TRAIN_PREPARED_H
#define SK_TRAIN_PREPARED_H
#include "train/data.h"

#define SK_PREPARED_INFO "data.info"
#define SK_PREPARED_CORPUS "corpus"
#define SK_PREPARED_VOCAB_SOURCE "vocab.src.0.json"
#define SK_PREPARED_VOCAB_TARGET "vocab.trg.0.json"
#define SK_PREPARED_CHECKSUMS "checksums"
#define SK_PREPARED_LOG "log"
#define SK_PREPARED_LOCK "lock"

/* The options in data.info, malloced. NULL: there is none (SK_EXIT_NOINPUT), it
 * is damaged (SK_EXIT_DATA), or of another program (SK_EXIT_CONFIG). */
char *sk_prepared_record(const char *dir);
/* Writes data.info with these options; checksums is there. 0 or -1. */
int sk_prepared_save_record(const char *dir, const char *options);
/* Takes the data options of the record of prepared data over into those of
 * the trainer. One that is given there and differs: -1, SK_EXIT_CONFIG. If the
 * folder is gone, but o->output holds a run that has the corpus, the run's own
 * record is taken. */
int sk_prepared_adopt(struct sk_train_options *o);

/* Is this input one that prepared data stands for? */
int sk_prepared_is_input(enum sk_input i);
/* Checksums: in->content of the texts, vocabularies and corpus, in->known set. 0 or -1. */
int sk_prepared_inputs(const char *dir, struct sk_inputs *in);
/* Vocabularies and corpus, against these checksums; SK_EXIT_DATA if they do
 * not belong together. */
int sk_prepared_vocabs(const char *dir, const struct sk_inputs *in, struct sk_vocab *v[2]);
struct sk_corpus *sk_prepared_corpus(const char *dir, const struct sk_inputs *in, struct sk_vocab *const v[2]);
#endif
