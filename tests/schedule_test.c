/* schedule_test.c - learning rates against the series that Sockeye 1.18 gives
 * (data/lr_schedulers.json), and Sockeye 3's inv-sqrt-decay. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tap.h"
#include "train/schedule.h"

static int near(double a, double b) { return fabs(a - b) <= 1e-12 * fmax(fabs(a), fabs(b)); }

static double number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

static struct sk_schedule schedule_of(const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    struct sk_schedule s = {
        .rate = number(o, "base_lr"), .warmup = (int64_t)number(o, "warmup"), .factor = number(o, "reduce_factor"),
        .patience = (int)number(o, "reduce_num_not_improved"), .half_life = number(o, "half_life"),
        .interval = (int64_t)number(o, "checkpoint_interval")};
    s.type = !strcmp(type, "plateau-reduce") ? SK_RATE_PLATEAU :
        !strcmp(type, "fixed-rate-inv-t") ? SK_RATE_INV_T : SK_RATE_INV_SQRT_T;
    return s;
}

static void check_trace(const struct sk_schedule *s, struct sk_schedule_state *state, const json_t *trace)
{
    size_t i;
    const json_t *step;
    json_array_foreach(trace, i, step) {
        int64_t updates = (int64_t)number(step, "checkpoint") * s->interval;
        int reduced = sk_schedule_checkpoint(s, state, updates, json_is_true(json_object_get(step, "improved")));
        is_int(reduced, json_is_true(json_object_get(step, "reduced")), "checkpoint %zu: reduced or not", i + 1);
        double rate = sk_schedule_rate(s, state, updates + 1);
        ok(near(rate, number(step, "lr_next")), "checkpoint %zu: next rate %g", i + 1, rate);
    }
}

static void golden(void)
{
    json_error_t error;
    json_t *all = json_load_file("tests/data/lr_schedulers.json", 0, &error);
    ok(json_array_size(all) == 5, "the golden series are there");
    size_t i, k;
    const json_t *o, *pair;
    json_array_foreach(all, i, o) {
        struct sk_schedule s = schedule_of(o);
        struct sk_schedule_state state;
        sk_schedule_start(&s, &state);
        int wrong = 0;
        json_array_foreach(json_object_get(o, "lr_at_t"), k, pair) {
            int64_t t = json_integer_value(json_array_get(pair, 0));
            double want = json_number_value(json_array_get(pair, 1)), got = sk_schedule_rate(&s, &state, t);
            wrong += !near(got, want);
        }
        ok(k > 0 && !wrong, "series %zu: %zu rates, %d wrong", i, k, wrong);
        if (json_object_get(o, "trace")) check_trace(&s, &state, json_object_get(o, "trace"));
    }
    json_decref(all);
}

int main(void)
{
    golden();

    struct sk_schedule s = {.type = SK_RATE_INV_SQRT_DECAY, .rate = 2, .warmup = 400, .interval = 100};
    struct sk_schedule_state state;
    sk_schedule_start(&s, &state);
    ok(near(sk_schedule_rate(&s, &state, 1), 2.0 / 400 / 20), "inv-sqrt-decay: first update");
    ok(near(sk_schedule_rate(&s, &state, 400), 0.1), "inv-sqrt-decay: end of the warm-up");
    ok(near(sk_schedule_rate(&s, &state, 1600), 0.05), "inv-sqrt-decay: half after four times as many");
    s.warmup = 0;
    ok(near(sk_schedule_rate(&s, &state, 1), 2), "inv-sqrt-decay without warm-up starts at the rate");
    ok(near(sk_schedule_rate(&s, &state, 4), 1), "inv-sqrt-decay without warm-up");

    s = (struct sk_schedule){.type = SK_RATE_CONSTANT, .rate = 0.5, .warmup = 10, .interval = 1};
    sk_schedule_start(&s, &state);
    ok(sk_schedule_rate(&s, &state, 1) == 0.5, "constant: no warm-up");
    is_int(sk_schedule_checkpoint(&s, &state, 1, 0), 0, "constant: never reduced");

    s = (struct sk_schedule){.type = SK_RATE_STEPS, .rate = 9, .warmup = 50, .interval = 10};
    is_int(sk_schedule_read_steps(&s, "0.5:20,0.25:10,1e-3:30"), 0, "fixed-step: the list is read");
    sk_schedule_start(&s, &state);
    ok(sk_schedule_rate(&s, &state, 1) == 0.5 && sk_schedule_rate(&s, &state, 20) == 0.5, "fixed-step: the first rate");
    ok(sk_schedule_rate(&s, &state, 21) == 0.25 && sk_schedule_rate(&s, &state, 30) == 0.25,
       "fixed-step: the second from the next update on");
    ok(sk_schedule_rate(&s, &state, 31) == 1e-3 && sk_schedule_rate(&s, &state, 60) == 1e-3, "fixed-step: the third");
    is_int(s.step[2].until, 60, "fixed-step: where it ends");
    is_int(sk_schedule_checkpoint(&s, &state, 10, 0), 0, "fixed-step: no checkpoint lowers the rate");
    static const char *const bad[] = {"", "0.5", "0.5:20,", "0.5:15", "0.5:0", "x:20", "0.5:-20", "0.5:20:10", " 0.5:20",
                                      "nan:20", "-1:20", "0.5:5000000000"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        free(s.step);
        is_int(sk_schedule_read_steps(&s, bad[i]), -1, "fixed-step: '%s' is refused", bad[i]);
    }
    free(s.step);

    s = (struct sk_schedule){.type = SK_RATE_PLATEAU, .rate = 1, .warmup = 100, .factor = 0.5, .patience = 1,
                             .interval = 10};
    sk_schedule_start(&s, &state);
    is_int(sk_schedule_checkpoint(&s, &state, 90, 0), 0, "plateau-reduce: not during the warm-up");
    is_int(sk_schedule_checkpoint(&s, &state, 100, 0), 1, "plateau-reduce: at its end");
    ok(near(sk_schedule_rate(&s, &state, 101), 0.5), "plateau-reduce: half the rate");
    return done_testing();
}
