/* inputs.h - the files a run is made from, known by content.
 *
 * FORMAT of `checksums`: `option<TAB>file<TAB>content` lines. `file` is the
 * checksum of the file's bytes ("-": not given), `content` that of what it
 * says: the text's lines, however they are packed, or the vocabulary's words.
 * A file that moved or was compressed is thus the same input. The line
 * `corpus` has the content checksum of the corpus file beside it. Texts with
 * names follow, a line for each side: `data:NAME:WEIGHT:source` and
 * `monitor-set:NAME:target` stand in the place of `option`; of source factor K
 * `source-factors:K:training` and `source-factors:K:validation`.
 */
#ifndef SK_TRAIN_INPUTS_H
#define SK_TRAIN_INPUTS_H
#include "base/hash.h"
#include "text/corpus.h"
#include "train/options.h"

enum sk_input {
    SK_IN_SOURCE, SK_IN_TARGET, SK_IN_VALIDATION_SOURCE, SK_IN_VALIDATION_TARGET,
    SK_IN_SOURCE_VOCAB, SK_IN_TARGET_VOCAB, SK_IN_PARAMS, SK_IN_CORPUS, SK_INPUTS
};
/* One text with a name; a source factor, with its training and validation file in
 * the place of source and target. */
enum { SK_INPUT_TEXTS = 2 * SK_TEXTS_MAX + SK_FACTORS_MAX };
struct sk_input_text {
    const struct sk_named_text *given;     /* NULL: it is one of a record */
    char key[SK_TEXT_NAME + 64];     /* "data:NAME:WEIGHT", "monitor-set:NAME" */
    char file[2][SK_HASH_HEX], content[2][SK_HASH_HEX];
    struct sk_corpus_stats size;     /* as below */
};
struct sk_inputs {
    const char *path[SK_INPUTS];     /* NULL: not given */
    int known[SK_INPUTS];            /* no path, but its content is known (prepared data) */
    char file[SK_INPUTS][SK_HASH_HEX], content[SK_INPUTS][SK_HASH_HEX];
    struct sk_corpus_stats size[2];  /* of training and validation texts, if they were read: pairs, tokens, longest */
    int training, texts, all;        /* how many texts are of --data, with those of --monitor-set behind them, and
                                      * with the files of source factors behind those */
    struct sk_input_text text[SK_INPUT_TEXTS];
};
/* Paths out of the options; all checksums empty. */
void sk_inputs_name(struct sk_inputs *in, const struct sk_train_options *o);
/* Misuse (64) if one of them is standard input. */
void sk_inputs_check_names(const struct sk_inputs *in);

/* Reads all given files once, writes nothing: fills the checksums, and counts
 * the words of the training text (counts as for sk_survey). Unequal numbers of
 * lines, truncated gz, invalid UTF-8, no pair within the limits: -1 with
 * SK_EXIT_DATA; no regular file: SK_EXIT_NOINPUT. */
int sk_inputs_read(struct sk_inputs *in, const struct sk_corpus_options *o, struct sk_vocab_counts *const counts[2]);
/* The content checksums of the vocabularies that the run uses. */
void sk_inputs_set_vocabs(struct sk_inputs *in, struct sk_vocab *const v[2]);

int sk_inputs_save(const struct sk_inputs *in, const char *path);
/* 1 loaded, 0 absent, -1. Fills file and content. */
int sk_inputs_load(struct sk_inputs *in, const char *path);
/* Compares the files given now with the record of the run; reads no more than
 * is needed. Calls differs for each that does, and says how (NULL: its content). Returns their number, or -1. A
 * missing --params file is none when `begun` (it was used up long ago). */
int sk_inputs_compare(const struct sk_inputs *now, const struct sk_inputs *record, unsigned lines_flags, int begun,
                      void (*differs)(void *ctx, const char *option, const char *how), void *ctx);
#endif
