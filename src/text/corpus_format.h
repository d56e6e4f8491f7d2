/* corpus_format.h - layout of the corpus file, private to this folder: see
 * corpus.h. */
#ifndef SK_TEXT_CORPUS_FORMAT_H
#define SK_TEXT_CORPUS_FORMAT_H
#include <string.h>
#include "text/corpus.h"

#define SK_CORPUS_MAGIC "sk-corpus 1\n\0\0\0\0"
enum { SK_CORPUS_HEADER = 512, SK_CORPUS_ENTRY = 56, SK_CORPUS_BLOCK = 1 << 20 };
enum { SK_CORPUS_LONGEST = 1 << 20 };   /* words of one sentence */

struct sk_corpus_header {
    struct sk_corpus_stats stats;
    uint64_t vocab[2], width, blocks, table_offset;
};

static inline void sk_put(unsigned char *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) p[i] = (unsigned char)(v >> (8 * i));
}

static inline uint64_t sk_get(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static inline uint64_t sk_double_bits(double d)
{
    uint64_t v;
    memcpy(&v, &d, sizeof v);
    return v;
}

static inline double sk_bits_double(uint64_t v)
{
    double d;
    memcpy(&d, &v, sizeof d);
    return d;
}

/* Where the two checksums stand. */
enum { SK_CORPUS_CONTENT_HASH = 16 + 20 * 8, SK_CORPUS_HEADER_HASH = SK_CORPUS_CONTENT_HASH + SK_HASH_HEX - 1 };

/* The header's bytes but for the last checksum. */
void sk_corpus_header_pack(unsigned char out[SK_CORPUS_HEADER], const struct sk_corpus_header *h);
void sk_corpus_header_unpack(struct sk_corpus_header *h, const unsigned char in[SK_CORPUS_HEADER]);
/* Checksum over the header up to its own place, and the table. */
void sk_corpus_header_hash(const unsigned char header[SK_CORPUS_HEADER], const unsigned char *table, size_t n,
                           char hex[SK_HASH_HEX]);

/* Failures of whoever reads two texts. Return -1. */
int sk_corpus_fail_lines(const char *source, uint64_t source_lines, const char *target, uint64_t target_lines);
int sk_corpus_fail_empty(const char *source, const char *target, const struct sk_corpus_options *o, int64_t lines,
                         int64_t blank, int64_t too_long);
#endif
