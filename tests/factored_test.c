/* factored_test.c - words with factors: put together, taken apart. */
#include "tap.h"
#include "base/file.h"
#include "base/msg.h"
#include "text/factored.h"

static void joins(const char *line, const char *a, const char *b, const char *want, const char *why)
{
    const char *factor[2] = {a, b};
    struct sk_str out = {0};
    char *found = sk_factored_join(&out, line, factor, b ? 2 : 1);
    if (why) ok(found && strstr(found, why), "'%s': %s", line, found ? found : "no error");
    else ok(!found && !strcmp(out.text, want), "'%s' with factors: '%s'", line, out.text);
    free(found);
    sk_str_free(&out);
}

static void checks(const char *line, int n, const char *why)
{
    char *found = sk_factored_check(line, n);
    ok(why ? found && strstr(found, why) : !found, "'%s', %d factors: %s", line, n, found ? found : "right");
    free(found);
}

static struct sk_vocab *vocab_of(const char *path, const char *text)
{
    struct sk_vocab_counts *c = sk_vocab_counts_new();
    if (sk_file_save(path, text, strlen(text), SK_REPLACE) < 0 || sk_vocab_count_file(c, path, 0, NULL)) exit(sk_die());
    struct sk_vocab *v = sk_vocab_build(c, 0, 1, 0, NULL);
    sk_vocab_counts_free(c);
    return v;
}

static int32_t id(const struct sk_vocab *v, const char *word) { return sk_vocab_id(v, word, strlen(word)); }

static void numbers(const char *folder)
{
    char *path = sk_path_join(folder, "text");
    struct sk_vocab *word = vocab_of(path, "a b a|b c\n"), *factor = vocab_of(path, "x y\n");
    struct sk_factored f = {.word = word, .factor = {factor}, .n = 1};
    const struct { const char *token; int32_t word, factor; } cases[] = {
        {"b|x", id(word, "b"), id(factor, "x")}, {"a|b|y", id(word, "a|b"), id(factor, "y")},
        {"c|z", id(word, "c"), SK_UNK}, {"d|x", SK_UNK, id(factor, "x")}, {"a", SK_UNK, SK_UNK},
        {"</s>|x", SK_UNK, id(factor, "x")}, {"|x", SK_UNK, SK_UNK}, {"a|", SK_UNK, SK_UNK}};
    for (int round = 0; round < 2; round++) {
        sk_factored_start(&f);
        is_int((long long)f.used, SK_SPECIALS, "begins with the special symbols");
        ok(f.rows[2 * SK_EOS] == SK_EOS && f.rows[2 * SK_EOS + 1] == SK_EOS, "which are themselves");
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            int32_t n = sk_factored_add(&f, cases[i].token, strlen(cases[i].token));
            ok(n == (int32_t)(SK_SPECIALS + i) && f.rows[2 * n] == cases[i].word && f.rows[2 * n + 1] == cases[i].factor,
               "%s", cases[i].token);
        }
    }
    for (int i = 0; i < 5000; i++) sk_factored_add(&f, "b|x", 3);
    ok(f.used == SK_SPECIALS + 8 + 5000 && f.rows[2 * 5000] == id(word, "b"), "room for many");
    free(f.rows);
    sk_vocab_free(word);
    sk_vocab_free(factor);
    free(path);
}

int main(void)
{
    sk_msg_program("factored_test");
    sk_quiet(1);
    joins("a b", "x y", NULL, "a|x b|y", NULL);
    joins(" a|b  c ", "x\ty", " 1 2", "a|b|x|1 c|y|2", NULL);
    joins("", "", "", "", NULL);
    joins("a b c", "x y", NULL, NULL, "3 words, but 2 of factor 1");
    joins("a", "x", "1 2", NULL, "1 words, but 2 of factor 2");
    joins("a", "x|y", NULL, NULL, "has a bar");
    checks("a|x b|y", 1, NULL);
    checks("a|b|x c|d|y", 1, NULL);
    checks("a|x|1 b|y", 2, "word 2, 'b|y'");
    checks("a", 1, "word 1, 'a'");
    checks("|x", 1, "word 1");
    checks("a|", 1, "word 1");
    checks("", 3, NULL);
    numbers(temp_folder());
    return done_testing();
}
