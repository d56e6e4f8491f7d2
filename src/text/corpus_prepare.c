/* corpus_prepare.c - two texts become one corpus file. Memory: one block, the
 * block table, and what coverage needs: a byte for each entry of the
 * vocabularies, at most 32 for each type that they lack. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "text/corpus_format.h"
#include "text/lines.h"
#include "text/words.h"

/* Types that the vocabulary lacks, by their hashes alone: 8 bytes each in a
 * table that is a quarter to half full. */
struct types { uint64_t *slot; size_t slots, n; };

struct side {
    const struct sk_vocab *vocab;
    struct sk_lines *lines;
    struct types unknown;
    unsigned char *seen;             /* types that it has, by id */
    int64_t types_known, tokens, unknown_tokens;
    int32_t *ids;                    /* of the present line */
    int n, cap, unknown_here;
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ids are written as they stand in memory");

struct prepare {
    struct side side[2];
    struct sk_file file;
    struct sk_hash *hash;
    struct sk_str lengths, ids, table;   /* the open block, and the table so far */
    uint32_t pairs;                  /* in the open block */
    uint64_t first;
    double sum_squares;              /* Welford's M2 of the length ratio */
    struct sk_corpus_header h;
};

static void add_number(struct sk_str *s, uint64_t v, int bytes)
{
    unsigned char raw[8];
    sk_put(raw, v, bytes);
    sk_str_add(s, raw, (size_t)bytes);
}

static int flush_block(struct prepare *p)
{
    if (!p->pairs) return 0;
    unsigned char count[4];
    char hex[SK_HASH_HEX];
    sk_put(count, p->pairs, 4);
    struct sk_hash *h = sk_hash_new();
    sk_hash_add(h, count, 4);
    sk_hash_add(h, p->lengths.text, p->lengths.len);
    sk_hash_add(h, p->ids.text, p->ids.len);
    sk_hash_end(h, hex);
    add_number(&p->table, p->file.written, 8);
    add_number(&p->table, p->first, 8);
    add_number(&p->table, p->pairs, 4);
    add_number(&p->table, 4 + p->lengths.len + p->ids.len, 4);
    sk_str_add(&p->table, hex, SK_HASH_HEX - 1);
    if (sk_file_write(&p->file, count, 4) || sk_file_write(&p->file, p->lengths.text, p->lengths.len) ||
        sk_file_write(&p->file, p->ids.text, p->ids.len))
        return -1;
    p->first += p->pairs;
    p->pairs = 0;
    p->h.blocks++;
    sk_str_clear(&p->lengths);
    sk_str_clear(&p->ids);
    return 0;
}

static void place(struct types *t, uint64_t hash)
{
    size_t at = hash & (t->slots - 1);
    while (t->slot[at] && t->slot[at] != hash) at = (at + 1) & (t->slots - 1);
    t->n += !t->slot[at];
    t->slot[at] = hash;
}

static void note_type(struct types *t, uint64_t hash)
{
    if (t->n >= t->slots / 2) {
        struct types old = *t;
        *t = (struct types){.slots = old.slots ? 2 * old.slots : 1024};
        t->slot = sk_xcalloc(t->slots, sizeof *t->slot);
        for (size_t i = 0; i < old.slots; i++)
            if (old.slot[i]) place(t, old.slot[i]);
        free(old.slot);
    }
    place(t, hash | !hash);          /* 0 marks free slots */
}

static void read_ids(struct side *s, const char *line)
{
    const char *p = line, *token;
    size_t n;
    s->n = s->unknown_here = 0;
    while ((token = sk_token_next(&p, &n))) {
        if (s->n == s->cap) {
            s->cap = s->cap ? 2 * s->cap : 256;
            s->ids = sk_xrealloc(s->ids, (size_t)s->cap, sizeof *s->ids);
        }
        int32_t id = sk_vocab_id(s->vocab, token, n);
        s->ids[s->n++] = id;
        s->unknown_here += id == SK_UNK;
    }
}

/* Tokens and types of a line that is kept. */
static void count_side(struct side *s, const char *line)
{
    const char *token;
    size_t n;
    s->tokens += s->n + 1;
    s->unknown_tokens += s->unknown_here;
    for (int i = 0; i < s->n; i++)
        if (s->ids[i] != SK_UNK && !s->seen[s->ids[i]]) {
            s->seen[s->ids[i]] = 1;
            s->types_known++;
        }
    for (int i = 0; s->unknown_here && i < s->n && (token = sk_token_next(&line, &n)); i++)
        if (s->ids[i] == SK_UNK) note_type(&s->unknown, sk_word_hash(token, n));
}

static int keep_pair(struct prepare *p, char *const line[2])
{
    struct sk_corpus_stats *st = &p->h.stats;
    int n[2] = {p->side[0].n, p->side[1].n};
    st->pairs++;
    double ratio = (double)(n[1] + 1) / (double)(n[0] + 1), delta = ratio - st->length_ratio_mean;
    st->length_ratio_mean += delta / (double)st->pairs;
    p->sum_squares += delta * (ratio - st->length_ratio_mean);
    if (n[0] > st->max_source) st->max_source = n[0];
    if (n[1] > st->max_target) st->max_target = n[1];
    for (int k = 0; k < 2; k++) {
        struct side *s = &p->side[k];
        unsigned char raw[4];
        size_t wide = (size_t)n[k] * sizeof *s->ids;
        count_side(s, line[k]);
        sk_put(raw, (uint64_t)n[k], 4);
        sk_hash_add(p->hash, raw, 4);
        sk_str_add(&p->lengths, raw, 4);
        sk_hash_add(p->hash, s->ids, wide);
        if (p->h.width == 2)
            for (int i = 0; i < n[k]; i++) {
                uint16_t narrow = (uint16_t)s->ids[i];
                memcpy((char *)s->ids + 2 * i, &narrow, 2);
            }
        sk_str_add(&p->ids, s->ids, (size_t)n[k] * p->h.width);
    }
    p->pairs++;
    return p->lengths.len + p->ids.len >= SK_CORPUS_BLOCK ? flush_block(p) : 0;
}

static int read_texts(struct prepare *p, const struct sk_corpus_options *o)
{
    char *line[2];
    size_t n;
    for (;;) {
        int got[2];
        for (int k = 0; k < 2; k++) {
            got[k] = sk_lines_next(p->side[k].lines, &line[k], &n);
            if (got[k] < 0) return -1;
            if (got[k]) read_ids(&p->side[k], line[k]);
        }
        if (!got[0] && !got[1]) return 0;
        if (!got[0] || !got[1]) {
            struct sk_lines *longer = p->side[got[1]].lines, *shorter = p->side[!got[1]].lines;
            int more;
            while ((more = sk_lines_next(longer, &line[0], &n)) > 0) {}
            if (more < 0) return -1;
            return sk_fail(SK_EXIT_DATA, "%s has %llu lines, but %s has %llu: they must correspond line by line",
                           sk_lines_path(shorter), (unsigned long long)sk_lines_number(shorter),
                           sk_lines_path(longer), (unsigned long long)sk_lines_number(longer));
        }
        if (!p->side[0].n || !p->side[1].n) p->h.stats.blank++;
        else if (p->side[0].n > o->max_source || p->side[1].n > o->max_target || p->side[0].n > SK_CORPUS_LONGEST ||
                 p->side[1].n > SK_CORPUS_LONGEST)
            p->h.stats.too_long++;
        else if (keep_pair(p, line)) return -1;
    }
}

/* Only what is complete is 100.0 %. */
static double percent(int64_t part, int64_t all)
{
    double p = all ? 100.0 * (double)part / (double)all : 0;
    return part < all && p > 99.9 ? 99.9 : p;
}

static void report(const struct sk_corpus_stats *s, const char *source, const char *target, int64_t max_source,
                   int64_t max_target)
{
    if (s->blank) sk_warn("Parallel reading of sequences skipped %lld elements (a side is blank)", (long long)s->blank);
    sk_info("%lld sequences of maximum length (%lld, %lld) in '%s' and '%s'.", (long long)s->pairs,
            (long long)max_source, (long long)max_target, source, target);
    if (s->too_long) sk_info("%lld sequences were longer and were discarded", (long long)s->too_long);
    sk_info("Mean training target/source length ratio: %.2f (+-%.2f)", s->length_ratio_mean, s->length_ratio_std);
    sk_info("Tokens: source %lld target %lld", (long long)s->source_tokens, (long long)s->target_tokens);
    sk_info("Vocabulary coverage: source %.1f%% of tokens, %.1f%% of types; target %.1f%% of tokens, %.1f%% of types",
            percent(s->source_tokens - s->source_unknown, s->source_tokens),
            percent(s->source_types_known, s->source_types),
            percent(s->target_tokens - s->target_unknown, s->target_tokens),
            percent(s->target_types_known, s->target_types));
}

/* Table and header behind the last block; then the file is whole. */
static int finish(struct prepare *p, const char *source, const char *target, const struct sk_corpus_options *o)
{
    struct sk_corpus_stats *s = &p->h.stats;
    unsigned char header[SK_CORPUS_HEADER];
    char hex[SK_HASH_HEX];
    if (!s->pairs)
        return sk_fail(SK_EXIT_DATA, "'%s' and '%s' have no pair of 1 to %d and 1 to %d words (%lld blank, %lld longer: "
                       "see --max-seq-len)", source, target, o->max_source, o->max_target, (long long)s->blank,
                       (long long)s->too_long);
    if (flush_block(p)) return -1;
    s->length_ratio_std = sqrt(p->sum_squares / (double)s->pairs);
    s->source_tokens = p->side[0].tokens;
    s->target_tokens = p->side[1].tokens;
    s->source_unknown = p->side[0].unknown_tokens;
    s->target_unknown = p->side[1].unknown_tokens;
    s->source_types_known = p->side[0].types_known;
    s->target_types_known = p->side[1].types_known;
    s->source_types = s->source_types_known + (int64_t)p->side[0].unknown.n;
    s->target_types = s->target_types_known + (int64_t)p->side[1].unknown.n;
    sk_hash_end(p->hash, s->hash);
    p->hash = NULL;
    p->h.table_offset = p->file.written;
    sk_corpus_header_pack(header, &p->h);
    sk_corpus_header_hash(header, (unsigned char *)p->table.text, p->table.len, hex);
    memcpy(header + SK_CORPUS_HEADER_HASH, hex, SK_HASH_HEX - 1);
    if (sk_file_write(&p->file, p->table.text, p->table.len)) return -1;
    return sk_file_patch(&p->file, header, sizeof header, 0);
}

int sk_corpus_prepare(const char *path, const char *source, const char *target,
                      const struct sk_vocab *vs, const struct sk_vocab *vt,
                      const struct sk_corpus_options *o, struct sk_corpus_stats *stats)
{
    struct prepare p = {.file = {.fd = -1}};
    static const unsigned char blank[SK_CORPUS_HEADER];
    const char *text[2] = {source, target};
    int r = -1;
    if (!strcmp(source, "-") && !strcmp(target, "-"))
        return sk_fail(SK_EXIT_USAGE, "only one of source and target can be standard input");
    p.side[0].vocab = vs;
    p.side[1].vocab = vt;
    p.hash = sk_hash_new();
    for (int k = 0; k < 2; k++) {
        unsigned char raw[4];
        p.h.vocab[k] = (uint64_t)sk_vocab_size(p.side[k].vocab);
        p.side[k].seen = sk_xcalloc(p.h.vocab[k], 1);
        sk_put(raw, p.h.vocab[k], 4);
        sk_hash_add(p.hash, raw, 4);
    }
    p.h.width = p.h.vocab[0] <= 65536 && p.h.vocab[1] <= 65536 ? 2 : 4;
    for (int k = 0; k < 2; k++)
        if (!(p.side[k].lines = sk_lines_open(text[k], o->lines_flags))) goto out;
    if (sk_file_create(&p.file, path)) goto out;
    r = sk_file_write(&p.file, blank, sizeof blank) || read_texts(&p, o) || finish(&p, source, target, o) ? -1 : 0;
    if (r) sk_file_abandon(&p.file);
    else r = sk_file_commit(&p.file, SK_REPLACE) ? -1 : 0;
    if (!r) {
        *stats = p.h.stats;
        report(stats, source, target, o->max_source, o->max_target);
    }
out:
    for (int k = 0; k < 2; k++) {
        sk_lines_close(p.side[k].lines);
        free(p.side[k].unknown.slot);
        free(p.side[k].seen);
        free(p.side[k].ids);
    }
    if (p.hash) {
        char hex[SK_HASH_HEX];
        sk_hash_end(p.hash, hex);
    }
    sk_str_free(&p.lengths);
    sk_str_free(&p.ids);
    sk_str_free(&p.table);
    return r;
}
