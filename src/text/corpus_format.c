#include "text/corpus_format.h"

void sk_corpus_header_pack(unsigned char out[SK_CORPUS_HEADER], const struct sk_corpus_header *h)
{
    const struct sk_corpus_stats *s = &h->stats;
    const uint64_t v[20] = {
        (uint64_t)s->pairs, (uint64_t)s->source_tokens, (uint64_t)s->target_tokens, (uint64_t)s->source_unknown,
        (uint64_t)s->target_unknown, (uint64_t)s->source_types, (uint64_t)s->target_types,
        (uint64_t)s->source_types_known, (uint64_t)s->target_types_known, (uint64_t)s->blank, (uint64_t)s->too_long,
        sk_double_bits(s->length_ratio_mean), sk_double_bits(s->length_ratio_std), (uint64_t)s->max_source,
        (uint64_t)s->max_target, h->vocab[0], h->vocab[1], h->width, h->blocks, h->table_offset};
    memset(out, 0, SK_CORPUS_HEADER);
    memcpy(out, SK_CORPUS_MAGIC, 16);
    for (int i = 0; i < 20; i++) sk_put(out + 16 + 8 * i, v[i], 8);
    memcpy(out + SK_CORPUS_CONTENT_HASH, s->hash, SK_HASH_HEX - 1);
}

void sk_corpus_header_unpack(struct sk_corpus_header *h, const unsigned char in[SK_CORPUS_HEADER])
{
    uint64_t v[20];
    for (int i = 0; i < 20; i++) v[i] = sk_get(in + 16 + 8 * i, 8);
    *h = (struct sk_corpus_header){
        .stats = {.pairs = (int64_t)v[0], .source_tokens = (int64_t)v[1], .target_tokens = (int64_t)v[2],
                  .source_unknown = (int64_t)v[3], .target_unknown = (int64_t)v[4], .source_types = (int64_t)v[5],
                  .target_types = (int64_t)v[6], .source_types_known = (int64_t)v[7],
                  .target_types_known = (int64_t)v[8], .blank = (int64_t)v[9], .too_long = (int64_t)v[10],
                  .length_ratio_mean = sk_bits_double(v[11]), .length_ratio_std = sk_bits_double(v[12]),
                  .max_source = (int)v[13], .max_target = (int)v[14]},
        .vocab = {v[15], v[16]}, .width = v[17], .blocks = v[18], .table_offset = v[19]};
    memcpy(h->stats.hash, in + SK_CORPUS_CONTENT_HASH, SK_HASH_HEX - 1);
    h->stats.hash[SK_HASH_HEX - 1] = 0;
}

void sk_corpus_header_hash(const unsigned char header[SK_CORPUS_HEADER], const unsigned char *table, size_t n,
                           char hex[SK_HASH_HEX])
{
    struct sk_hash *h = sk_hash_new();
    sk_hash_add(h, header, SK_CORPUS_HEADER_HASH);
    if (n) sk_hash_add(h, table, n);
    sk_hash_end(h, hex);
}
