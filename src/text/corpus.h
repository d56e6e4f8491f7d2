/* corpus.h - parallel text as a checksummed binary file, written once in
 * bounded memory, read by pread.
 *
 * FORMAT (little endian), file `corpus` in a data folder:
 *   header  512 bytes: magic "sk-corpus 1\n\0\0\0\0" (16 bytes), 20 numbers of
 *           64 bits (counts, statistics, vocabulary sizes, width of ids,
 *           number of blocks, offset of the block table), the checksum of
 *           all pairs, the checksum of everything before it and the block
 *           table (32 hex digits each), zeros
 *   blocks  of about 1 MB, one after the other: u32 pairs; for each pair u32
 *           source words, u32 target words; then the ids, source before
 *           target, pair by pair, without EOS/BOS: uint16 when neither
 *           vocabulary has more than 65536 entries, else uint32
 *   table   up to the end of the file; for each block 56 bytes: u64 offset,
 *           u64 ordinal of its first pair, u32 pairs, u32 bytes, checksum of
 *           the block (32 hex digits)
 * Checksums are 128-bit XXH3 (base/hash.h). Header and table are checked when
 * the file is opened, a block when it is read. Reading treats the file as
 * hostile: every size is checked besides. Sentences over 2^20 words count as
 * too long, whatever the limits say.
 */
#ifndef SK_TEXT_CORPUS_H
#define SK_TEXT_CORPUS_H
#include <stdint.h>
#include "base/hash.h"
#include "text/vocab.h"

struct sk_corpus_stats {
    int64_t pairs;                 /* kept */
    int64_t source_tokens, target_tokens;      /* of kept pairs, with EOS / BOS */
    int64_t source_unknown, target_unknown;    /* tokens not in the vocabulary */
    int64_t source_types, target_types;        /* distinct tokens of kept pairs... */
    int64_t source_types_known, target_types_known;  /* ...and those in the vocabulary */
    int64_t blank, too_long;       /* pairs dropped */
    double length_ratio_mean, length_ratio_std;  /* (target+1)/(source+1), Welford, population std */
    int max_source, max_target;    /* longest kept, without EOS */
    char hash[SK_HASH_HEX];        /* of all kept pairs' ids and both vocabulary sizes */
    int others;                    /* how many corpora are in these numbers besides one (not in files) */
};
/* Adds those of another corpus: tokens and pairs; longest; length ratio as of one
 * corpus with all pairs. What is distinct is not known then: 0. The hash stays. */
void sk_corpus_stats_add(struct sk_corpus_stats *to, const struct sk_corpus_stats *more);
struct sk_corpus_options {
    int max_source, max_target;    /* --max-seq-len, words without EOS/BOS */
    unsigned lines_flags;
    struct sk_pool *pool;          /* NULL: one thread; nothing depends on it */
    const int32_t *source_word;    /* NULL, or source ids stand for more than a word: that of id i is source_word[i * stride], */
    int stride;                    /* and SK_UNK there counts as unknown */
    int held_out;                  /* no model is trained on it: its length ratio is not said */
    const char *content[2];        /* NULL, or the checksums of sk_survey: text that is another now is SK_EXIT_DATA */
    int (*stop)(void);             /* asked now and then: non-zero ends the work with SK_EXIT_TEMP; may be NULL */
};
/* Makes the corpus file PATH (whole or not at all) from two texts. Unequal
 * line counts, a truncated gz, no usable pair: -1 with SK_EXIT_DATA, nothing
 * written (SK_EXIT_USAGE if both are `-`). Logs dropped pairs, token counts
 * and coverage (tokens and types, one decimal). */
int sk_corpus_prepare(const char *path, const char *source, const char *target,
                      const struct sk_vocab *vs, const struct sk_vocab *vt,
                      const struct sk_corpus_options *o, struct sk_corpus_stats *stats);

struct sk_corpus;
struct sk_corpus *sk_corpus_open(const char *path, int source_vocab, int target_vocab);  /* NULL: sk_fail */
const struct sk_corpus_stats *sk_corpus_stats(const struct sk_corpus *c);
void sk_corpus_close(struct sk_corpus *c);

/* Several corpora of the same vocabularies as one, which closes them. A reader
 * takes from each the share of pairs that its weight is of the sum of weights:
 * of each 1024 pairs as many as that is, to the pair; in an order that
 * depends on the seed. Each corpus is read in its own order, from one end to the
 * other and again, whatever an epoch is, which has as many pairs as all have
 * together. So all is a function of seed, epoch and position. weight: (n) over 0; at
 * most 32, the smallest at least a millionth of the largest. */
struct sk_corpus *sk_corpus_join(struct sk_corpus *const *part, const double *weight, int n);
int sk_corpus_parts(const struct sk_corpus *c);      /* 0: it is no such corpus */
const struct sk_corpus_stats *sk_corpus_part(const struct sk_corpus *c, int i);
/* taken[i]: of all pairs before position k of an epoch, from the first epoch on, those of part i. */
void sk_corpus_taken(const struct sk_corpus *c, int64_t seed, int64_t epoch, int64_t k, int64_t *taken);

/* One pair: ids without EOS/BOS; valid until the reader's next call. ordinal:
 * number of the pair in the corpus, the key of its dropout; of several corpora,
 * in the epoch. */
struct sk_pair { int64_t ordinal; int ns, nt; const int32_t *source, *target; };

/* Order of one epoch: blocks are permuted by (seed, epoch), then pairs inside
 * each window of at most 64 consecutive permuted blocks. seed < 0: corpus order.
 * Position k runs from 0 to pairs-1; seeking is cheap (computed). Memory: one
 * window of blocks at most, of each corpus. */
struct sk_reader;
struct sk_reader *sk_reader_new(struct sk_corpus *c, int64_t seed);
int sk_reader_seek(struct sk_reader *r, int64_t epoch, int64_t k);
int sk_reader_next(struct sk_reader *r, struct sk_pair *pair);  /* 1, 0 at the epoch's end, -1 */
/* Look at the next pair without taking it: 1, 0, -1. */
int sk_reader_peek(struct sk_reader *r, struct sk_pair *pair);
void sk_reader_tell(const struct sk_reader *r, int64_t *epoch, int64_t *k);
void sk_reader_free(struct sk_reader *r);
#endif
