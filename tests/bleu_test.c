/* bleu_test.c - BLEU and its tokenisers against what sacreBLEU 2.6.0 prints. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "score/bleu.h"
#include "tap.h"

static const struct { int lowercase; const char *line, *tokens; } tokenized[] = {
    {0, "Hello, world.", "Hello , world ."},
    {0, "a..b", "a . . b"},
    {0, "...", ". . ."},
    {0, "1,000.5", "1,000.5"},
    {0, ".5 5. 5.a a.5 5,5", ". 5 5 . 5 . a a . 5 5,5"},
    {0, "1990-91 x-y 3-", "1990 - 91 x-y 3 -"},
    {0, "it's 'quoted'", "it's 'quoted'"},
    {0, "\"a\" (b) [c] {d} <e>", "\" a \" ( b ) [ c ] { d } < e >"},
    {0, "x&y a/b c\\d", "x & y a / b c \\ d"},
    {0, "&quot;q&quot; &amp;lt; &lt;b&gt;", "\" q \" < < b >"},
    {0, "one<skipped>two", "onetwo"},
    {0, "a#b$c%d*e+f=g@h^i_j`k|l~m", "a # b $ c % d * e + f = g @ h ^ i _ j ` k | l ~ m"},
    {0, "a!?;:b", "a ! ? ; : b"},
    {0, "\xc3\xa9.\xc3\xa0,\xc3\xbc", "\xc3\xa9 . \xc3\xa0 , \xc3\xbc"},
    {0, "\xe6\x97\xa5\xe6\x9c\xac\xe3\x80\x82" "5.\xe6\x97\xa5",
     "\xe6\x97\xa5\xe6\x9c\xac\xe3\x80\x82" "5 . \xe6\x97\xa5"},
    {0, "a\xc2\xa0" "b\xe2\x80\xa8" "c\x1c" "d", "a b c d"},
    {0, " \t lead and trail \r", "lead and trail"},
    {0, "U.S. Mr. 3.14.", "U . S . Mr . 3.14 ."},
    {0, "5,.5", "5 , . 5"},
    {0, "-5 5--5", "-5 5 - -5"},
    {0, "foo-\nbar baz-\n", "foobar baz-"},
    {0, "", ""},
    {0, "   ", ""},
    {1, "\xc3\x80\xc3\x89 \xc4\xb0I "
        "\xce\x9f\xce\x94\xce\x9f\xce\xa3 \xce\x9f\xce\x94\xce\x9f\xce\xa3. \xce\xa3\xce\x91 \xc7\x85 K",
     "\xc3\xa0\xc3\xa9 i\xcc\x87i "
        "\xce\xbf\xce\xb4\xce\xbf\xcf\x82 \xce\xbf\xce\xb4\xce\xbf\xcf\x82 . \xcf\x83\xce\xb1 \xc7\x86 k"},
};

/* scores: none, none lower case, 13a, 13a lower case */
static const struct { int n; const char *hypothesis[4], *reference[4], *score[4]; } corpora[] = {
    {1, {"the cat sat on the mat"}, {"the cat sat on the mat"},
     {"100.000000", "100.000000", "100.000000", "100.000000"}},
    {1, {"the the the the the the the"}, {"the cat is on the mat"}, {"7.809850", "7.809850", "7.809850", "7.809850"}},
    {1, {"the cat"}, {"the cat"}, {"0.000000", "0.000000", "0.000000", "0.000000"}},
    {1, {"a b c"}, {"a b d"}, {"0.000000", "0.000000", "0.000000", "0.000000"}},
    {1, {"a b c d e f"}, {"a x c y e z"}, {"10.682175", "10.682175", "10.682175", "10.682175"}},
    {1, {""}, {"a b"}, {"0.000000", "0.000000", "0.000000", "0.000000"}},
    {1, {"a b"}, {""}, {"0.000000", "0.000000", "0.000000", "0.000000"}},
    {1, {""}, {""}, {"0.000000", "0.000000", "0.000000", "0.000000"}},
    {1, {"x y z w v"}, {"a b c d e"}, {"0.000000", "0.000000", "0.000000", "0.000000"}},
    {1, {"a b c d"}, {"a b c d e f g h"}, {"36.787944", "36.787944", "36.787944", "36.787944"}},
    {1, {"The Cat sat, on the mat."}, {"the cat sat , on the mat ."},
     {"11.631736", "16.449759", "68.037493", "100.000000"}},
    {4, {"a b c d e", "", "q", "1.5 m-"}, {"a b c d e f", "x", "q", "1.5 m -"},
     {"62.865747", "62.865747", "62.865747", "62.865747"}},
    {1, {"c d a b c d e a b"}, {"a b c d e"}, {"44.632361", "44.632361", "44.632361", "44.632361"}},
};

#define COUNT(a) (sizeof (a) / sizeof (a)[0])

static struct sk_line line_of(const char *text) { return (struct sk_line){text, strlen(text)}; }

static void tokens_are(enum sk_bleu_tokenizer t, int lowercase, struct sk_line line, const char *tokens, const char *what)
{
    struct sk_bleu_options o = {.tokenizer = t, .lowercase = lowercase};
    struct sk_str out = {0};
    sk_bleu_tokenize(&o, line, &out);
    is_str(out.len > 0 ? out.text : "", tokens, "%s", what);
    sk_str_free(&out);
}

static void tokenization(void)
{
    for (size_t i = 0; i < COUNT(tokenized); i++) {
        char what[32];
        snprintf(what, sizeof what, "13a, line %zu", i);
        tokens_are(SK_BLEU_13A, tokenized[i].lowercase, line_of(tokenized[i].line), tokenized[i].tokens, what);
    }
    static const char nul[] = " a,b\0c.  d ";
    struct sk_bleu_options o = {.tokenizer = SK_BLEU_NONE};
    struct sk_str out = {0};
    sk_bleu_tokenize(&o, (struct sk_line){nul, sizeof nul - 1}, &out);
    ok(out.len == 8 && memcmp(out.text, "a,b\0c. d", 8) == 0, "none only splits; a NUL byte is part of its word");
    sk_str_free(&out);
    tokens_are(SK_BLEU_INTL, 0, line_of("Hi, \xc2\xbfqu\xc3\xa9? 1,000.5 $5 10% x-y 5. end."),
               "Hi , \xc2\xbf qu\xc3\xa9 ? 1,000.5 $ 5 10 % x - y 5 . end .", "intl: punctuation and symbols");
    tokens_are(SK_BLEU_INTL, 0, line_of("\xe6\x97\xa5\xe6\x9c\xac\xe3\x80\x82\xe2\x82\xac" "5 \xf0\x9f\x98\x80x in 1984."),
               "\xe6\x97\xa5\xe6\x9c\xac \xe3\x80\x82 \xe2\x82\xac 5 \xf0\x9f\x98\x80 x in 1984.",
               "intl: other scripts; a stop behind a final number stays");
    tokens_are(SK_BLEU_CHAR, 1, line_of(" \xc3\x89" "a  \xe6\x97\xa5."), "\xc3\xa9 a \xe6\x97\xa5 .", "char, lower case");
}

static double score(const struct sk_bleu_options *o, const char *const *hyp, const char *const *ref, int n)
{
    struct sk_bleu *b = sk_bleu_new(o);
    double sum[SK_BLEU_STATS] = {0}, stats[SK_BLEU_STATS];
    for (int k = 0; k < n; k++) {
        struct sk_line r = line_of(ref[k]);
        sk_bleu_references(b, &r, 1);
        sk_bleu_hypothesis(b, line_of(hyp[k]), stats);
        for (int i = 0; i < SK_BLEU_STATS; i++)
            sum[i] += stats[i];
    }
    sk_bleu_free(b);
    return sk_bleu_value(o, sum);
}

/* Scores of a corpus under the four settings, as text. */
static void check_scores(const char *const *hyp, const char *const *ref, int n, const char *const *want,
                         const char *what)
{
    for (int i = 0; i < 4; i++) {
        struct sk_bleu_options o = {.tokenizer = i / 2 ? SK_BLEU_13A : SK_BLEU_NONE, .lowercase = i % 2,
                                    .smoothing = SK_BLEU_EXP};
        char got[32];
        snprintf(got, sizeof got, "%.6f", score(&o, hyp, ref, n));
        is_str(got, want[i], "%s, tok:%s case:%s", what, i / 2 ? "13a" : "none", i % 2 ? "lc" : "mixed");
    }
}

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % n);
}

/* 2000 lines of words that tokenise in many ways; a quarter of the words of a
 * hypothesis are drawn anew, a tenth are left out. */
static void generated(void)
{
    static const char *const piece[20] = {
        "the", "The", "cat", "a", "dog.", "3.5", "x-y", "1990-91", ",", ".", "\"q\"", "&amp;", "It's", "(b)",
        "\xc3\x89t\xc3\xa9", "\xce\xa3\xce\x9f\xce\xa3", "\xe6\x97\xa5\xe6\x9c\xac\xe3\x80\x82", "\xc2\xa0",
        "-", "5,"};
    static const char *const want[4] = {"40.221428", "40.539092", "50.191023", "50.434377"};
    enum { LINES = 2000 };
    static struct sk_str text[2][LINES];
    static const char *hyp[LINES], *ref[LINES];
    uint64_t state = 1;
    for (int i = 0; i < LINES; i++) {
        uint32_t n = draw(&state, 30);
        for (uint32_t k = 0; k < n; k++) {
            const char *word = piece[draw(&state, 20)];
            sk_str_printf(&text[1][i], "%s ", word);
            if (draw(&state, 4) == 0)
                word = piece[draw(&state, 20)];
            if (draw(&state, 10) != 0)
                sk_str_printf(&text[0][i], "%s ", word);
        }
        hyp[i] = text[0][i].len > 0 ? text[0][i].text : "";
        ref[i] = text[1][i].len > 0 ? text[1][i].text : "";
    }
    check_scores(hyp, ref, LINES, want, "2000 generated lines");
    for (int i = 0; i < LINES; i++) {
        sk_str_free(&text[0][i]);
        sk_str_free(&text[1][i]);
    }
}

static void sockeye(const char *hyp, const char *ref, const char *want, const char *what)
{
    struct sk_bleu_options o = {.tokenizer = SK_BLEU_NONE, .smoothing = SK_BLEU_OFFSET, .value = 0.01,
                                .effective_order = 1};
    char got[32];
    snprintf(got, sizeof got, "%.5f", score(&o, &hyp, &ref, 1) / 100);
    is_str(got, want, "raw BLEU of checkpoints: %s", what);
}

/* Statistics against several references. */
static void several_references(void)
{
    struct sk_bleu_options o = {.tokenizer = SK_BLEU_NONE};
    struct sk_bleu *b = sk_bleu_new(&o);
    double stats[SK_BLEU_STATS];
    struct sk_line refs[3] = {line_of("the cat sat"), line_of("the the dog sat down"), line_of("")};
    static const double want[2][SK_BLEU_STATS] = {{4, 3, 4, 3, 1, 0, 4, 3, 2, 1}, {1, 0, 0, 0, 0, 0, 1, 0, 0, 0}};
    sk_bleu_references(b, refs, 3);
    sk_bleu_hypothesis(b, line_of("the the cat sat"), stats);
    ok(memcmp(stats, want[0], sizeof stats) == 0, "n-grams of all references, the shorter of two closest lengths");
    sk_bleu_hypothesis(b, line_of("the the cat sat"), stats);
    ok(memcmp(stats, want[0], sizeof stats) == 0, "another hypothesis meets the same references");
    sk_bleu_references(b, refs + 2, 1);
    sk_bleu_hypothesis(b, line_of("the"), stats);
    ok(memcmp(stats, want[1], sizeof stats) == 0, "references of the line before are forgotten");
    sk_bleu_free(b);
}

int main(void)
{
    tokenization();
    for (size_t i = 0; i < COUNT(corpora); i++) {
        char what[32];
        snprintf(what, sizeof what, "corpus %zu", i);
        check_scores(corpora[i].hypothesis, corpora[i].reference, corpora[i].n, corpora[i].score, what);
    }
    generated();
    several_references();
    sockeye("a b c", "a b d", "0.14938", "effective order 3, none of it matched");
    sockeye("x y", "a b", "0.00707", "no match at all");
    sockeye("a b", "a b c d", "0.36788", "brevity penalty");
    sockeye("", "a b", "0.00000", "empty");
    return done_testing();
}
