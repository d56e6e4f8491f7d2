/* corpus_prepare.c - two texts become one corpus file. */
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

struct side {
    const struct sk_vocab *vocab;
    struct sk_lines *lines;
    struct sk_words unknown;         /* types that the vocabulary lacks */
    unsigned char *seen;             /* types that it has, by id */
    int64_t types_known, tokens, unknown_tokens;
    int32_t *ids;                    /* of the present line */
    int n, cap;
};

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

/* Ids of a line. Types and coverage count every line; tokens those kept. */
static void read_ids(struct side *s, const char *line)
{
    const char *p = line, *token;
    size_t n;
    s->n = 0;
    while ((token = sk_token_next(&p, &n))) {
        if (s->n == s->cap) {
            s->cap = s->cap ? 2 * s->cap : 256;
            s->ids = sk_xrealloc(s->ids, (size_t)s->cap, sizeof *s->ids);
        }
        int32_t id = sk_vocab_id(s->vocab, token, n);
        s->ids[s->n++] = id;
        if (id == SK_UNK) {
            sk_words_put(&s->unknown, token, n);
        } else if (!s->seen[id]) {
            s->seen[id] = 1;
            s->types_known++;
        }
    }
}

static int keep_pair(struct prepare *p)
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
        sk_put(raw, (uint64_t)n[k], 4);
        sk_hash_add(p->hash, raw, 4);
        add_number(&p->lengths, (uint64_t)n[k], 4);
        s->tokens += n[k] + 1;
        for (int i = 0; i < n[k]; i++) {
            sk_put(raw, (uint64_t)s->ids[i], 4);
            sk_hash_add(p->hash, raw, 4);
            sk_str_add(&p->ids, raw, p->h.width);
            s->unknown_tokens += s->ids[i] == SK_UNK;
        }
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
            const struct sk_lines *longer = p->side[got[1]].lines, *shorter = p->side[!got[1]].lines;
            return sk_fail(SK_EXIT_DATA, "%s ends after %llu lines, but %s has more; parallel texts need equal numbers "
                           "of lines", sk_lines_path(shorter), (unsigned long long)sk_lines_number(shorter),
                           sk_lines_path(longer));
        }
        if (!p->side[0].n || !p->side[1].n) p->h.stats.blank++;
        else if (p->side[0].n > o->max_source || p->side[1].n > o->max_target) p->h.stats.too_long++;
        else if (keep_pair(p)) return -1;
        if (sk_lines_number(p->side[0].lines) % 65536 == 0 && sk_live_wanted()) {
            uint64_t done, total;
            sk_lines_progress(p->side[0].lines, &done, &total);
            sk_live("%s: preparing, %.0f%%", sk_lines_path(p->side[0].lines),
                    total ? 100.0 * (double)done / (double)total : 0.0);
        }
    }
}

static double percent(int64_t part, int64_t all) { return all ? 100.0 * (double)part / (double)all : 0; }

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
    s->source_types = s->source_types_known + p->side[0].unknown.n;
    s->target_types = s->target_types_known + p->side[1].unknown.n;
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
        sk_words_free(&p.side[k].unknown);
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
