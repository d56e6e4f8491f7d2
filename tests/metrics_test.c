/* metrics_test.c - numbers and lines of the metrics table. */
#include "modeldir/metrics.h"
#include <stdint.h>
#include "base/msg.h"
#include "tap.h"

static void numbers(void)
{
    static const struct { double value; const char *text; } cases[] = {
        {0, "0"}, {10, "10"}, {100, "100"}, {120, "120"}, {-30, "-30"}, {1e15, "1000000000000000"}, {1e16, "1e+16"},
        {0.1, "0.1"}, {0.0001, "0.0001"}, {0.00012, "0.00012"}, {1e-5, "1e-05"}, {2.5e-7, "2.5e-07"},
        {1.0 / 3, "0.3333333333333333"}, {123.456, "123.456"}, {215.51696872922244, "215.51696872922244"},
        {1.7976931348623157e308, "1.7976931348623157e+308"}, {5e-324, "5e-324"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}};
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sk_metrics_number(cases[i].value, text);
        is_str(text, cases[i].text, "%s", cases[i].text);
    }
    sk_metrics_number(NAN, text);
    is_str(text, "nan", "no number");
    uint64_t bits = 1;
    int wrong = 0;
    for (int i = 0; i < 20000; i++) {
        double value;
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&value, &bits, sizeof value);
        if (i % 2) value = (double)(bits >> 40) / 1000;
        sk_metrics_number(value, text);
        wrong += isfinite(value) && strtod(text, NULL) != value;
    }
    is_int(wrong, 0, "20000 numbers read back as they were");
}

static void lines(void)
{
    struct sk_metrics t = {0}, again = {0};
    double value = 0;
    sk_metrics_set_number(&t, 2, "perplexity-val", 8.5);
    sk_metrics_set_number(&t, 1, "perplexity-val", 9);
    sk_metrics_set_number(&t, 2, "epoch", 10);
    sk_metrics_set(&t, 2, "converged", "False");
    char *text = sk_metrics_text(&t);
    is_str(text, "1\tperplexity-val=9\n2\tconverged=False\tepoch=10\tperplexity-val=8.5\n", "lines and names are in order");
    ok(sk_metrics_parse(&again, text, "text") == 0 && again.n == 2, "they are read");
    ok(sk_metrics_get(&again, 2, "perplexity-val", &value) && value == 8.5, "with their values");
    ok(!sk_metrics_get(&again, 1, "epoch", &value), "what a line has not is not there");
    sk_metrics_free(&again);
    free(text);
    static const char *const bad[] = {"x\ta=1\n", "1 a=1\n", "0\ta=1\n", "1\ta\n", "99999999999\ta=1\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *copy = strdup(bad[i]);
        struct sk_metrics none = {0};
        ok(sk_metrics_parse(&none, copy, "F") == -1 && sk_fail_code() == SK_EXIT_DATA && strstr(sk_fail_message(), "F:1"),
           "bad line %zu is refused", i);
        sk_metrics_free(&none);
        free(copy);
    }
    sk_metrics_free(&t);
}

int main(void)
{
    numbers();
    lines();
    return done_testing();
}
