/* group_toy.h - what the tests of groups train: a number, which each update makes another one of. An update also
 * sums over leaves, so that a message of another update or generation would be seen. */
#ifndef SK_TESTS_GROUP_TOY_H
#define SK_TESTS_GROUP_TOY_H
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/rng.h"
#include "train/exchange/exchange.h"
#include "train/exchange/group.h"

enum { TOY_SHARDS = 5, TOY_LEAVES = 4, TOY_FLOATS = 64 };

struct toy {
    const char *dir;
    int shard;
    int64_t update, updates, checkpoint;     /* held, to reach, every so many */
    uint64_t value;
    int (*work)(struct toy *t);              /* takes the time of an update: 0, -1 it was ended meanwhile */
    /* What became of it, for who looks on. */
    struct toy_seen { volatile int64_t update; volatile int rounds, members, wrong; } *seen;
};

static uint64_t next_value(uint64_t v)
{
    struct sk_rng r = sk_philox(v, 1, 2, 3, 4);
    return (uint64_t)r.v[0] << 32 | r.v[1];
}

static uint64_t value_at(int64_t update)
{
    uint64_t v = 7;
    while (update-- > 0) v = next_value(v);
    return v;
}

static int load(void *ctx, const char *path)
{
    struct toy *t = ctx;
    size_t n;
    long long update;
    unsigned long long value;
    char *text = sk_file_load(path, 100, &n);
    int good = text && sscanf(text, "%lld %llu", &update, &value) == 2;
    free(text);
    if (!good) return -1;
    t->update = update;
    t->value = value;
    return 0;
}

static int save(void *ctx, const char *path)
{
    struct toy *t = ctx;
    struct sk_str text = {0};
    sk_str_printf(&text, "%lld %llu\n", (long long)t->update, (unsigned long long)t->value);
    int result = sk_file_save(path, text.text, text.len, SK_PUBLISH);
    if (result < 0 && sk_fail_code() == SK_EXIT_TEMP) t->seen->wrong++;      /* another content has that name */
    sk_str_free(&text);
    return result;
}

/* The newest checkpoint, if it is beyond what is held. */
static int keep_up(struct toy *t)
{
    for (int64_t u = t->updates; u > t->update; u -= t->checkpoint) {
        char *name = sk_xprintf("%s/at.%05lld", t->dir, (long long)u);
        int there = sk_file_exists(name);
        if (there > 0) there = load(t, name) ? -1 : 1;
        free(name);
        if (there) return there < 0 ? -1 : 0;
    }
    return 0;
}

static int standing(void *ctx, int64_t *update, char hash[SK_HASH_HEX])
{
    struct toy *t = ctx;
    if (keep_up(t)) return -1;
    *update = t->update;
    sk_hash_bytes(&t->value, sizeof t->value, hash);
    return 0;
}

static int never_stops(void *ctx)
{
    (void)ctx;
    return 0;
}

static float leaf_of(int64_t update, int leaf) { return (float)(update % 1000 * TOY_LEAVES + leaf); }

/* The gradient of one update: 0, -1 somebody is lost. */
static int sum_up(struct toy *t, struct sk_exchange *x, float *sum)
{
    const struct sk_leaf_range *range;
    struct sk_loss loss[SK_RANGES_MAX] = {{0}}, total;
    int n = sk_exchange_ranges(x, &range);
    sk_exchange_begin(x);
    for (int k = 0; k < n; k++) {
        float part = 0;
        for (int l = 0; l < range[k].n; l++) part += leaf_of(t->update, range[k].first + l);
        for (int i = 0; i < TOY_FLOATS; i++) sum[i] = part;
        sk_exchange_ready(x, k, 1);
    }
    if (sk_exchange_sum(x, loss, &total)) return -1;
    float want = 0;
    for (int l = 0; l < TOY_LEAVES; l++) want += leaf_of(t->update, l);
    for (int i = 0; i < TOY_FLOATS; i++) if (sum[i] != want) t->seen->wrong++;
    return 0;
}

/* One generation: 0 trained to the end, 1 it is over, 2 left in good order. */
static int train(struct toy *t, struct sk_group *g, struct sk_channel *c, struct sk_device *dev)
{
    struct word { int64_t update; uint64_t value; int regroup; } mine, all[TOY_SHARDS];
    const struct sk_members *m = sk_group_members(g);
    float sum[TOY_FLOATS] = {0};
    struct sk_model_region region = {sum, TOY_FLOATS};
    struct sk_exchange *x = sk_exchange_new(&(struct sk_exchange_options){
        &sk_ops_cpu, dev, c, TOY_LEAVES, m->n, sk_group_me(g), m->secret, sk_group_watch, g, &region, 1});
    int result = -1, leads = sk_group_leader(g) == sk_group_me(g);
    t->seen->members = m->n;
    while (result < 0) {
        mine = (struct word){t->update, t->value, leads && (sk_group_waited_for(g) || sk_group_over(g))};
        if (sk_exchange_gather(x, &mine, sizeof mine, all)) {
            result = 1;
            break;
        }
        for (int i = 0; i < m->n; i++)
            if (all[i].update != t->update || all[i].value != t->value) t->seen->wrong++;
        if (t->update >= t->updates) result = 0;
        else if (all[sk_group_leader(g)].regroup) result = 2;
        else {
            if (t->work(t) || sum_up(t, x, sum)) {
                result = 1;
                break;
            }
            t->value = next_value(t->value);
            t->update++;
            t->seen->update = t->update;
            t->seen->rounds++;
            if (t->update % t->checkpoint == 0 && leads) {
                char *name = sk_xprintf("%s/at.%05lld", t->dir, (long long)t->update);
                if (save(t, name) < 0) result = 1;
                free(name);
            }
        }
    }
    sk_exchange_free(x);
    sk_channel_close(c, result != 1);
    return result;
}

/* A shard from beginning to end: 0, or an exit code. */
static int toy_main(struct toy *t, const struct sk_group_options *o)
{
    const char *why;
    int result = 1;
    struct sk_group *g = sk_group_open(o);
    if (!g) return sk_fail_code();
    struct sk_device *dev = sk_ops_cpu.open(1, &why);
    if (sk_group_enter(g) < 0 || keep_up(t)) result = -1;
    while (result > 0) {
        struct sk_channel *c;
        result = sk_group_form(g, &c) ? -1 : train(t, g, c, dev);
    }
    if (result == 0 && t->value != value_at(t->updates)) t->seen->wrong++;
    int code = result < 0 ? sk_fail_code() : 0;
    sk_ops_cpu.close(dev);
    sk_group_close(g);
    return code;
}
#endif
