/* score_test.c - what scores are made of: characters, resampling, threads,
 * edits of extreme lines. Scores themselves are compared by scores.t. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "score/bootstrap.h"
#include "score/draw.h"
#include "score/lowercase.h"
#include "score/scoring.h"
#include "score/ter_edits.h"
#include "score/unicode.h"
#include "tap.h"

#define EACH_CHARACTER(c) (uint32_t c = 0; c < 0x110000; c = c == 0xD7FF ? 0xE000 : c + 1)

/* Every character there is; the checksums are those of what Python 3.11 and
 * its module regex 2026.11.19 say of them. */
static void characters(void)
{
    struct sk_str text = {0}, lower = {0};
    uint8_t *class = malloc(0x110000), *space = malloc(0x110000);
    unsigned n = 0, same = 0, spaces = 0;
    for EACH_CHARACTER(c) {
        size_t length;
        sk_str_clear(&text);
        sk_utf8_add(&text, c);
        same += sk_utf8_decode(text.text, text.text + text.len, &length) == c && length == text.len;
        sk_lowercase(text.text, text.len, &lower);
        class[n] = (uint8_t)sk_char_class(c);
        size_t bytes = sk_space_at(text.text, text.text + text.len);
        spaces += bytes > 0;
        space[n++] = bytes == text.len;
    }
    is_int(same, n, "UTF-8 and back");
    is_int(lower.len, 4382572, "lower case: bytes");
    is_int(crc32(0, (const Bytef *)lower.text, (uInt)lower.len), 0x373c994c, "lower case");
    is_int(crc32(0, class, n), 0x72e2de75, "punctuation, symbols, numbers");
    is_int(crc32(0, space, n), 0x1d3b6ab0, "white space");
    is_int(spaces, 29, "29 characters");
    const char *odd = "\xe3\x80\x80 a\xc2\xa0\xff\xe2\x80\xa8\x85 ";       /* U+3000, stray bytes among it */
    size_t all = strlen(odd), end = sk_trim_end(odd, all);
    is_int(end, all - 1, "white space at the end goes, a stray byte stays");
    is_int(sk_trim_start(odd, all), 4, "and at the start");
    is_int(sk_trim_end("\xe2\x80\xa8\xe3\x80\x80", 6), 0, "nothing but white space");
    is_int(sk_trim_end("\x80\x80\x80\x80", 4), 4, "nothing but stray bytes");
    free(class);
    free(space);
    sk_str_free(&text);
    sk_str_free(&lower);
}

/* numpy.random.default_rng(seed).choice(n, 8) of numpy 2.4 */
static void drawing(void)
{
    static const struct { uint64_t seed; uint32_t n, drawn[8]; } facts[] = {
        {12345, 1000, {699, 227, 788, 316, 204, 797, 642, 676}},
        {0, 3, {2, 1, 1, 0, 0, 0, 0, 0}},
        {((uint64_t)1 << 40) + 7, 4000000000u, {826057830, 3319251567u, 2438016523u, 1021220632, 68041685, 615162863,
                                                3540752507u, 2955362875u}},
        {12345, 1, {0}},
    };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        struct sk_draw d;
        int same = 0;
        sk_draw_seed(&d, facts[i].seed);
        for (int k = 0; k < 8; k++)
            same += sk_draw_below(&d, facts[i].n) == facts[i].drawn[k];
        is_int(same, 8, "numpy's numbers below %u, seed %llu", facts[i].n, (unsigned long long)facts[i].seed);
    }
}

static void resampling(void)
{
    double score[80], baseline[80], mean, half;
    for (int i = 0; i < 80; i++) {
        score[i] = (i * 37) % 80;
        baseline[i] = 0;
    }
    sk_bootstrap_interval(score, 80, &mean, &half);
    is_near(mean, 39.5, 1e-12, "mean");
    is_near(half, (77 - 2) / 2.0, 1e-12, "2 of 80 lie outside on either side");
    is_near(sk_bootstrap_p(score, baseline, 80, -30.2), 11 / 81.0, 1e-12, "10 of 80 differ by so much more than the mean; a loss counts as a gain");
    is_near(sk_bootstrap_p(baseline, baseline, 80, 0), 1 / 81.0, 1e-12, "no difference is no reason to doubt");
}

static struct sk_measure_options defaults(enum sk_measure_kind kind)
{
    return (struct sk_measure_options){.kind = kind,
                                       .bleu = {.tokenizer = SK_BLEU_13A, .smoothing = SK_BLEU_EXP},
                                       .chrf = {.char_order = 6, .beta = 2}};
}

/* 1000 lines, two systems, all metrics: the same bits whatever the threads and blocks. */
static void threads(void)
{
    enum { LINES = 1000 };
    static char text[3][LINES][128];
    static struct sk_line ref[LINES], hyp[LINES][2];
    static struct sk_segment segment[LINES];
    struct sk_measure_options all[SK_MEASURES];
    struct sk_scoring s[3];
    uint32_t x = 1;
    for (int i = 0; i < LINES; i++) {
        for (int f = 0; f < 3; f++)
            for (int k = 0, n = (int)((x = x * 1664525 + 1013904223) >> 24) % 20; k < n; k++)
                sprintf(text[f][i] + strlen(text[f][i]), "%c%d ", 'a' + k % 3, (int)((x = x * 1664525 + 1013904223) >> 30));
        ref[i] = (struct sk_line){text[0][i], strlen(text[0][i])};
        for (int f = 0; f < 2; f++)
            hyp[i][f] = (struct sk_line){text[f + 1][i], strlen(text[f + 1][i])};
        segment[i] = (struct sk_segment){&ref[i], 1, hyp[i]};
    }
    for (int k = 0; k < SK_MEASURES; k++)
        all[k] = defaults((enum sk_measure_kind)k);
    for (int v = 0; v < 3; v++) {
        sk_scoring_open(&s[v], all, SK_MEASURES, 2, v == 1 ? 4 : 1, 1);
        int step = v == 2 ? 7 : LINES;
        for (int i = 0; i < LINES; i += step)
            sk_scoring_add(&s[v], segment + i, LINES - i < step ? LINES - i : step);
    }
    size_t sums = 2 * (size_t)s[0].stats * sizeof(double), kept = LINES * sums;
    double *sample[2];
    ok(memcmp(s[0].sum, s[1].sum, sums) == 0, "sums, four threads");
    ok(memcmp(s[0].sum, s[2].sum, sums) == 0, "sums, blocks of seven lines");
    ok(memcmp(s[0].kept, s[1].kept, kept) == 0 && memcmp(s[0].kept, s[2].kept, kept) == 0, "what is kept");
    for (int i = 0; i < 2; i++)
        sample[i] = sk_bootstrap(&s[0], 50, 1, i == 0 ? 1 : 3);
    ok(memcmp(sample[0], sample[1], 2 * SK_MEASURES * 50 * sizeof(double)) == 0, "resamples, three threads");
    is_int(s[0].lines, LINES, "all lines");
    for (int v = 0; v < 3; v++)
        sk_scoring_close(&s[v]);
    free(sample[0]);
    free(sample[1]);
}

/* Levenshtein's distance, the plain way: what edits may not be above, as
 * long as the band lets all of it through. */
static int distance(const uint32_t *a, int n, const uint32_t *b, int m)
{
    int row[64];
    for (int j = 0; j <= m; j++)
        row[j] = j;
    for (int i = 1; i <= n; i++) {
        int before = row[0];
        row[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = before + (a[i - 1] != b[j - 1]);
            before = row[j];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[m];
}

static void edits(void)
{
    struct sk_ter_edits *memory = NULL;
    uint32_t a[32], b[32], x = 7;
    int above = 0, shifted = 0, wrong = 0;
    for (int t = 0; t < 3000; t++) {
        int n = (int)((x = x * 1664525 + 1013904223) >> 27) % 24, m = (int)((x = x * 1664525 + 1013904223) >> 27) % 24;
        for (int i = 0; i < n; i++)
            a[i] = (x = x * 1664525 + 1013904223) >> 29;
        for (int i = 0; i < m; i++)
            b[i] = 1 + ((x = x * 1664525 + 1013904223) >> 29) % 7;
        int64_t e = sk_ter_edits(&memory, a, (size_t)n, b, (size_t)m, 8);
        int d = distance(a, n, b, m);
        above += e > d;
        shifted += e < d;
        wrong += e < (n > m ? n - m : m - n);
    }
    is_int(above, 0, "never more edits than without shifts");
    ok(shifted > 100, "shifts help (%d of 3000)", shifted);
    is_int(wrong, 0, "never fewer than the difference in length");

    /* Extreme lengths end soon. */
    enum { LONG = 100000 };
    uint32_t *big = calloc(LONG, sizeof *big), *other = calloc(LONG, sizeof *other);
    for (int i = 0; i < LONG; i++)
        big[i] = other[LONG - 1 - i] = 1 + (uint32_t)i % 5;
    is_int(sk_ter_edits(&memory, big, LONG, big, LONG, 5), 0, "100000 words, equal");
    is_int(sk_ter_edits(&memory, big, 2, big, LONG, 5), LONG - 2, "2 words for 100000");
    is_int(sk_ter_edits(&memory, big, LONG, big, 2, 5), LONG - 2, "100000 words for 2");
    is_int(sk_ter_edits(&memory, big, 0, big, 9, 5), 9, "none for 9");
    is_int(sk_ter_edits(&memory, big, 9, big, 0, 5), 9, "9 for none");
    int64_t turned = sk_ter_edits(&memory, big, LONG, other, LONG, 5);
    ok(turned > 0 && turned <= LONG, "100000 words, from behind: %lld edits", (long long)turned);
    free(big);
    free(other);
    sk_ter_edits_free(memory);
}

/* Random bytes, not even UTF-8, with NUL: nothing may break (sanitizers watch). */
static void any_bytes(void)
{
    struct sk_measure_options o[SK_MEASURES + 6];
    int n = 0, finite = 1;
    uint32_t x = 3;
    for (int k = 0; k < SK_MEASURES; k++)
        o[n++] = defaults((enum sk_measure_kind)k);
    for (int t = SK_BLEU_NONE; t <= SK_BLEU_CHAR; t++) {
        o[n] = defaults(SK_SCORE_BLEU);
        o[n].bleu.tokenizer = (enum sk_bleu_tokenizer)t;
        o[n++].bleu.lowercase = 1;
    }
    o[n] = defaults(SK_SCORE_TER);
    o[n++].ter = (struct sk_ter_options){1, 1, 1, 0};
    o[n] = defaults(SK_SCORE_CHRF);
    o[n++].chrf = (struct sk_chrf_options){32, 32, 3, 1, 1, 1};
    for (int k = 0; k < n; k++) {
        struct sk_measure *m = sk_measure_new(&o[k]);
        for (int i = 0; i < 500; i++) {
            char text[3][64];
            struct sk_line line[3];
            double stats[SK_MEASURE_MAX_STATS];
            for (int f = 0; f < 3; f++) {
                for (int c = 0; c < 64; c++) {
                    x = x * 1664525 + 1013904223;
                    text[f][c] = x >> 31 ? "\0 .,-&'s\xe3\x80\xc2\xa0\xce\xa3\xff\n"[x >> 20 & 15] : (char)(x >> 23 & 255);
                }
                line[f] = (struct sk_line){text[f], (x = x * 1664525 + 1013904223) >> 26};
            }
            sk_measure_references(m, line, 2);
            sk_measure_hypothesis(m, line[2], stats);
            double value = sk_measure_value(&o[k], stats);
            finite &= value >= 0 && value < 1e9;
        }
        sk_measure_free(m);
    }
    ok(finite, "scores of random bytes are numbers");
}

int main(void)
{
    characters();
    drawing();
    resampling();
    threads();
    edits();
    any_bytes();
    return done_testing();
}
