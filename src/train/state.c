#include "train/state.h"

#include <gnu/libc-version.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "base/opt.h"

enum { STATE_FORMAT = 3 };

static const char *instruction_set(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return "x86-64-v4";
    return __builtin_cpu_supports("avx2") ? "x86-64-v3" : "x86-64";
#else
    return "other";
#endif
}

void sk_train_state_free(struct sk_train_state *s)
{
    sk_metrics_free(&s->metrics);
    memset(s, 0, sizeof *s);
}

/* --- writing ------------------------------------------------------------ */

static void put_double(json_t *o, const char *key, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%.17g", value);
    json_object_set_new(o, key, json_string(text));
}

static void put_int(json_t *o, const char *key, int64_t value)
{
    json_object_set_new(o, key, json_integer(value));
}

static void put_text(json_t *o, const char *key, const char *value)
{
    json_object_set_new(o, key, json_string(value));
}

static json_t *decided_json(const struct sk_decided *d)
{
    json_t *o = json_object();
    put_int(o, "checkpoint", d->checkpoint);
    put_int(o, "updates", d->updates);
    put_int(o, "lowered", d->lowered);
    put_double(o, "rate", d->schedule.rate);
    put_int(o, "rate_not_improved", d->schedule.not_improved);
    put_double(o, "best", d->stopping.best);
    put_int(o, "best_checkpoint", d->stopping.best_checkpoint);
    put_int(o, "not_improved", d->stopping.not_improved);
    put_int(o, "diverged", d->stopping.diverged);
    put_double(o, "nll", d->nll);
    put_int(o, "correct", d->correct);
    put_int(o, "labels", d->labels);
    return o;
}

char *sk_train_state_text(const struct sk_train_state *s)
{
    json_t *o = json_object();
    put_int(o, "format", STATE_FORMAT);
    put_text(o, "version", SK_VERSION);
    put_text(o, "isa", instruction_set());
    put_text(o, "libc", gnu_get_libc_version());
    put_int(o, "updates", s->updates);
    put_int(o, "samples", s->samples);
    put_int(o, "epoch", s->epoch);
    put_int(o, "position", s->position);
    put_int(o, "steps", s->steps);
    put_double(o, "seconds", s->seconds);
    put_double(o, "gradient_norm", s->gradient_norm);
    put_double(o, "learning_rate", s->learning_rate);
    put_int(o, "withdraws", s->withdraws);
    put_text(o, "corpus", s->corpus);
    put_text(o, "validation", s->validation);
    put_text(o, "params", s->params);
    json_object_set_new(o, "now", decided_json(&s->now));
    if (s->has_before)
        json_object_set_new(o, "before", decided_json(&s->before));
    char *metrics = sk_metrics_text(&s->metrics);
    put_text(o, "metrics", metrics);
    free(metrics);
    char *text = json_dumps(o, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(o);
    if (!text)
        SK_BUG("the state cannot be written as JSON");
    return text;
}

/* --- reading: the first error is kept, later reads do nothing ------------ */

struct reader { const char *where; int failed; };

static void bad(struct reader *r, const char *key, const char *what)
{
    if (!r->failed)
        sk_fail(SK_EXIT_DATA, "%s: \"%s\" %s", r->where, key, what);
    r->failed = 1;
}

static int64_t get_int(struct reader *r, const json_t *o, const char *key, int64_t low, int64_t high)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v)) {
        bad(r, key, "is missing or no whole number");
        return low;
    }
    json_int_t value = json_integer_value(v);
    if (value < low || value > high) {
        bad(r, key, "is out of range");
        return low;
    }
    return value;
}

static double get_double(struct reader *r, const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    char *end = NULL;
    double value = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end)
        bad(r, key, "is missing or no number");
    return value;
}

static const char *get_text(struct reader *r, const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    if (!text)
        bad(r, key, "is missing or no text");
    return text ? text : "";
}

static void get_hash(struct reader *r, const json_t *o, const char *key, char out[SK_HASH_HEX])
{
    const char *text = get_text(r, o, key);
    if (strlen(text) != SK_HASH_HEX - 1)
        bad(r, key, "is no checksum");
    snprintf(out, SK_HASH_HEX, "%.32s", text);
}

static struct sk_decided get_decided(struct reader *r, const json_t *o)
{
    const int64_t many = 2147483647, very_many = (int64_t)1 << 53;
    struct sk_decided d;
    d.checkpoint = (int)get_int(r, o, "checkpoint", 0, many);
    d.updates = get_int(r, o, "updates", 0, UINT32_MAX);
    d.lowered = (int)get_int(r, o, "lowered", 0, 1);
    d.schedule.rate = get_double(r, o, "rate");
    d.schedule.not_improved = (int)get_int(r, o, "rate_not_improved", 0, many);
    d.stopping.best = get_double(r, o, "best");
    d.stopping.best_checkpoint = (int)get_int(r, o, "best_checkpoint", 0, d.checkpoint);
    d.stopping.not_improved = (int)get_int(r, o, "not_improved", 0, many);
    d.stopping.diverged = (int)get_int(r, o, "diverged", 0, 1);
    d.nll = get_double(r, o, "nll");
    d.correct = get_int(r, o, "correct", 0, very_many);
    d.labels = get_int(r, o, "labels", 0, very_many);
    return d;
}

static void warn_if_other(struct reader *r, const json_t *o, const char *key, const char *here, const char *what)
{
    const char *there = get_text(r, o, key);
    if (!r->failed && strcmp(there, here) != 0)
        sk_warn("%s was made with %s %s, this is %s: results may differ in the last bits from an uninterrupted run",
                r->where, what, there, here);
}

int sk_train_state_parse(struct sk_train_state *s, const char *text, const char *where)
{
    const int64_t very_many = (int64_t)1 << 53;
    struct reader r = {.where = where};
    memset(s, 0, sizeof *s);
    json_error_t error;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(o)) {
        json_decref(o);
        return sk_fail(SK_EXIT_DATA, "%s: the training state is no JSON object", where);
    }
    int64_t format = get_int(&r, o, "format", 0, 1000000);
    if (!r.failed && format != STATE_FORMAT) {
        json_decref(o);
        sk_fail(SK_EXIT_DATA, "%s was written by another version of sk (its format is %d, this one reads %d): go on "
                "with that version, or give another --output, or --overwrite-output to begin anew", where, (int)format,
                STATE_FORMAT);
        return -2;
    }
    s->updates = get_int(&r, o, "updates", 0, UINT32_MAX);
    s->samples = get_int(&r, o, "samples", 0, very_many);
    s->epoch = get_int(&r, o, "epoch", 0, very_many);
    s->position = get_int(&r, o, "position", 0, very_many);
    s->steps = get_int(&r, o, "steps", 0, UINT32_MAX);
    s->seconds = get_double(&r, o, "seconds");
    s->gradient_norm = get_double(&r, o, "gradient_norm");
    s->learning_rate = get_double(&r, o, "learning_rate");
    s->withdraws = (int)get_int(&r, o, "withdraws", 0, 2147483647);
    get_hash(&r, o, "corpus", s->corpus);
    get_hash(&r, o, "validation", s->validation);
    get_hash(&r, o, "params", s->params);
    s->now = get_decided(&r, json_object_get(o, "now"));
    s->has_before = json_object_get(o, "before") != NULL;
    if (s->has_before)
        s->before = get_decided(&r, json_object_get(o, "before"));
    if (s->now.updates > s->updates || s->steps > s->updates ||
        (s->has_before && s->before.checkpoint != s->now.checkpoint - 1))
        bad(&r, "now", "does not agree with the rest");
    warn_if_other(&r, o, "version", SK_VERSION, "version");
    warn_if_other(&r, o, "isa", instruction_set(), "instruction set");
    warn_if_other(&r, o, "libc", gnu_get_libc_version(), "C library");
    if (!r.failed && sk_metrics_parse(&s->metrics, get_text(&r, o, "metrics"), where) < 0)
        r.failed = 1;
    json_decref(o);
    if (!r.failed)
        return 0;
    sk_train_state_free(s);
    return -1;
}
