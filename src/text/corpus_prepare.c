/* corpus_prepare.c - two texts become one corpus file. Memory: blocks of text
 * and their ids, the block table, and what coverage needs: a byte for each
 * entry of the vocabularies, at most 32 for each type that they lack. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "text/corpus_format.h"
#include "text/pass.h"
#include "text/queue.h"
#include "text/scan.h"
#include "text/vocab_private.h"
#include "text/words.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "ids are written as they stand in memory");

/* A run of encoded lines. */
struct encoded {
    struct sk_queue lines;           /* struct line, one for each */
    struct sk_queue ids;             /* int32_t */
    struct sk_queue unknown;         /* uint64_t: hashes of the words that are not in the vocabulary */
};
struct line { uint32_t words, unknown; };

/* Types that the vocabulary lacks, by their hashes alone: 8 bytes each in a
 * table that is a quarter to half full. */
struct types { uint64_t *slot; size_t slots, n; };

struct side {
    const struct sk_vocab *vocab;
    struct encoded waiting;          /* lines whose partners have not come yet */
    struct types unknown;
    unsigned char *seen;             /* types that it has, by id */
    int64_t tokens, unknown_tokens;
};

struct prepare {
    const struct sk_corpus_options *o;
    struct side side[2];
    struct sk_file file;
    struct sk_hash *hash;
    struct sk_str lengths, ids, table;   /* the open block, and the table so far */
    uint32_t pairs;                  /* in the open block */
    uint64_t first;
    double sum_squares;              /* Welford's M2 of the length ratio */
    struct sk_corpus_header h;
};

/* --- words become ids: any thread -------------------------------------------------- */

static int is_unknown(const struct prepare *p, int side, int32_t id)
{
    const struct sk_corpus_options *o = p->o;
    return (o->source_word && side == 0 ? o->source_word[(size_t)id * (size_t)o->stride] : id) == SK_UNK;
}

/* Ids of the n words of a side in the hand. */
static void look_up(const struct prepare *p, int side, const struct sk_token *t, int n, struct encoded *e)
{
    const struct sk_vocab *v = p->side[side].vocab;
    int32_t *ids = sk_queue_room(&e->ids, (size_t)n * sizeof *ids);
    sk_vocab_ids(v, t, n, ids);
    e->ids.len += (size_t)n * sizeof *ids;
    for (int i = 0; i < n; i++)
        if (is_unknown(p, side, ids[i])) {
            uint64_t hash = sk_word_hash(t[i].text, t[i].n);
            sk_queue_add(&e->unknown, &hash, sizeof hash);
        }
}

static void count_unknown(const struct prepare *p, int side, struct encoded *e)
{
    const int32_t *id = (const int32_t *)(void *)e->ids.bytes;
    struct line *line = (struct line *)(void *)e->lines.bytes;
    for (size_t i = 0; i < e->lines.len / sizeof *line; i++)
        for (uint32_t k = line[i].words; k > 0; k--) line[i].unknown += (uint32_t)is_unknown(p, side, *id++);
}

static void encode(void *ctx, struct sk_block *b)
{
    const struct prepare *p = ctx;
    struct encoded *e = b->own;
    struct sk_token hand[SK_TOKENS];
    struct sk_scan scan;
    struct line line = {0, 0};
    uint32_t at, n;
    int held = 0, what;
    if (!e) b->own = e = sk_xcalloc(1, sizeof *e);
    sk_queue_clear(&e->lines);
    sk_queue_clear(&e->ids);
    sk_queue_clear(&e->unknown);
    sk_scan_begin(&scan, b->text, b->n);
    while ((what = sk_scan_next(&scan, &at, &n)) != SK_SCAN_END) {
        if (what == SK_SCAN_LINE) {
            sk_queue_add(&e->lines, &line, sizeof line);
            line.words = 0;
            continue;
        }
        const char *word = b->text + at;
        uint64_t head = sk_word_head_wide(word, n);
        hand[held++] = (struct sk_token){word, head, n, (uint32_t)sk_word_hash_of(word, n, head)};
        line.words++;
        if (held == SK_TOKENS) {
            look_up(p, b->file, hand, held, e);
            held = 0;
        }
    }
    look_up(p, b->file, hand, held, e);
    count_unknown(p, b->file, e);
}

static void free_encoded(struct encoded *e)
{
    sk_queue_free(&e->lines);
    sk_queue_free(&e->ids);
    sk_queue_free(&e->unknown);
}

static void release(void *own)
{
    free_encoded(own);
    free(own);
}

/* --- pairs go into blocks: in order -------------------------------------------------- */

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

/* Adds a side of a pair to the open block. */
static void keep_side(struct prepare *p, struct side *s, const struct line *line, const int32_t *ids,
                      const uint64_t *unknown)
{
    unsigned char raw[4];
    size_t n = line->words;
    s->tokens += line->words + 1;
    s->unknown_tokens += line->unknown;
    for (size_t i = 0; i < n; i++) s->seen[ids[i]] = 1;
    for (uint32_t i = 0; i < line->unknown; i++) note_type(&s->unknown, unknown[i]);
    sk_put(raw, n, 4);
    sk_hash_add(p->hash, raw, 4);
    sk_str_add(&p->lengths, raw, 4);
    sk_hash_add(p->hash, ids, n * sizeof *ids);
    if (p->h.width == 4) {
        sk_str_add(&p->ids, ids, n * sizeof *ids);
        return;
    }
    uint16_t narrow[256];
    for (size_t i = 0, k; i < n; i += k) {
        for (k = 0; k < 256 && i + k < n; k++) narrow[k] = (uint16_t)ids[i + k];
        sk_str_add(&p->ids, narrow, k * sizeof *narrow);
    }
}

static int keep_pair(struct prepare *p, const struct line line[2], int32_t *const ids[2], uint64_t *const unknown[2])
{
    struct sk_corpus_stats *st = &p->h.stats;
    int n[2] = {(int)line[0].words, (int)line[1].words};
    st->pairs++;
    double ratio = (double)(n[1] + 1) / (double)(n[0] + 1), delta = ratio - st->length_ratio_mean;
    st->length_ratio_mean += delta / (double)st->pairs;
    p->sum_squares += delta * (ratio - st->length_ratio_mean);
    if (n[0] > st->max_source) st->max_source = n[0];
    if (n[1] > st->max_target) st->max_target = n[1];
    for (int k = 0; k < 2; k++) keep_side(p, &p->side[k], &line[k], ids[k], unknown[k]);
    p->pairs++;
    return p->lengths.len + p->ids.len >= SK_CORPUS_BLOCK ? flush_block(p) : 0;
}

static int gather(void *ctx, int part, const struct sk_round *round)
{
    struct prepare *p = ctx;
    (void)part;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < round->n[k]; i++) {
            const struct encoded *e = round->block[k][i].own;
            struct encoded *w = &p->side[k].waiting;
            sk_queue_add(&w->lines, e->lines.bytes, e->lines.len);
            sk_queue_add(&w->ids, e->ids.bytes, e->ids.len);
            sk_queue_add(&w->unknown, e->unknown.bytes, e->unknown.len);
        }
    while (sk_queue_left(&p->side[0].waiting.lines) && sk_queue_left(&p->side[1].waiting.lines)) {
        struct line line[2];
        int32_t *ids[2];
        uint64_t *unknown[2];
        for (int k = 0; k < 2; k++) {
            struct encoded *w = &p->side[k].waiting;
            memcpy(&line[k], sk_queue_take(&w->lines, sizeof *line), sizeof *line);
            ids[k] = sk_queue_take(&w->ids, line[k].words * sizeof **ids);
            unknown[k] = sk_queue_take(&w->unknown, line[k].unknown * sizeof **unknown);
        }
        if (!line[0].words || !line[1].words) p->h.stats.blank++;
        else if (line[0].words > (uint32_t)p->o->max_source || line[1].words > (uint32_t)p->o->max_target ||
                 line[0].words > SK_CORPUS_LONGEST || line[1].words > SK_CORPUS_LONGEST)
            p->h.stats.too_long++;
        else if (keep_pair(p, line, ids, unknown)) return -1;
    }
    /* Lines without partners are an error, which counts them: nothing need be kept. */
    for (int k = 0; k < 2; k++)
        if (round->last[1 - k]) {
            sk_queue_clear(&p->side[k].waiting.lines);
            sk_queue_clear(&p->side[k].waiting.ids);
            sk_queue_clear(&p->side[k].waiting.unknown);
        }
    return 0;
}

int sk_corpus_fail_lines(const char *source, uint64_t source_lines, const char *target, uint64_t target_lines)
{
    int first = source_lines < target_lines;
    return sk_fail(SK_EXIT_DATA, "%s has %llu lines, but %s has %llu: they must correspond line by line",
                   first ? source : target, (unsigned long long)(first ? source_lines : target_lines),
                   first ? target : source, (unsigned long long)(first ? target_lines : source_lines));
}

int sk_corpus_fail_empty(const char *source, const char *target, const struct sk_corpus_options *o, int64_t lines,
                         int64_t blank, int64_t too_long)
{
    return sk_fail(SK_EXIT_DATA, "%s and %s hold no usable pair: of %lld, %lld have a blank side, %lld are longer than "
                   "--max-seq-len %d:%d", source, target, (long long)lines, (long long)blank, (long long)too_long,
                   o->max_source, o->max_target);
}

/* Only what is complete is 100.0 %. */
static double percent(int64_t part, int64_t all)
{
    double p = all ? 100.0 * (double)part / (double)all : 0;
    return part < all && p > 99.9 ? 99.9 : p;
}

static void report(const struct sk_corpus_stats *s, const char *source, const char *target,
                   const struct sk_corpus_options *o)
{
    if (s->blank)
        sk_warn("Parallel reading of '%s' and '%s' skipped %lld elements (a side is blank)", source, target,
                (long long)s->blank);
    sk_info("%lld sequences of maximum length (%lld, %lld) in '%s' and '%s'.", (long long)s->pairs,
            (long long)o->max_source, (long long)o->max_target, source, target);
    if (s->too_long)
        sk_info("%lld sequences were longer and were discarded, in '%s' and '%s'", (long long)s->too_long, source, target);
    if (!o->held_out)
        sk_info("Mean training target/source length ratio: %.2f (+-%.2f)", s->length_ratio_mean,
                s->length_ratio_std);
    sk_info("Tokens: source %lld target %lld", (long long)s->source_tokens, (long long)s->target_tokens);
    sk_info("Vocabulary coverage: source %.1f%% of tokens, %.1f%% of types; target %.1f%% of tokens, %.1f%% of types",
            percent(s->source_tokens - s->source_unknown, s->source_tokens),
            percent(s->source_types_known, s->source_types),
            percent(s->target_tokens - s->target_unknown, s->target_tokens),
            percent(s->target_types_known, s->target_types));
}

static int64_t types_seen(const struct prepare *p, int side)
{
    int64_t n = 0;
    for (uint64_t i = 0; i < p->h.vocab[side]; i++) n += p->side[side].seen[i] && !is_unknown(p, side, (int32_t)i);
    return n;
}

/* Table and header behind the last block; then the file is whole. */
static int finish(struct prepare *p)
{
    struct sk_corpus_stats *s = &p->h.stats;
    unsigned char header[SK_CORPUS_HEADER];
    char hex[SK_HASH_HEX];
    if (flush_block(p)) return -1;
    s->length_ratio_std = sqrt(p->sum_squares / (double)s->pairs);
    s->source_tokens = p->side[0].tokens;
    s->target_tokens = p->side[1].tokens;
    s->source_unknown = p->side[0].unknown_tokens;
    s->target_unknown = p->side[1].unknown_tokens;
    s->source_types_known = types_seen(p, 0);
    s->target_types_known = types_seen(p, 1);
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

static int run(struct prepare *p, const char *source, const char *target)
{
    static const unsigned char blank[SK_CORPUS_HEADER];
    const struct sk_corpus_stats *s = &p->h.stats;
    const char *const *content = p->o->content, *const text[2] = {source, target};
    struct sk_pass pass = {.path = {source, target}, .files = 2, .lines_flags = p->o->lines_flags,
                           .hash = content[0] != NULL, .doing = "making the corpus", .pool = p->o->pool, .stop = p->o->stop, .ctx = p,
                           .work = encode, .release = release, .parts = 1, .gather = gather};
    if (sk_file_write(&p->file, blank, sizeof blank) || sk_pass_run(&pass)) return -1;
    for (int k = 0; k < 2 && content[0]; k++)
        if (strcmp(pass.content[k], content[k]))
            return sk_fail(SK_EXIT_DATA, "%s changed while it was read", text[k]);
    if (pass.lines[0] != pass.lines[1])
        return sk_corpus_fail_lines(source, pass.lines[0], target, pass.lines[1]);
    if (!s->pairs)
        return sk_corpus_fail_empty(source, target, p->o, (int64_t)pass.lines[0], s->blank, s->too_long);
    return finish(p);
}

int sk_corpus_prepare(const char *path, const char *source, const char *target,
                      const struct sk_vocab *vs, const struct sk_vocab *vt,
                      const struct sk_corpus_options *o, struct sk_corpus_stats *stats)
{
    struct prepare p = {.o = o, .side = {{.vocab = vs}, {.vocab = vt}}};
    if (!strcmp(source, "-") && !strcmp(target, "-"))
        return sk_fail(SK_EXIT_USAGE, "only one of source and target can be standard input");
    p.hash = sk_hash_new();
    for (int k = 0; k < 2; k++) {
        unsigned char raw[4];
        p.h.vocab[k] = (uint64_t)sk_vocab_size(p.side[k].vocab);
        p.side[k].seen = sk_xcalloc(p.h.vocab[k], 1);
        sk_put(raw, p.h.vocab[k], 4);
        sk_hash_add(p.hash, raw, 4);
    }
    p.h.width = p.h.vocab[0] <= 65536 && p.h.vocab[1] <= 65536 ? 2 : 4;
    int r = sk_file_create(&p.file, path);
    if (!r) {
        r = run(&p, source, target);
        if (r) sk_file_abandon(&p.file);
        else r = sk_file_commit(&p.file, SK_REPLACE) ? -1 : 0;
    }
    if (!r) {
        *stats = p.h.stats;
        report(stats, source, target, o);
    }
    for (int k = 0; k < 2; k++) {
        free_encoded(&p.side[k].waiting);
        free(p.side[k].unknown.slot);
        free(p.side[k].seen);
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
