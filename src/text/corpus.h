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
};
struct sk_corpus_options {
    int max_source, max_target;    /* --max-seq-len, words without EOS/BOS */
    unsigned lines_flags;
    struct sk_pool *pool;          /* NULL: one thread; nothing depends on it */
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

/* One pair: ids without EOS/BOS; valid until the reader's next call. ordinal:
 * number of the pair in the corpus, the key of its dropout. */
struct sk_pair { int64_t ordinal; int ns, nt; const int32_t *source, *target; };

/* Order of one epoch: blocks are permuted by (seed, epoch), then pairs inside
 * each window of at most 64 consecutive permuted blocks. seed < 0: corpus order.
 * Position k runs from 0 to pairs-1; seeking is cheap (computed). Memory: one
 * window of blocks at most. */
struct sk_reader;
struct sk_reader *sk_reader_new(struct sk_corpus *c, int64_t seed);
int sk_reader_seek(struct sk_reader *r, int64_t epoch, int64_t k);
int sk_reader_next(struct sk_reader *r, struct sk_pair *pair);  /* 1, 0 at the epoch's end, -1 */
/* Look at the next pair without taking it: 1, 0, -1. */
int sk_reader_peek(struct sk_reader *r, struct sk_pair *pair);
void sk_reader_tell(const struct sk_reader *r, int64_t *epoch, int64_t *k);
void sk_reader_free(struct sk_reader *r);
#endif
