/* prepare_data.h - makes prepared data (prepared.h) of text. */
#ifndef SK_TRAIN_PREPARE_DATA_H
#define SK_TRAIN_PREPARE_DATA_H
#include "base/opt.h"

struct sk_prepare_data_options {
    const char *source, *target, *source_vocab, *target_vocab, *output;
    int shared_vocab, num_words[2], word_min_count[2], pad_vocab, max_seq_len[2], replace_invalid;
    int overwrite_output, threads, quiet, no_logfile;
};
/* table: the options whose values o has, for the record. 0: the folder
 * o->output holds the data, made now or before. -1: wrong text
 * (SK_EXIT_DATA), found before anything is written; a folder that was prepared
 * otherwise, or holds something else (SK_EXIT_CONFIG); another process
 * prepares it, or a signal was noted (SK_EXIT_TEMP). A folder whose
 * preparation was not finished, or that is damaged, is made again. */
int sk_prepare_data(const struct sk_prepare_data_options *o, const struct sk_opt *table);
#endif
