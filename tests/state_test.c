/* state_test.c - the trainer's state survives its text bit for bit; damaged
 * text is refused. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/msg.h"
#include "tap.h"
#include "train/state.h"

static uint64_t bits(double x)
{
    uint64_t b;
    memcpy(&b, &x, sizeof b);
    return b;
}

static struct sk_train_state example(void)
{
    struct sk_train_state s = {
        .updates = 4000000000LL, .samples = 1LL << 40, .epoch = 7, .position = 123456789012LL,
        .steps = 3999999998LL, .seconds = 0.1 + 0.2,
        .gradient_norm = 1.0 / 3, .learning_rate = 5e-324, .has_before = 1, .withdraws = 3,
        .now = {.checkpoint = 3, .lowered = 1, .updates = 3999999999LL, .schedule = {1e-300, 2},
                .stopping = {INFINITY, 0, 5, 1}, .nll = -0.0, .correct = 12, .labels = 34},
        .before = {.checkpoint = 2, .updates = 1, .schedule = {0.7 * 0.1, 0}, .stopping = {22.000000000000004, 2, 1, 0}}};
    memset(s.corpus, 'a', SK_HASH_HEX - 1);
    memset(s.validation, 'b', SK_HASH_HEX - 1);
    memset(s.params, 'c', SK_HASH_HEX - 1);
    sk_metrics_set_number(&s.metrics, 1, "perplexity-val", 1.0 / 7);
    sk_metrics_set(&s.metrics, 3, "converged", "False");
    return s;
}

static int same_decided(const struct sk_decided *a, const struct sk_decided *b)
{
    return a->checkpoint == b->checkpoint && a->lowered == b->lowered && a->updates == b->updates &&
        bits(a->schedule.rate) == bits(b->schedule.rate) && a->schedule.not_improved == b->schedule.not_improved &&
        bits(a->stopping.best) == bits(b->stopping.best) && a->stopping.best_checkpoint == b->stopping.best_checkpoint &&
        a->stopping.not_improved == b->stopping.not_improved && a->stopping.diverged == b->stopping.diverged &&
        bits(a->nll) == bits(b->nll) && a->correct == b->correct && a->labels == b->labels;
}

static void round_trip(void)
{
    struct sk_train_state a = example(), b;
    char *text = sk_train_state_text(&a);
    is_int(sk_train_state_parse(&b, text, "text"), 0, "the text reads back");
    ok(a.updates == b.updates && a.samples == b.samples && a.epoch == b.epoch && a.position == b.position && a.steps == b.steps &&
       a.has_before == b.has_before && a.withdraws == b.withdraws, "whole numbers");
    ok(bits(a.seconds) == bits(b.seconds) && bits(a.gradient_norm) == bits(b.gradient_norm) &&
       bits(a.learning_rate) == bits(b.learning_rate), "doubles, the smallest one too");
    ok(same_decided(&a.now, &b.now), "what was decided, with infinity and -0");
    ok(same_decided(&a.before, &b.before), "what was decided before");
    ok(!strcmp(a.corpus, b.corpus) && !strcmp(a.validation, b.validation) && !strcmp(a.params, b.params), "checksums");
    char *ma = sk_metrics_text(&a.metrics), *mb = sk_metrics_text(&b.metrics), *again = sk_train_state_text(&b);
    is_str(mb, ma, "the metrics table");
    is_str(again, text, "the same text again");
    free(ma);
    free(mb);
    free(again);
    free(text);
    sk_train_state_free(&a);
    sk_train_state_free(&b);
}

static void refuse_as(int other, const char *from, const char *to, const char *what)
{
    struct sk_train_state a = example(), b;
    char *text = sk_train_state_text(&a), *at = strstr(text, from), *bad = malloc(strlen(text) + strlen(to) + 1);
    ok(at != NULL, "%s: found", what);
    if (at) {
        size_t n = (size_t)(at - text);
        memcpy(bad, text, n);
        strcpy(bad + n, to);
        strcat(bad, at + strlen(from));
        is_int(sk_train_state_parse(&b, bad, "state.00003"), other ? -2 : -1, "%s: refused", what);
        is_int(sk_fail_code(), SK_EXIT_DATA, "%s: as bad content", what);
        ok(strstr(sk_fail_message(), "state.00003") != NULL, "%s: the file is named", what);
    }
    free(bad);
    free(text);
    sk_train_state_free(&a);
}

static void refuse(const char *from, const char *to, const char *what)
{
    refuse_as(0, from, to, what);
}

int main(void)
{
    sk_msg_program("state_test");
    round_trip();
    refuse("\"epoch\":7", "\"epoch\":-7", "negative epoch");
    refuse("\"epoch\":7", "\"epoch\":7.5", "fractional epoch");
    refuse("\"epoch\":7,", "", "missing epoch");
    refuse_as(1, "\"format\":3", "\"format\":4", "later format");
    refuse_as(1, "\"format\":3", "\"format\":2", "earlier format");
    refuse("\"seconds\":\"", "\"seconds\":\"x", "no number");
    refuse("aaaa", "aaa", "short checksum");
    refuse("\"before\":{", "\"before\":{\"zz\":1},\"other\":{", "empty decision");
    refuse("}", "", "torn JSON");
    refuse("perplexity-val=", "perplexity-val", "torn metrics");
    return done_testing();
}
