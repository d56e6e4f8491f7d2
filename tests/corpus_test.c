/* corpus_test.c - corpus files: what goes in comes out, in every order; what
 * is damaged or hostile is refused; batches are dealt by the rule. */
#include "tap.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "text/batch.h"
#include "text/corpus_format.h"
#include "text/lines.h"

static char folder[256], source[300], target[300], path[300];

static uint32_t random_state = 7;
static uint32_t draw(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)random_state * n >> 32);
}

static struct sk_vocab *vocab_of(const char *text)
{
    struct sk_vocab_counts *c = sk_vocab_counts_new();
    if (sk_file_save(source, text, strlen(text), SK_REPLACE) || sk_vocab_count_file(c, source, 0, NULL)) exit(sk_die());
    struct sk_vocab *v = sk_vocab_build(c, 0, 1, 0, NULL);
    sk_vocab_counts_free(c);
    return v;
}

/* --- texts that we know by heart ------------------------------------------------ */

enum { LINES = 4000, WORDS = 12, LONGEST = 9 };
static struct { int n[2]; int32_t id[2][LONGEST]; } kept[LINES];
static struct sk_corpus_stats want;
static const struct sk_corpus_options options = {.max_source = LONGEST, .max_target = LONGEST - 2};
static struct sk_vocab *vocab;       /* w0 to w9 */

static void make_texts(void)
{
    struct sk_str text[2] = {{0}, {0}};
    int seen[2][WORDS] = {{0}};
    double sum = 0, squares = 0;
    for (int i = 0; i < LINES; i++) {
        int n[2], word[2][LONGEST + 2];
        for (int k = 0; k < 2; k++) {
            n[k] = (int)draw(LONGEST + 2 - 2 * (uint32_t)k);
            for (int j = 0; j < n[k]; j++) {
                word[k][j] = (int)draw(WORDS);
                sk_str_printf(&text[k], "%s%s%d", j % 3 ? " " : "\xc2\xa0", word[k][j] == WORDS - 1 ? "<s>" : "w",
                              word[k][j]);
                if (word[k][j] == WORDS - 1) text[k].len--;      /* <s> itself */
                if (word[k][j] == WORDS - 1 && text[k].text[text[k].len - 1] == '1') text[k].len--;
            }
            sk_str_add(&text[k], "\n", 1);
        }
        if (!n[0] || !n[1]) {
            want.blank++;
            continue;
        }
        if (n[0] > options.max_source || n[1] > options.max_target) {
            want.too_long++;
            continue;
        }
        int64_t *tokens[2] = {&want.source_tokens, &want.target_tokens};
        int64_t *unknown[2] = {&want.source_unknown, &want.target_unknown};
        for (int k = 0; k < 2; k++) {
            kept[want.pairs].n[k] = n[k];
            *tokens[k] += n[k] + 1;
            for (int j = 0; j < n[k]; j++) {
                char name[16];
                snprintf(name, sizeof name, "w%d", word[k][j]);
                kept[want.pairs].id[k][j] = word[k][j] < 10 ? sk_vocab_id(vocab, name, strlen(name)) : SK_UNK;
                *unknown[k] += word[k][j] >= 10;
                seen[k][word[k][j]] = 1;
            }
        }
        if (n[0] > want.max_source) want.max_source = n[0];
        if (n[1] > want.max_target) want.max_target = n[1];
        double ratio = (n[1] + 1.0) / (n[0] + 1.0);
        sum += ratio;
        squares += ratio * ratio;
        want.pairs++;
    }
    want.length_ratio_mean = sum / (double)want.pairs;
    want.length_ratio_std = sqrt(squares / (double)want.pairs - want.length_ratio_mean * want.length_ratio_mean);
    for (int w = 0; w < WORDS; w++) {
        want.source_types += seen[0][w];
        want.target_types += seen[1][w];
        want.source_types_known += w < 10 && seen[0][w];
        want.target_types_known += w < 10 && seen[1][w];
    }
    for (int k = 0; k < 2; k++) {
        if (sk_file_save(k ? target : source, text[k].text, text[k].len, SK_REPLACE)) exit(sk_die());
        sk_str_free(&text[k]);
    }
}

static void check_stats(const struct sk_corpus_stats *s, const char *where)
{
    is_int(s->pairs, want.pairs, "%s: pairs", where);
    is_int(s->blank, want.blank, "%s: blank pairs", where);
    is_int(s->too_long, want.too_long, "%s: long pairs", where);
    is_int(s->source_tokens, want.source_tokens, "%s: source tokens", where);
    is_int(s->target_tokens, want.target_tokens, "%s: target tokens", where);
    is_int(s->source_unknown, want.source_unknown, "%s: unknown source tokens", where);
    is_int(s->target_unknown, want.target_unknown, "%s: unknown target tokens", where);
    is_int(s->source_types, want.source_types, "%s: source types", where);
    is_int(s->target_types, want.target_types, "%s: target types", where);
    is_int(s->source_types_known, want.source_types_known, "%s: known source types", where);
    is_int(s->target_types_known, want.target_types_known, "%s: known target types", where);
    is_int(s->max_source, want.max_source, "%s: longest source", where);
    is_int(s->max_target, want.max_target, "%s: longest target", where);
    is_near(s->length_ratio_mean, want.length_ratio_mean, 1e-12, "%s: mean length ratio", where);
    is_near(s->length_ratio_std, want.length_ratio_std, 1e-9, "%s: its deviation", where);
}

static int same_pair(const struct sk_pair *p, int64_t ordinal)
{
    return p->ordinal == ordinal && p->ns == kept[ordinal].n[0] && p->nt == kept[ordinal].n[1] &&
        !memcmp(p->source, kept[ordinal].id[0], (size_t)p->ns * 4) &&
        !memcmp(p->target, kept[ordinal].id[1], (size_t)p->nt * 4);
}

static void round_trip(void)
{
    struct sk_corpus_stats stats, again;
    struct sk_pair p;
    vocab = vocab_of("w0 w1 w2 w3 w4 w5 w6 w7 w8 w9");
    make_texts();
    ok(want.blank > 100 && want.too_long > 100 && want.source_unknown > 100, "the texts have something of everything");
    ok(sk_corpus_prepare(path, source, target, vocab, vocab, &options, &stats) == 0, "prepared");
    check_stats(&stats, "prepared");
    struct sk_corpus *c = sk_corpus_open(path, sk_vocab_size(vocab), sk_vocab_size(vocab));
    if (!ok(c != NULL, "opened")) exit(sk_die());
    check_stats(sk_corpus_stats(c), "stored");
    is_str(sk_corpus_stats(c)->hash, stats.hash, "the checksum is stored");
    struct sk_reader *r = sk_reader_new(c, -1);
    int64_t n = 0, wrong = 0;
    while (sk_reader_next(r, &p) == 1) wrong += !same_pair(&p, n++);
    ok(n == want.pairs && !wrong, "seed -1 gives all pairs in order: %lld, %lld wrong", (long long)n, (long long)wrong);
    is_int(sk_reader_next(r, &p), 0, "the end stays the end");
    sk_reader_free(r);
    ok(!sk_corpus_open(path, sk_vocab_size(vocab) + 1, sk_vocab_size(vocab)) && sk_fail_code() == SK_EXIT_DATA,
       "it does not open for another vocabulary");
    char other[320];
    snprintf(other, sizeof other, "%s2", path);
    ok(sk_corpus_prepare(other, source, target, vocab, vocab, &options, &again) == 0 &&
           !strcmp(again.hash, stats.hash), "the same text has the same checksum");
    ok(sk_corpus_prepare(other, target, source, vocab, vocab, &options, &again) == 0 && strcmp(again.hash, stats.hash),
       "another one has not");
    sk_corpus_close(c);
}

static int failed_prepare(const char *s, const char *t, enum sk_exit code, const char *message)
{
    struct sk_corpus_stats stats;
    char never[300];
    snprintf(never, sizeof never, "%s/never", folder);
    int result = sk_corpus_prepare(never, s, t, vocab, vocab, &options, &stats);
    if (result != -1 || sk_fail_code() != code || !strstr(sk_fail_message(), message))
        diag("%d: %s", result, sk_fail_message());
    return result == -1 && sk_fail_code() == code && strstr(sk_fail_message(), message) && access(never, F_OK) != 0;
}

static void save_texts(const char *a, const char *b, const char *s, const char *t)
{
    if (sk_file_save(a, s, strlen(s), SK_REPLACE) || sk_file_save(b, t, strlen(t), SK_REPLACE)) exit(sk_die());
}

static void bad_texts(void)
{
    char a[300], b[300];
    snprintf(a, sizeof a, "%s/a", folder);
    snprintf(b, sizeof b, "%s/b", folder);
    save_texts(a, b, "w1\nw2\nw3\n", "w1\nw2\n");
    ok(failed_prepare(a, b, SK_EXIT_DATA, "b has 2 lines, but "), "the target is shorter");
    ok(failed_prepare(b, a, SK_EXIT_DATA, "a has 3"), "the source is shorter");
    save_texts(a, b, "\n \n\xe3\x80\x80\n", "a\nb\nc\n");
    ok(failed_prepare(a, b, SK_EXIT_DATA, "of 3, 3 have a blank side"), "blank lines only");
    save_texts(a, b, "w1 w2 w3 w4 w5 w6 w7 w8 w9 w0\n", "w1\n");
    ok(failed_prepare(a, b, SK_EXIT_DATA, "1 are longer"), "long lines only");
    save_texts(a, b, "", "");
    ok(failed_prepare(a, b, SK_EXIT_DATA, "no usable pair"), "nothing at all");
    save_texts(a, b, "w1\nw2 \xff\n", "w1\nw2\n");
    ok(failed_prepare(a, b, SK_EXIT_DATA, "a:2: invalid UTF-8 at byte 4"), "invalid text");
    ok(failed_prepare(a, "/nowhere", SK_EXIT_NOINPUT, "/nowhere"), "a missing text");
    ok(failed_prepare("-", "-", SK_EXIT_USAGE, "standard input"), "both from standard input");
    is_int(system("cd \"$SK_TEST_FOLDER\" && ls -A | grep -c 'tmp$' >/dev/null"), 256, "and no temporary is left");
}

/* --- damage ------------------------------------------------------------------------ */

/* Reads all of a file as a corpus: 0, or the exit code. */
static int read_corpus(const char *file, int source_vocab, int target_vocab)
{
    struct sk_corpus *c = sk_corpus_open(file, source_vocab, target_vocab);
    struct sk_pair p;
    int got;
    if (!c) return sk_fail_code();
    struct sk_reader *r = sk_reader_new(c, 1);
    int64_t n = 0;
    while ((got = sk_reader_next(r, &p)) == 1) n += p.ns + p.nt;
    sk_reader_free(r);
    sk_corpus_close(c);
    return got < 0 ? (int)sk_fail_code() : n ? 0 : -1;
}

static void damage(void)
{
    char file[300];
    size_t n;
    struct sk_corpus_stats stats;
    snprintf(file, sizeof file, "%s/small", folder);
    const char *text = "w1 w2\nw3\nw4 w5 w6\n";
    if (sk_file_save(source, text, strlen(text), SK_REPLACE) ||
        sk_corpus_prepare(file, source, source, vocab, vocab, &options, &stats)) exit(sk_die());
    int v = sk_vocab_size(vocab), wrong = 0;
    char *bytes = sk_file_load(file, 1 << 20, &n);
    is_int(read_corpus(file, v, v), 0, "a small corpus of %zu bytes", n);
    FILE *f = fopen(file, "r+");
    for (size_t i = 0; i < n; i++) {
        rewind(f);
        bytes[i] ^= 1 << i % 8;
        fwrite(bytes, 1, n, f);
        fflush(f);
        bytes[i] ^= 1 << i % 8;
        int code = read_corpus(file, v, v);
        if (code != SK_EXIT_DATA && wrong++ < 5) diag("byte %zu: %d", i, code);
    }
    is_int(wrong, 0, "a wrong bit in any of its bytes is found");
    rewind(f);
    fwrite(bytes, 1, n, f);
    fputc(0, f);
    fflush(f);
    is_int(read_corpus(file, v, v), SK_EXIT_DATA, "so is a byte too many");
    for (size_t i = n; i-- > 0;) wrong += ftruncate(fileno(f), (off_t)i) || read_corpus(file, v, v) != SK_EXIT_DATA;
    is_int(wrong, 0, "and any byte too few");
    fclose(f);
    free(bytes);
    is_int(read_corpus("/nowhere", v, v), SK_EXIT_NOINPUT, "no file");
    is_int(read_corpus("/", v, v), SK_EXIT_DATA, "a folder");
    is_int(read_corpus("/dev/null", v, v), SK_EXIT_DATA, "a device");
}

/* --- files made by hand, with valid checksums ------------------------------------------ */

struct made { unsigned char *bytes; size_t n, blocks, table; };

/* Every block has `pairs` pairs of one word; the ids tell the ordinal. */
static struct made make_file(uint32_t blocks, uint32_t pairs)
{
    size_t block = 4 + 12 * (size_t)pairs;
    struct made m = {.blocks = blocks, .table = SK_CORPUS_HEADER + blocks * block};
    struct sk_corpus_header h = {
        .stats = {.pairs = (int64_t)blocks * pairs, .source_tokens = 2 * (int64_t)blocks * pairs,
                  .target_tokens = 2 * (int64_t)blocks * pairs, .max_source = 1, .max_target = 1, .length_ratio_mean = 1,
                  .hash = "0123456789abcdef0123456789abcdef"},
        .vocab = {65000, 65000}, .width = 2, .blocks = blocks, .table_offset = m.table};
    m.n = m.table + blocks * SK_CORPUS_ENTRY;
    m.bytes = sk_xcalloc(m.n, 1);
    sk_corpus_header_pack(m.bytes, &h);
    for (uint32_t b = 0; b < blocks; b++) {
        unsigned char *p = m.bytes + SK_CORPUS_HEADER + b * block, *e = m.bytes + m.table + b * SK_CORPUS_ENTRY;
        sk_put(p, pairs, 4);
        for (uint32_t i = 0; i < pairs; i++) {
            uint32_t ordinal = b * pairs + i;
            sk_put(p + 4 + 8 * i, 1, 4);
            sk_put(p + 8 + 8 * i, 1, 4);
            sk_put(p + 4 + 8 * pairs + 4 * i, 4 + ordinal % 60000, 2);
            sk_put(p + 6 + 8 * pairs + 4 * i, 4 + ordinal % 50000, 2);
        }
        sk_put(e, SK_CORPUS_HEADER + b * block, 8);
        sk_put(e + 8, b * pairs, 8);
        sk_put(e + 16, pairs, 4);
        sk_put(e + 20, block, 4);
    }
    return m;
}

/* Right checksums, as far as there is something to sum. */
static void sign(struct made *m)
{
    char hex[SK_HASH_HEX];
    for (size_t b = 0; b < m->blocks; b++) {
        unsigned char *e = m->bytes + m->table + b * SK_CORPUS_ENTRY;
        uint64_t at = sk_get(e, 8), n = sk_get(e + 20, 4);
        if (at > m->n || n > m->n - at) continue;
        sk_hash_bytes(m->bytes + at, n, hex);
        memcpy(e + 24, hex, SK_HASH_HEX - 1);
    }
    sk_corpus_header_hash(m->bytes, m->bytes + m->table, m->n - m->table, hex);
    memcpy(m->bytes + SK_CORPUS_HEADER_HASH, hex, SK_HASH_HEX - 1);
    FILE *f = fopen(path, "w");
    if (!f || fwrite(m->bytes, 1, m->n, f) != m->n || fclose(f)) exit(1);
}

static void hostile(void)
{
    struct made m = make_file(2, 3);
    enum { A_BLOCK = 4 + 12 * 3, FIRST = SK_CORPUS_HEADER, SECOND = FIRST + A_BLOCK, TABLE = SECOND + A_BLOCK };
    static const struct { size_t at; int bytes; uint64_t v; const char *what; } bad[] = {
        {16, 8, 0, "no pairs"}, {16, 8, 7, "other pairs"}, {16, 8, (uint64_t)-6, "fewer than no pairs"},
        {16 + 11 * 8, 8, 0x7ff8000000000000u, "a ratio that is no number"},
        {16 + 12 * 8, 8, 0x7ff0000000000000u, "an infinite deviation"},
        {16 + 1 * 8, 8, 13, "more source words than there are"}, {16 + 1 * 8, 8, 11, "fewer source words"},
        {16 + 2 * 8, 8, (uint64_t)-12, "fewer than no target words"},
        {16 + 13 * 8, 8, 2, "a longest source that is not there"},
        {16 + 14 * 8, 8, 1 << 20, "a longest target that the file cannot hold"},
        {16 + 13 * 8, 8, 0, "longest source 0"}, {16 + 14 * 8, 8, 1 << 30, "longest target too long"},
        {16 + 15 * 8, 8, 65001, "another vocabulary"}, {16 + 17 * 8, 8, 3, "ids of 3 bytes"},
        {16 + 17 * 8, 8, 4, "ids of 4 bytes"}, {16 + 17 * 8, 8, 0, "ids of 0 bytes"}, {16 + 18 * 8, 8, 0, "no blocks"},
        {16 + 18 * 8, 8, 1, "one block"}, {16 + 18 * 8, 8, 329406144173384851u, "blocks that overflow"},
        {16 + 19 * 8, 8, 8, "a table in the header"}, {16 + 19 * 8, 8, (uint64_t)-1, "a table nowhere"},
        {16 + 20 * 8, 1, 'x', "a checksum that is none"},
        {FIRST, 4, 2, "a block of other pairs"}, {FIRST, 4, 0xffffffffu, "a block of many pairs"},
        {FIRST + 4, 4, 0, "a sentence without words"}, {FIRST + 8, 4, 2, "a sentence longer than the longest"},
        {FIRST + 4, 4, 0xffffffffu, "a very long sentence"}, {FIRST + 28, 2, 64999 + 1, "an id out of range"},
        {FIRST + 28, 2, SK_PAD, "padding as a word"}, {FIRST + 30, 2, SK_EOS, "an end symbol as a word"},
        {TABLE, 8, 0, "a block in the header"}, {TABLE + 8, 8, 1, "another first ordinal"},
        {TABLE + 16, 4, 0, "a block without pairs"}, {TABLE + 16, 4, 4, "more pairs than fit"},
        {TABLE + 20, 4, 3, "a block of 3 bytes"}, {TABLE + 20, 4, 0xffffffffu, "a block of 4 GB"},
        {TABLE + SK_CORPUS_ENTRY, 8, FIRST, "overlapping blocks"}};
    sign(&m);
    is_int(read_corpus(path, 65000, 65000), 0, "a file made by hand");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t was = sk_get(m.bytes + bad[i].at, bad[i].bytes);
        sk_put(m.bytes + bad[i].at, bad[i].v, bad[i].bytes);
        sign(&m);
        is_int(read_corpus(path, 65000, 65000), SK_EXIT_DATA, "refused: %s", bad[i].what);
        sk_put(m.bytes + bad[i].at, was, bad[i].bytes);
    }
    int odd = 0;
    for (int i = 0; i < 3000; i++) {
        size_t at[3];
        unsigned char was[3];
        for (int k = 0; k < 3; k++) {
            at[k] = draw((uint32_t)m.n);
            was[k] = m.bytes[at[k]];
            m.bytes[at[k]] = (unsigned char)(draw(3) ? draw(256) : 0xff * draw(2));
        }
        sign(&m);
        int code = read_corpus(path, 65000, 65000);
        odd += code != 0 && code != SK_EXIT_DATA;
        for (int k = 3; k-- > 0;) m.bytes[at[k]] = was[k];
    }
    is_int(odd, 0, "3000 files with random bytes and right checksums are read or refused");
    free(m.bytes);
}

/* --- order ------------------------------------------------------------------------------ */

static int64_t *read_order(struct sk_corpus *c, int64_t seed, int64_t epoch)
{
    int64_t pairs = sk_corpus_stats(c)->pairs, n = 0;
    int64_t *order = sk_xcalloc((size_t)pairs, sizeof *order);
    struct sk_reader *r = sk_reader_new(c, seed);
    struct sk_pair p;
    sk_reader_seek(r, epoch, 0);
    while (sk_reader_next(r, &p) == 1 && n < pairs) {
        order[n++] = p.ordinal;
        if (p.ns != 1 || p.nt != 1 || p.source[0] != 4 + p.ordinal % 60000 || p.target[0] != 4 + p.ordinal % 50000)
            order[n - 1] = -1;
    }
    if (n != pairs) order[0] = -1;
    sk_reader_free(r);
    return order;
}

static int is_permutation(const int64_t *order, int64_t n)
{
    char *seen = sk_xcalloc((size_t)n, 1);
    int good = 1;
    for (int64_t i = 0; i < n; i++) {
        if (order[i] < 0 || order[i] >= n || seen[order[i]]) good = 0;
        else seen[order[i]] = 1;
    }
    free(seen);
    return good;
}

/* Share of pairs followed by their neighbour in the text, and correlation of
 * place and ordinal: both near 0 in a good shuffle. */
static void check_shuffle(const int64_t *order, int64_t n, const char *what)
{
    double neighbours = 0, product = 0, mean = (double)(n - 1) / 2, square = 0;
    for (int64_t i = 0; i < n; i++) {
        neighbours += i && (order[i] == order[i - 1] + 1 || order[i] == order[i - 1] - 1);
        product += ((double)i - mean) * ((double)order[i] - mean);
        square += ((double)i - mean) * ((double)i - mean);
    }
    ok(neighbours < 20, "%s: %.0f neighbours stay together", what, neighbours);
    ok(fabs(product / square) < 0.3, "%s: correlation of place and ordinal %.3f", what, product / square);
}

static void order_of(uint32_t blocks, uint32_t pairs)
{
    char what[64];
    struct made m = make_file(blocks, pairs);
    int64_t n = (int64_t)blocks * pairs, *order[4], epoch, k;
    snprintf(what, sizeof what, "%u blocks of %u", blocks, pairs);
    sign(&m);
    struct sk_corpus *c = sk_corpus_open(path, 65000, 65000);
    if (!c) exit(sk_die());
    order[0] = read_order(c, -1, 3);
    order[1] = read_order(c, 1, 0);
    order[2] = read_order(c, 1, 1);
    order[3] = read_order(c, 2, 0);
    int sorted = 1;
    for (int64_t i = 0; i < n; i++) sorted &= order[0][i] == i;
    ok(sorted, "%s: without a seed in order", what);
    for (int i = 1; i < 4; i++) {
        ok(is_permutation(order[i], n), "%s: every pair once", what);
        if (n > 1000) check_shuffle(order[i], n, what);
        for (int j = 0; j < i; j++)
            if (n > 10) ok(memcmp(order[i], order[j], (size_t)n * sizeof **order), "%s: epochs and seeds differ", what);
    }
    struct sk_reader *r = sk_reader_new(c, 1);
    int wrong = 0;
    for (int i = 0; i < 300; i++) {
        struct sk_pair p, again;
        int64_t e = draw(2), at = draw((uint32_t)n);
        wrong += sk_reader_seek(r, e, at) || sk_reader_peek(r, &p) != 1 || p.ordinal != order[1 + e][at];
        sk_reader_tell(r, &epoch, &k);
        wrong += epoch != e || k != at;
        for (int64_t j = at; j < n && j < at + 5; j++)
            wrong += sk_reader_next(r, &again) != 1 || again.ordinal != order[1 + e][j];
        sk_reader_tell(r, &epoch, &k);
        wrong += k != (at + 5 < n ? at + 5 : n);
    }
    is_int(wrong, 0, "%s: from any place it goes on as if read from the start", what);
    struct sk_pair p;
    ok(sk_reader_seek(r, 0, n) == 0 && sk_reader_next(r, &p) == 0 && sk_reader_peek(r, &p) == 0, "%s: the end", what);
    ok(sk_reader_seek(r, 0, n + 1) == -1 && sk_reader_seek(r, -1, 0) == -1 && sk_reader_seek(r, 0, -1) == -1,
       "%s: places that are none", what);
    sk_reader_free(r);
    sk_corpus_close(c);
    for (int i = 0; i < 4; i++) free(order[i]);
    free(m.bytes);
}

/* --- batches ------------------------------------------------------------------------------ */

/* Deals by the rule, slowly: the leaf of each of n pairs. */
static void deal(const struct sk_pair *pair, int n, int leaves, int *leaf)
{
    int64_t load[1024] = {0};
    for (int i = 0; i < n; i++) leaf[i] = -1;
    for (int round = 0; round < n; round++) {
        int best = -1, least = 0;
        for (int i = 0; i < n; i++) {
            if (leaf[i] >= 0) continue;
            int a = pair[i].ns + pair[i].nt, b = best < 0 ? -1 : pair[best].ns + pair[best].nt;
            if (a > b || (a == b && pair[i].ordinal < pair[best].ordinal)) best = i;
        }
        for (int l = 1; l < leaves; l++)
            if (load[l] < load[least]) least = l;
        leaf[best] = least;
        load[least] += pair[best].ns + pair[best].nt + 2;
    }
}

/* Is the batch made of just these pairs, as batch.h says? */
static int check_batch(const struct sk_batch *b, const struct sk_pair *pair, int n)
{
    int leaf[LINES], at = 0, s = 0, t = 0;
    if (b->sentences != n) return 0;
    deal(pair, n, b->leaves, leaf);
    for (int l = 0; l < b->leaves; l++) {
        if (b->source_leaf[l] != s || b->target_leaf[l] != t) return 0;
        for (int64_t last = -1;; at++) {
            int next = -1;
            for (int i = 0; i < n; i++)
                if (leaf[i] == l && pair[i].ordinal > last && (next < 0 || pair[i].ordinal < pair[next].ordinal))
                    next = i;
            if (next < 0) break;
            const struct sk_pair *p = &pair[next];
            last = p->ordinal;
            if (b->ordinal[at] != last || b->source_offset[at] != s || b->target_offset[at] != t) return 0;
            for (int i = 0; i <= p->ns; i++)
                if (b->source[s++] != (i < p->ns ? p->source[i] : SK_EOS)) return 0;
            for (int i = 0; i <= p->nt; i++, t++)
                if (b->target[t] != (i ? p->target[i - 1] : SK_BOS) || b->label[t] != (i < p->nt ? p->target[i] : SK_EOS))
                    return 0;
        }
    }
    return at == n && b->source_rows == s && b->target_rows == t && b->source_offset[n] == s &&
        b->target_offset[n] == t && b->source_leaf[b->leaves] == s && b->target_leaf[b->leaves] == t;
}

static struct sk_pair pair_of(int64_t ordinal)
{
    return (struct sk_pair){ordinal, kept[ordinal].n[0], kept[ordinal].n[1], kept[ordinal].id[0], kept[ordinal].id[1]};
}

static void batches(const struct sk_batch_limits *l, int64_t seed, const char *what)
{
    struct sk_corpus *c = sk_corpus_open(path, sk_vocab_size(vocab), sk_vocab_size(vocab));
    struct sk_reader *r = sk_reader_new(c, seed), *plain = sk_reader_new(c, seed);
    struct sk_batch b, given;
    static struct sk_pair pair[LINES];
    int64_t all = 0, wrong = 0, early = 0, over = 0;
    int got;
    sk_batch_init(&b, l);
    sk_batch_init(&given, l);
    while ((got = sk_batch_fill(&b, l, r)) == 1) {
        struct sk_pair p;
        int s = 0, t = 0;
        for (int i = 0; i < b.sentences; i++) {
            if (sk_reader_next(plain, &p) != 1) break;
            pair[i] = pair_of(p.ordinal);
            s += p.ns + 1;
            t += p.nt + 1;
        }
        wrong += !check_batch(&b, pair, b.sentences);
        over += b.sentences > 1 && (b.sentences > l->max_sentences || s > l->max_source || t > l->max_target);
        if (sk_reader_peek(plain, &p) == 1)
            early += b.sentences < l->max_sentences && s + p.ns + 1 <= l->max_source && t + p.nt + 1 <= l->max_target;
        sk_batch_pack(&given, l, pair, b.sentences);
        wrong += !check_batch(&given, pair, b.sentences);
        all += b.sentences;
    }
    is_int(got, 0, "%s: the epoch ends", what);
    is_int(all, want.pairs, "%s: all pairs are in batches", what);
    is_int(wrong, 0, "%s: dealt and laid out by the rule", what);
    is_int(over, 0, "%s: within the budgets", what);
    is_int(early, 0, "%s: and full", what);
    sk_batch_free(&b);
    sk_batch_free(&given);
    sk_reader_free(r);
    sk_reader_free(plain);
    sk_corpus_close(c);
}

static void packing(void)
{
    struct sk_corpus_stats stats;
    want = (struct sk_corpus_stats){0};
    make_texts();
    if (sk_corpus_prepare(path, source, target, vocab, vocab, &options, &stats)) exit(sk_die());
    batches(&(struct sk_batch_limits){64, 1000, 1000, 8, 10, 8}, 1, "64 sentences, 8 leaves");
    batches(&(struct sk_batch_limits){1000, 400, 150, 4, 10, 8}, 2, "150 target tokens, 4 leaves");
    batches(&(struct sk_batch_limits){1000, 150, 400, 1, 10, 8}, 3, "150 source tokens, 1 leaf");
    batches(&(struct sk_batch_limits){1000, 3, 3, 2, 10, 8}, 4, "budgets shorter than sentences");
    batches(&(struct sk_batch_limits){7, 1000, 1000, 1024, 10, 8}, -1, "more leaves than sentences");
}

/* --- real text ----------------------------------------------------------------------------- */

static void multi30k(void)
{
    const char *de = shared_data("data/multi30k/train.bpe8000.de.gz");
    if (!de) {
        skip("no Multi30k");
        return;
    }
    char from[1024], to[1024];
    snprintf(from, sizeof from, "%s", de);
    snprintf(to, sizeof to, "%s", shared_data("data/multi30k/train.bpe8000.en.gz"));
    struct sk_vocab_counts *counts = sk_vocab_counts_new();
    struct sk_corpus_stats s;
    if (sk_vocab_count_file(counts, from, 0, NULL) || sk_vocab_count_file(counts, to, 0, NULL)) exit(sk_die());
    struct sk_vocab *v = sk_vocab_build(counts, 0, 2, 0, NULL);
    sk_vocab_counts_free(counts);
    ok(sk_corpus_prepare(path, from, to, v, v, &(struct sk_corpus_options){.max_source = 99, .max_target = 99}, &s) == 0,
       "Multi30k is prepared");
    is_int(s.pairs, 29000, "29,000 pairs");
    is_int(s.source_tokens, 410320 + 29000, "its German tokens, as wc counts them");
    is_int(s.blank + s.too_long, 0, "none is left out");
    ok(s.source_unknown > 0 && s.source_types - s.source_types_known == s.source_unknown,
       "without words that occur once, unknown types and tokens are as many");
    is_int(read_corpus(path, sk_vocab_size(v), sk_vocab_size(v)), 0, "and read");
    sk_vocab_free(v);
}

int main(void)
{
    snprintf(folder, sizeof folder, "%s", temp_folder());
    setenv("SK_TEST_FOLDER", folder, 1);
    snprintf(source, sizeof source, "%s/source", folder);
    snprintf(target, sizeof target, "%s/target", folder);
    snprintf(path, sizeof path, "%s/corpus", folder);
    sk_msg_program("corpus_test");
    sk_quiet(1);
    round_trip();
    bad_texts();
    damage();
    hostile();
    order_of(1, 1);
    order_of(1, 5000);
    order_of(64, 100);
    order_of(65, 100);
    order_of(200, 30);
    packing();
    multi30k();
    sk_vocab_free(vocab);
    return done_testing();
}
