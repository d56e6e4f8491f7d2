/* text_test.c - lines, tokens and vocabularies: against what Python and
 * Sockeye 1.18 make of the same bytes (data/vocab.json), and hostile input. */
#include <fcntl.h>
#include <jansson.h>
#include <zlib.h>
#include "tap.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/pool.h"
#include "text/count.h"
#include "text/lines.h"
#include "text/survey.h"

static char path[512], log_path[512];

static void put(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "w");
    if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) {
        perror(path);
        exit(1);
    }
}

/* Warnings since the last call. */
static int warnings(void)
{
    static long at;
    char line[8192];
    int n = 0;
    FILE *f = fopen(log_path, "r");
    if (!f) return -1;
    fseek(f, at, SEEK_SET);
    while (fgets(line, sizeof line, f)) n += strstr(line, ":WARNING:") != NULL;
    at = ftell(f);
    fclose(f);
    return n;
}

/* The lines of the file, each with `|` behind it, or the message of the failure. */
static const char *read_all(unsigned flags)
{
    static struct sk_str out;
    struct sk_lines *l = sk_lines_open(path, flags);
    char *line;
    size_t n;
    int got = -1;
    sk_str_clear(&out);
    sk_str_add(&out, "", 0);
    while (l && (got = sk_lines_next(l, &line, &n)) > 0) {
        if (line[n]) return "a line is not terminated";
        sk_str_add(&out, line, n);
        sk_str_add(&out, "|", 1);
    }
    sk_lines_close(l);
    if (got < 0) return sk_fail_message();
    return out.text ? out.text : "";
}

#define BYTES(s) s, sizeof s - 1

static void line_ends(void)
{
    static const struct { const char *bytes; size_t n; const char *lines; int warnings; } want[] = {
        {BYTES(""), "", 0}, {BYTES("\n"), "|", 0}, {BYTES("a\nb\n"), "a|b|", 0}, {BYTES("a\nb"), "a|b|", 0},
        {BYTES("\n\na\n\n"), "||a||", 0}, {BYTES("a\r\nb\r\n"), "a|b|", 1}, {BYTES("a\rb\r"), "a|b|", 1},
        {BYTES("a\r"), "a|", 1}, {BYTES("\r"), "|", 1}, {BYTES("a\r\r\nb"), "a||b|", 1},
        {BYTES("a\n\rb"), "a||b|", 1}, {BYTES("\xef\xbb\xbf" "a\nb\n"), "a|b|", 1}, {BYTES("\xef\xbb\xbf"), "", 1},
        {BYTES("a\xef\xbb\xbf\n"), "a\xef\xbb\xbf|", 0}, {BYTES("\xef\xbb\xbf" "a\r\nb\r\n"), "a|b|", 2},
        {BYTES("a\vb\fc\x1c" "d\xc2\x85" "e\xe2\x80\xa8" "f\n"), "a\vb\fc\x1c" "d\xc2\x85" "e\xe2\x80\xa8" "f|", 0},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        put(want[i].bytes, want[i].n);
        is_str(read_all(0), want[i].lines, "line ends, case %zu", i);
        is_int(warnings(), want[i].warnings, "its warnings");
    }
    put(BYTES("\xef\xbb\xbf" "a\r\nb\rc"));
    is_str(read_all(SK_LINES_NEWLINE_ONLY), "\xef\xbb\xbf" "a\r|b\rc|", "for scoring only line feeds end lines");
    is_int(warnings(), 0, "without warnings");
}

/* Lines of all lengths around the buffer's size, against a slow reader. */
static void long_lines(void)
{
    uint32_t random = 1;
    struct sk_str text = {0}, want = {0};
    for (int length = 0, i = 0; i < 60; i++) {
        random = random * 1664525u + 1013904223u;
        length = i % 3 ? (int)(random >> 16) % 30000 : 262144 - 3 + i / 3 % 6;
        for (int k = 0; k < length; k++) {
            const char *c = (k + i) % 50 ? "x" : "\xc3\xa9";
            sk_str_add(&text, c, strlen(c));
            sk_str_add(&want, c, strlen(c));
        }
        sk_str_add(&text, i % 4 == 0 ? "\r\n" : i % 4 == 1 ? "\n" : "\r", i % 4 == 0 ? 2 : 1);
        sk_str_add(&want, "|", 1);
    }
    put(text.text, text.len);
    ok(!strcmp(read_all(0), want.text), "lines around the size of the buffer (%zu bytes)", text.len);
    sk_str_clear(&text);
    sk_str_clear(&want);
    for (int i = 0; i < 300000; i++) {
        sk_str_add(&text, i % 2 ? "\r\n" : "ab\r", i % 2 ? 2 : 3);
        sk_str_add(&want, i % 2 ? "|" : "ab|", i % 2 ? 1 : 3);
    }
    put(text.text, text.len);
    ok(!strcmp(read_all(0), want.text), "short lines that all end in carriage returns");
    sk_str_free(&text);
    sk_str_free(&want);
    warnings();
}

#define R "\xef\xbf\xbd"
static void invalid(void)
{
    /* as bytes.decode("utf-8", "replace") has it */
    static const struct { const char *bytes; size_t n; const char *message, *replaced; } want[] = {
        {BYTES("ok\nab\xff" "c\n"), ":2: invalid UTF-8 at byte 3 ", "ok|ab" R "c|"},
        {BYTES("\x80\n"), ":1: invalid UTF-8 at byte 1 ", R "|"},
        {BYTES("\xc0\x80"), ":1: invalid UTF-8 at byte 1 ", R R "|"},
        {BYTES("a\xe2\x82\nb"), ":1: invalid UTF-8 at byte 2 ", "a" R "|b|"},
        {BYTES("a\n\xe2\x82"), ":2: invalid UTF-8 at byte 1 ", "a|" R "|"},
        {BYTES("\xed\xa0\x80"), ":1: invalid UTF-8 at byte 1 ", R R R "|"},
        {BYTES("\xf0\x9f\x98"), ":1: invalid UTF-8 at byte 1 ", R "|"},
        {BYTES("\xf0\x80\x80x"), ":1: invalid UTF-8 at byte 1 ", R R R "x|"},
        {BYTES("12345678\xf4\x90\x80\x80" "9"), ":1: invalid UTF-8 at byte 9 ", "12345678" R R R R "9|"},
        {BYTES("\xf5\xff"), ":1: invalid UTF-8 at byte 1 ", R R "|"},
        {BYTES("\xef\xbb"), ":1: invalid UTF-8 at byte 1 ", R "|"},
        {BYTES("\xff\xfe" "a\0\n\0"), ":1: invalid UTF-8 at byte 1 ", R R "a" R "|" R "|"},
        {BYTES("a\0\n\0"), ":1: a NUL byte (UTF-16, or no text) at byte 2 ", "a" R "|" R "|"},
        {BYTES("1234567890123456\0" "1"), ":1: a NUL byte (UTF-16, or no text) at byte 17 ", "1234567890123456" R "1|"},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        put(want[i].bytes, want[i].n);
        const char *got = read_all(0);
        ok(strstr(got, want[i].message) && !strncmp(got, path, strlen(path)), "invalid text, case %zu: %s", i, got);
        is_int(sk_fail_code(), SK_EXIT_DATA, "is bad data");
        is_str(read_all(SK_LINES_REPLACE_INVALID), want[i].replaced, "replaced as Python does");
        is_int(warnings(), 1, "with one warning");
    }
    put(BYTES("a\0b\n"));
    struct sk_lines *l = sk_lines_open(path, SK_LINES_NEWLINE_ONLY);
    char *line;
    size_t n;
    ok(sk_lines_next(l, &line, &n) == 1 && n == 3 && !memcmp(line, "a\0b", 4), "for scoring NUL is text");
    sk_lines_close(l);
    snprintf(path + strlen(path), 8, ".no");
    read_all(0);
    is_int(sk_fail_code(), SK_EXIT_NOINPUT, "a missing file");
    path[strlen(path) - 3] = 0;
    l = sk_lines_open("/", 0);
    ok(!l && sk_fail_code() == SK_EXIT_NOINPUT, "a folder is no text");
}

/* gzip's bytes of a text, appended */
static void pack(struct sk_str *s, const char *text, size_t n)
{
    z_stream z = {0};
    size_t cap = n + n / 100 + 100;
    unsigned char *out = sk_xmalloc(cap);
    deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    ok(deflate(&z, Z_FINISH) == Z_STREAM_END, "packed");
    sk_str_add(s, out, cap - z.avail_out);
    deflateEnd(&z);
    free(out);
}

static void gzip(void)
{
    struct sk_str z = {0}, text = {0}, want = {0};
    for (int i = 0; i < 40000; i++) {
        char line[64];
        int n = snprintf(line, sizeof line, "%d words and %x", i, i * 40503u);
        sk_str_add(&text, line, (size_t)n);
        sk_str_add(&want, line, (size_t)n);
        sk_str_add(&text, "\n", 1);
        sk_str_add(&want, "|", 1);
    }
    pack(&z, text.text, text.len);
    put(z.text, z.len);
    ok(!strcmp(read_all(0), want.text), "gzip is known by its first bytes");
    int wrong = 0;
    for (size_t cut = 2; cut < z.len; cut += cut < 40 || cut + 40 > z.len ? 1 : 9973) {
        put(z.text, cut);
        const char *got = read_all(0);
        wrong += !strstr(got, "gzip") || sk_fail_code() != SK_EXIT_DATA;
    }
    is_int(wrong, 0, "cut short anywhere it is bad data");
    for (size_t at = 0; at < z.len; at += at < 10 || at + 10 > z.len ? 1 : 9973) {
        z.text[at] ^= 0x10;
        put(z.text, z.len);
        /* flags, time and system of the header do not matter to zlib */
        if (at >= 10) wrong += strcmp(read_all(0), want.text) == 0 || sk_fail_code() != SK_EXIT_DATA;
        else read_all(0);
        z.text[at] ^= 0x10;
    }
    is_int(wrong, 0, "and with a wrong bit");
    size_t one = z.len;
    pack(&z, "two\n", 4);
    sk_str_add(&z, "\0\0\0\0\0", 5);
    put(z.text, z.len);
    sk_str_add(&want, "two|", 4);
    ok(!strcmp(read_all(0), want.text), "two members and padding");
    put(z.text, one + 5);
    ok(strstr(read_all(0), "cut short"), "a second member that is cut short");
    sk_str_add(&z, "rubbish", 7);
    put(z.text, z.len);
    ok(strstr(read_all(0), "corrupt"), "rubbish behind gzip");
    snprintf(path + strlen(path), 8, ".gz");
    put("text\n", 5);
    ok(strstr(read_all(0), "not a gzip file") && sk_fail_code() == SK_EXIT_DATA, "text named .gz");
    put("", 0);
    ok(strstr(read_all(0), "not a gzip file"), "nothing named .gz");
    path[strlen(path) - 3] = 0;
    sk_str_free(&z);
    sk_str_free(&text);
    sk_str_free(&want);
}

static void pipes(void)
{
    int fd[2];
    char name[64], *line;
    size_t n;
    if (pipe(fd)) return;
    snprintf(name, sizeof name, "/dev/fd/%d", fd[0]);
    ok(write(fd[1], "one\ntw", 6) == 6, "a line and a half");
    struct sk_lines *l = sk_lines_open(name, 0);
    is_int(sk_lines_ready(l), 1, "a line is there");
    ok(sk_lines_next(l, &line, &n) == 1 && !strcmp(line, "one"), "it is read");
    is_int(sk_lines_ready(l), 0, "the next one is not there");
    ok(write(fd[1], "o\n\r\n", 4) == 4, "the rest");
    is_int(sk_lines_ready(l), 1, "now it is");
    ok(sk_lines_next(l, &line, &n) == 1 && !strcmp(line, "two"), "it is read");
    ok(sk_lines_next(l, &line, &n) == 1 && n == 0, "an empty one");
    is_int(sk_lines_number(l), 3, "three lines");
    close(fd[1]);
    is_int(sk_lines_ready(l), 1, "nor does the end wait");
    is_int(sk_lines_next(l, &line, &n), 0, "the end");
    is_int(sk_lines_next(l, &line, &n), 0, "and again");
    sk_lines_close(l);
    close(fd[0]);
}

static size_t encode(char *s, uint32_t c)
{
    if (c < 0x80) return s[0] = (char)c, 1;
    if (c < 0x800) return s[0] = (char)(0xc0 | c >> 6), s[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return s[0] = (char)(0xe0 | c >> 12), s[1] = (char)(0x80 | (c >> 6 & 63)), s[2] = (char)(0x80 | (c & 63)), 3;
    s[0] = (char)(0xf0 | c >> 18);
    s[1] = (char)(0x80 | (c >> 12 & 63));
    s[2] = (char)(0x80 | (c >> 6 & 63));
    s[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void tokens(void)
{
    int wrong = 0, spaces = 0;
    for (uint32_t c = 1; c < 0x110000; c++) {
        if (c >= 0xd800 && c < 0xe000) continue;
        char text[16];
        size_t n = encode(text + 1, c);
        text[0] = 'x';
        memcpy(text + 1 + n, "y", 2);
        const char *p = text, *a, *b;
        size_t na = 0, nb = 0;
        a = sk_token_next(&p, &na);
        b = sk_token_next(&p, &nb);
        int space = (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
            (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
        spaces += space;
        if (space) wrong += !(a == text && na == 1 && b == text + 1 + n && nb == 1 && !sk_token_next(&p, &na));
        else wrong += !(a == text && na == n + 2 && !b);
    }
    is_int(spaces, 29, "Python has 29 white space characters");
    is_int(wrong, 0, "each code point separates words, or does not, as in Python");
    const char *p = " \t\xe3\x80\x80 ";
    size_t n;
    ok(!sk_token_next(&p, &n) && !*p, "a blank line has no word");
    p = "";
    ok(!sk_token_next(&p, &n), "nor has an empty one");
}

/* --- vocabularies ------------------------------------------------------------ */

static struct sk_vocab *vocab_of(const char *text, int num_words, int min_count, int pad_to)
{
    struct sk_vocab_counts *c = sk_vocab_counts_new();
    put(text, strlen(text));
    ok(sk_vocab_count_file(c, path, 0, NULL) == 0, "counted");
    struct sk_vocab *v = sk_vocab_build(c, num_words, min_count, pad_to, NULL);
    sk_vocab_counts_free(c);
    return v;
}

static void golden(void)
{
    json_t *all = json_load_file("tests/data/vocab.json", 0, NULL), *c, *line;
    size_t i, k, n;
    ok(json_array_size(all) >= 9, "the golden vocabularies are there");
    json_array_foreach(all, i, c) {
        struct sk_str text = {0};
        const json_t *args = json_object_get(c, "args");
        json_array_foreach(json_object_get(c, "lines"), k, line)
            sk_str_printf(&text, "%s\n", json_string_value(line));
        int min = (int)json_integer_value(json_object_get(args, "min_count"));
        struct sk_vocab *v = vocab_of(text.text, (int)json_integer_value(json_object_get(args, "num_words")),
                                      min ? min : 1, (int)json_integer_value(json_object_get(args, "pad_to_multiple_of")));
        ok(sk_vocab_save(v, path) == 0, "saved");
        char *got = sk_file_load(path, 1 << 20, &n);
        is_str(got, json_string_value(json_object_get(c, "json_file")), "golden vocabulary %zu, byte for byte", i);
        struct sk_vocab *again = sk_vocab_load(path);
        ok(again && sk_vocab_equal(v, again), "it reads back");
        json_array_foreach(json_object_get(c, "ordered_tokens"), k, line)
            if (strcmp(sk_vocab_word(again, (int32_t)k), json_string_value(line)))
                ok(0, "entry %zu is %s", k, json_string_value(line));
        free(got);
        sk_str_free(&text);
        sk_vocab_free(v);
        sk_vocab_free(again);
    }
    json_decref(all);
    static const int sizes[][3] = {{2, 8, 8}, {4, 8, 8}, {8, 8, 16}, {10, 16, 16}, {13, 16, 32}};
    for (i = 0; i < 5; i++) {
        struct sk_vocab *v = vocab_of("a b c d e f g h i j k l m n o p q", sizes[i][0], 1, sizes[i][1]);
        is_int(sk_vocab_size(v), sizes[i][2], "%d words padded to a multiple of %d", sizes[i][0], sizes[i][1]);
        sk_vocab_free(v);
    }
}

static void words(void)
{
    struct sk_str s = {0};
    for (int i = 0; i < 60000; i++) sk_str_printf(&s, "%s%d%s\n", i % 3 ? "w" : "a-rather-long-word-", i, i % 7 ? "" : " again");
    struct sk_vocab *v = vocab_of(s.text, 0, 1, 0);
    int wrong = sk_vocab_id(v, "again", 5) != SK_SPECIALS;
    for (int i = 0; i < 60000; i++) {
        char w[64];
        int n = snprintf(w, sizeof w, "%s%d", i % 3 ? "w" : "a-rather-long-word-", i);
        int32_t id = sk_vocab_id(v, w, (size_t)n);
        wrong += id <= SK_SPECIALS || strcmp(sk_vocab_word(v, id), w);
    }
    is_int(wrong, 0, "60001 words are found");
    is_int(sk_vocab_size(v), 60001 + SK_SPECIALS, "each has an entry");
    sk_str_free(&s);
    sk_vocab_free(v);
    /* words of all lengths, alike in front or behind */
    char x[41];
    memset(x, 'x', 40);
    x[40] = 0;
    for (int i = 1; i <= 40; i++) sk_str_printf(&s, "%.*s %.*sy y%.*s ", i, x, i, x, i, x);
    v = vocab_of(s.text, 0, 1, 0);
    is_int(sk_vocab_size(v), 120 + SK_SPECIALS, "words of 1 to 41 bytes are told apart");
    sk_str_free(&s);
    sk_vocab_free(v);
    v = vocab_of("<unk> a </s> <pad> \"q\\ \x01\x7f/ <s>", 0, 1, 0);
    is_int(sk_vocab_size(v), 7, "special symbols in text are not counted");
    is_int(sk_vocab_id(v, "</s>", 4), SK_UNK, "and are unknown words");
    is_int(sk_vocab_id(v, "a", 1), 4, "words have their ids");
    is_int(sk_vocab_id(v, "aa", 2) + sk_vocab_id(v, "", 0), 2 * SK_UNK, "others are unknown");
    size_t n;
    ok(sk_vocab_save(v, path) == 0, "saved");
    char *got = sk_file_load(path, 1 << 20, &n);
    is_str(got, "{\n    \"<pad>\": 0,\n    \"<unk>\": 1,\n    \"<s>\": 2,\n    \"</s>\": 3,\n    \"a\": 4,\n"
           "    \"\\\"q\\\\\": 5,\n    \"\\u0001\x7f/\": 6\n}", "escapes are those of Python's json");
    free(got);
    sk_vocab_free(v);
    v = vocab_of("<pad7> a b", 0, 1, 8);
    is_int(sk_vocab_size(v), 8, "a word that looks like a padding entry");
    ok(sk_vocab_save(v, path) == 0, "saved");
    struct sk_vocab *again = sk_vocab_load(path);
    ok(again && sk_vocab_equal(v, again), "does no harm");
    sk_vocab_free(v);
    sk_vocab_free(again);
    ok(!vocab_of("", 0, 1, 0) && sk_fail_code() == SK_EXIT_DATA, "no vocabulary without text");
    ok(!vocab_of(" \n<s>\n", 0, 1, 8) && sk_fail_code() == SK_EXIT_DATA, "nor without words");
    ok(!vocab_of("a b b", 0, 3, 0) && strstr(sk_fail_message(), "word-min-count"), "nor if all are rare");
}

/* A small table for each part, so that counts go to temporary files. */
static void spilled(void)
{
    struct sk_str s = {0};
    struct sk_vocab *v[2];
    struct sk_pool *pool = sk_pool_new(3);
    for (int i = 0; i < 60000; i++) sk_str_printf(&s, "the w%d v%d%s\n", i, i * 7 % 20011, i % 5 ? "" : " a-word-of-more-bytes");
    put(s.text, s.len);
    for (int k = 0; k < 2; k++) {
        struct sk_vocab_counts *c = sk_vocab_counts_new();
        int files = 0;
        if (k) c->most_bytes = 6000;
        ok(sk_vocab_count_file(c, path, 0, pool) == 0 && sk_vocab_count_file(c, path, 0, NULL) == 0, "counted twice");
        for (int i = 0; i < SK_COUNT_PARTS; i++) files += c->part[i].spilled != NULL;
        is_int(files, k ? SK_COUNT_PARTS : 0, "temporary files");
        v[k] = sk_vocab_build(c, 70000, 3, 0, k ? pool : NULL);
        sk_vocab_counts_free(c);
    }
    ok(v[0] && v[1] && sk_vocab_equal(v[0], v[1]), "the same vocabulary from tables in memory and from files");
    is_int(v[0] ? sk_vocab_size(v[0]) : 0, 20011 + 2 + SK_SPECIALS, "of the words that occur three times");
    sk_vocab_free(v[0]);
    sk_vocab_free(v[1]);
    setenv("TMPDIR", "/nowhere", 1);
    struct sk_vocab_counts *c = sk_vocab_counts_new();
    c->most_bytes = 6000;
    ok(sk_vocab_count_file(c, path, 0, pool) == -1 && strstr(sk_fail_message(), "/nowhere"), "no room for files: %s",
       sk_fail_message());
    sk_vocab_counts_free(c);
    unsetenv("TMPDIR");
    sk_str_free(&s);
    sk_pool_free(pool);
}

/* --- texts in blocks ----------------------------------------------------------- */

/* What the two ways to read a text make of the file: they must agree. */
static int agree(unsigned flags, struct sk_pool *pool)
{
    struct sk_corpus_options o = {.max_source = 1 << 20, .max_target = 1 << 20, .lines_flags = flags, .pool = pool};
    struct sk_survey s;
    struct sk_lines *l = sk_lines_open(path, flags);
    struct sk_hash *h = sk_hash_new();
    char content[SK_HASH_HEX], message[4096] = "", *line;
    int64_t lines = 0, pairs = 0;
    size_t n;
    int got = -1;
    while (l && (got = sk_lines_next(l, &line, &n)) > 0) {
        const char *p = line;
        size_t k;
        sk_hash_add(h, line, n);
        sk_hash_add(h, "\n", 1);
        lines++;
        pairs += sk_token_next(&p, &k) != NULL;
    }
    sk_hash_end(h, content);
    sk_lines_close(l);
    int lines_warned = warnings();
    if (got < 0) snprintf(message, sizeof message, "%s", sk_fail_message());
    int r = sk_survey(&s, path, path, &o, NULL), warned = warnings();
    if (got < 0) return r == -1 && !strcmp(sk_fail_message(), message);
    if (!pairs) return r == -1 && strstr(sk_fail_message(), "no usable pair");
    return r == 0 && !strcmp(s.content[0], content) && !strcmp(s.content[1], content) && s.lines == lines &&
        s.pairs == pairs && warned == 2 * lines_warned;
}

static void blocks(void)
{
    static const struct { const char *bytes; size_t n; } odd[] = {
        {BYTES("a")}, {BYTES("a\n")}, {BYTES("a\r")}, {BYTES("a\r\n")}, {BYTES("\na\n\n")}, {BYTES("a\r\rb")},
        {BYTES("\r\na")}, {BYTES("a\n\r\n\rb\n")}, {BYTES("\xef\xbb\xbf" "a\r\nb")}, {BYTES("\xef\xbb\xbf")},
        {BYTES("")}, {BYTES("\n \n")}, {BYTES("ok\nab\xff" "c\n")}, {BYTES("a\0\nb\0c\0\0\n")}, {BYTES("a\0")},
        {BYTES("a\xe2\x82\nb")}, {BYTES("a\r\n\xe2\x82\r\n")}, {BYTES("\xff\xfe" "a\0\n\0")}};
    struct sk_pool *pool = sk_pool_new(3);
    int wrong = 0;
    warnings();
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        put(odd[i].bytes, odd[i].n);
        wrong += !agree(0, pool) + !agree(SK_LINES_REPLACE_INVALID, NULL);
    }
    is_int(wrong, 0, "small texts: blocks and lines agree");
    static const char *const piece[] = {"word ", "\xc3\xa9 ", "\n", "\r\n", "\r", "  ", "\xff", "\xe2\x82\xac", "x", "\n\n"};
    uint32_t random = 7;
    for (int round = 0; round < 12; round++) {
        struct sk_str s = {0};
        /* kinds: plain, all pieces, only \r, one long line, long lines */
        int kind = round % 5;
        while (s.len < (size_t)(round < 6 ? 300000 : 3000000)) {
            random = random * 1664525u + 1013904223u;
            const char *p = piece[(random >> 16) % (kind == 0 ? 3 : 10)];
            if (kind == 2 && *p == '\n') p = "\r";
            if (kind >= 3 && strchr("\r\n", *p) && (kind == 3 || (random >> 8) % 30000)) p = "y";
            sk_str_add(&s, p, strlen(p));
        }
        put(s.text, s.len);
        sk_str_free(&s);
        wrong += !agree(SK_LINES_REPLACE_INVALID, round % 2 ? pool : NULL) + !agree(0, pool);
    }
    is_int(wrong, 0, "large ones as well");
    sk_pool_free(pool);
}

/* Words that are found 64 bytes at a time are those of sk_token_next: a text
 * with all kinds of white space, and what looks like it, gives the same
 * vocabulary and corpus as its words with blanks between them. */
static void scanning(void)
{
    static const uint32_t space[] = {9, 11, 12, 28, 29, 30, 31, 32, 32, 0x85, 0xa0, 0x1680, 0x2000, 0x2005, 0x200a, 0x2028,
                                     0x2029, 0x202f, 0x205f, 0x3000};
    static const uint32_t letter[] = {'a', 'b', 'c', 8, 14, 27, 33, 127, 0x84, 0xa1, 0x167f, 0x1681, 0x1fff, 0x200b, 0x2010,
                                      0x2060, 0x3001, 0x3040, 0x1f600, 0xe9};
    uint32_t random = 3;
    int wrong = 0;
    for (int round = 0; round < 40; round++) {
        struct sk_str text = {0}, plain = {0};
        for (int i = 0; i < 20000; i++) {
            random = random * 1664525u + 1013904223u;
            uint32_t r = random >> 16;
            char bytes[4];
            /* words of many lengths, some rounds with hardly any other white space than that of ASCII */
            if (r % 40 == 0) sk_str_add(&text, "\n", 1);
            else if (r % (2 + (uint32_t)round % 9) == 0)
                sk_str_add(&text, bytes, encode(bytes, space[(r >> 6) % (round % 2 ? 9 : 20)]));
            else sk_str_add(&text, bytes, encode(bytes, letter[(r >> 6) % (round % 3 ? 20 : 8)]));
        }
        sk_str_add(&text, "end\n", round % 2 ? 3 : 4);
        for (const char *p = text.text, *end; *p; p = *end ? end + 1 : end) {
            size_t n = strcspn(p, "\n");
            char *line = sk_xstrndup(p, n);
            const char *at = line, *word;
            end = p + n;
            while ((word = sk_token_next(&at, &n))) {
                sk_str_add(&plain, word, n);
                sk_str_add(&plain, " ", 1);
            }
            sk_str_add(&plain, "\n", 1);
            free(line);
        }
        struct sk_vocab *v[2];
        struct sk_corpus_stats stats[2];
        struct sk_corpus_options o = {.max_source = 100, .max_target = 100};
        for (int k = 0; k < 2; k++) {
            struct sk_vocab_counts *c = sk_vocab_counts_new();
            put(k ? plain.text : text.text, k ? plain.len : text.len);
            wrong += sk_vocab_count_file(c, path, 0, NULL) != 0;
            v[k] = sk_vocab_build(c, 500, 1, 0, NULL);
            sk_vocab_counts_free(c);
            char corpus[600];
            snprintf(corpus, sizeof corpus, "%s.corpus", path);
            wrong += sk_corpus_prepare(corpus, path, path, v[0], v[0], &o, &stats[k]) != 0;
        }
        wrong += !sk_vocab_equal(v[0], v[1]) || memcmp(stats[0].hash, stats[1].hash, SK_HASH_HEX) ||
            stats[0].source_unknown != stats[1].source_unknown || stats[0].source_types != stats[1].source_types;
        sk_vocab_free(v[0]);
        sk_vocab_free(v[1]);
        sk_str_free(&text);
        sk_str_free(&plain);
    }
    is_int(wrong, 0, "words found by masks are those of sk_token_next");
}

#define FOUR "\"<pad>\": 0, \"<unk>\": 1, \"<s>\": 2, \"</s>\": 3"
#define LINES4 "{\n    \"<pad>\": 0,\n    \"<unk>\": 1,\n    \"<s>\": 2,\n    \"</s>\": 3"
static void hostile(void)
{
    static const char *const bad[] = {
        "", " ", "{", "[]", "{}", "null", "\"a\"", "{" FOUR, "{" FOUR "} x", "[" FOUR "]", "{" FOUR ", \"a\": 5}",
        "{" FOUR ", \"a\": 3}", "{" FOUR ", \"a\": 4, \"a\": 5}", "{" FOUR ", \"a\": 4, \"b\": 4}",
        "{" FOUR ", \"a\": 4.0}", "{" FOUR ", \"a\": \"4\"}", "{" FOUR ", \"a\": true}", "{" FOUR ", \"a\": -1}",
        "{" FOUR ", \"a\": 4294967300}", "{" FOUR ", \"a\": 99999999999999999999}", "{" FOUR ", \"a\": [4]}",
        "{" FOUR ", \"a b\": 4}", "{" FOUR ", \"\": 4}", "{" FOUR ", \"a\\n\": 4}", "{" FOUR ", \"a\\u0000b\": 4}",
        "{" FOUR ", \"\\u3000\": 4}", "{" FOUR ", \"\\ud800\": 4}", "{" FOUR ", \"\xff\": 4}",
        "{\"<pad>\": 1, \"<unk>\": 0, \"<s>\": 2, \"</s>\": 3}", "{\"<pad>\": 0, \"<unk>\": 1, \"<s>\": 2, \"a\": 3}",
        "{\"<pad>\": 0, \"<unk>\": 1, \"<s>\": 2}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(bad[i], strlen(bad[i]));
        struct sk_vocab *v = sk_vocab_load(path);
        ok(!v && sk_fail_code() == SK_EXIT_DATA && strstr(sk_fail_message(), path), "no vocabulary: %s", bad[i]);
        sk_vocab_free(v);
    }
    /* the form in which vocabularies are written, with one thing wrong or unusual */
    static const struct { const char *text; int good; } ours[] = {
        {LINES4 ",\n    \"a\": 4\n}", 1}, {LINES4 ",\n    \"\\\"\\\\\\/\": 4\n}", 1}, {LINES4 "\n}", 1},
        {LINES4 ",\n    \"a\\u0301\": 4\n}", 1}, {LINES4 ",\n    \"a\": 4\n}\n", 1}, {LINES4 ",\n    \"a\" : 4\n}", 1},
        {LINES4 ",\n    \"a\": 5,\n    \"b\": 4\n}", 1}, {LINES4 ",\n    \"a\": 04\n}", 0}, {LINES4 ",\n    \"a\": +4\n}", 0},
        {LINES4 ",\n    \"a\": 4,\n    \"a\": 5\n}", 0}, {LINES4 ",\n    \"a b\": 4\n}", 0}, {LINES4 ",\n    \" a\": 4\n}", 0},
        {LINES4 ",\n    \"a \": 4\n}", 0}, {LINES4 ",\n    \"\": 4\n}", 0}, {LINES4 ",\n    \"a\": 4\n", 0},
        {LINES4 ",\n    \"a\": 4,\n}", 0}, {LINES4 ",\n    \"a\": 4\n}}", 0}, {LINES4 ",\n    \"a\\\": 4\n}", 0},
        {LINES4 ",\n    \"a\": 4.0\n}", 0}, {LINES4 ",\n    \"a\xff\": 4\n}", 0}, {LINES4 ",\n    \"a\x01\": 4\n}", 0},
        {LINES4 ",\n    \"<s>\": 4\n}", 0}, {"{\n    \"<pad>\": 0,\n    \"<s>\": 1,\n    \"<unk>\": 2,\n    \"</s>\": 3\n}", 0},
        {LINES4 ",\n    \"a\": 4294967300\n}", 0}};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        put(ours[i].text, strlen(ours[i].text));
        struct sk_vocab *v = sk_vocab_load(path);
        ok(ours[i].good == (v != NULL) && (v || sk_fail_code() == SK_EXIT_DATA), "%s: %s",
           ours[i].good ? "read" : "refused", ours[i].text + strlen(LINES4));
        sk_vocab_free(v);
    }
    static const char good[] = "{ \"\\u00e9\\ud834\\udd1e\": 4, " FOUR "}";
    put(BYTES(good));
    struct sk_vocab *v = sk_vocab_load(path);
    ok(v && sk_vocab_id(v, "\xc3\xa9\xf0\x9d\x84\x9e", 6) == 4, "any order and escapes are accepted");
    sk_vocab_free(v);
    int read = 0;
    for (size_t n = 0; n < sizeof good - 1; n++) {
        put(good, n);
        v = sk_vocab_load(path);
        read += v != NULL;
        sk_vocab_free(v);
    }
    is_int(read, 0, "a file cut short is no vocabulary");
    v = sk_vocab_load("/nowhere/vocab.json");
    ok(!v && sk_fail_code() == SK_EXIT_NOINPUT, "nor a missing one");
}

int main(void)
{
    const char *folder = temp_folder();
    snprintf(path, sizeof path, "%s/text", folder);
    snprintf(log_path, sizeof log_path, "%s/log", folder);
    sk_msg_program("text_test");
    sk_quiet(1);
    if (sk_log_open(log_path)) return sk_die();
    line_ends();
    long_lines();
    invalid();
    gzip();
    pipes();
    tokens();
    golden();
    words();
    spilled();
    blocks();
    scanning();
    hostile();
    return done_testing();
}
