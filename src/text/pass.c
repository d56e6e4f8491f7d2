#include "text/pass.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/msg.h"

/* Rounds: one being read, one worked on, one gathered. */
enum { ROUNDS = 3, MOST_BLOCKS = 32 };
static const double live_seconds = 0.2, line_seconds = 10;

struct failure { char *message; enum sk_exit code; };

struct run {
    struct sk_pass *p;
    struct sk_blocks *in[2];
    struct sk_block *block[ROUNDS][2];
    struct sk_round round[ROUNDS];
    int blocks;                      /* of a round and a file, at most */
    int end[2], skip[2];             /* the file was read to its end; it waits for the other one */
    struct failure read_failed[2], *gather_failed;   /* (1 + parts) */
    uint64_t lines[2];               /* worked on */
    /* jobs of one call of the pool */
    int read, work, gather;          /* which round, -1: none */
    double began, shown, said;
};

/* Messages are kept for each thread: they travel to the caller's. */
static void keep_failure(struct failure *f)
{
    if (f->message) return;
    f->message = sk_xstrdup(sk_fail_message());
    f->code = sk_fail_code();
}

static void read_round(struct run *r, int file)
{
    struct sk_round *round = &r->round[r->read];
    round->n[file] = 0;
    while (!r->skip[file] && !r->end[file] && round->n[file] < r->blocks) {
        struct sk_block *b = &round->block[file][round->n[file]];
        int got = sk_blocks_read(r->in[file], b);
        b->file = file;
        if (got < 0) keep_failure(&r->read_failed[file]);
        if (got <= 0) r->end[file] = 1;
        else round->n[file]++;
    }
    round->last[file] = r->end[file] && !r->read_failed[file].message;
}

static void work_block(struct run *r, int i)
{
    struct sk_round *round = &r->round[r->work];
    struct sk_block *b = i < round->n[0] ? &round->block[0][i] : &round->block[1][i - round->n[0]];
    sk_block_clean(b);
    r->p->work(r->p->ctx, b);
}

static int take_round(struct run *r)
{
    const struct sk_round *round = &r->round[r->gather];
    for (int f = 0; f < r->p->files; f++)
        for (int i = 0; i < round->n[f]; i++)
            if (sk_blocks_take(r->in[f], &round->block[f][i])) return -1;
    return 0;
}

/* Parts of the job: reading the files, what is gathered, then the blocks. */
static void job(void *ctx, int part, int thread)
{
    struct run *r = ctx;
    (void)thread;
    if (r->read >= 0) {
        if (part < r->p->files) {
            read_round(r, part);
            return;
        }
        part -= r->p->files;
    }
    if (r->gather >= 0) {
        if (part <= r->p->parts) {
            int failed = part ? r->p->gather(r->p->ctx, part - 1, &r->round[r->gather]) : take_round(r);
            if (failed) keep_failure(&r->gather_failed[part]);
            return;
        }
        part -= 1 + r->p->parts;
    }
    work_block(r, part);
}

static int raise_failure(const struct failure *f) { return sk_fail(f->code, "%s", f->message); }

static int progress(struct run *r)
{
    double t = sk_now();
    int live = sk_live_wanted();
    if (r->p->stop && r->p->stop()) return sk_fail(SK_EXIT_TEMP, "stopped by a signal while %s", r->p->doing);
    uint64_t done = 0, total = 0, lines = r->lines[0];
    if (!lines || (live ? t - r->shown < live_seconds : t - r->said < line_seconds)) return 0;
    int known = 1;
    for (int f = 0; f < r->p->files; f++) {
        uint64_t d, all;
        sk_blocks_progress(r->in[f], &d, &all);
        done += d;
        total += all;
        known &= all > 0;
    }
    char share[32] = "";
    if (known) snprintf(share, sizeof share, "%.0f%%, ", 100.0 * (double)done / (double)total);
    (live ? sk_live : sk_info)("%s: %s%llu lines, %.0f lines/s (%s)", r->p->doing, share, (unsigned long long)lines,
                               (double)lines / (t - r->began), sk_blocks_path(r->in[0]));
    r->shown = r->said = t;
    return 0;
}

/* One step: the three stages move on by a round. 1: there is more to do, 0: no, -1. */
static int step(struct run *r, int n)
{
    struct sk_pass *p = r->p;
    int slot = n % ROUNDS, reading = 0, parts = 0, left = 0;
    for (int f = 0; f < p->files; f++) reading |= !r->end[f];
    r->read = reading ? slot : -1;
    r->work = n >= 1 && r->round[(n + 2) % ROUNDS].block[0] ? (n + 2) % ROUNDS : -1;
    r->gather = n >= 2 && r->round[(n + 1) % ROUNDS].block[0] ? (n + 1) % ROUNDS : -1;
    if (reading) {
        for (int f = 0; f < 2; f++) r->round[slot].block[f] = r->block[slot][f];
        parts += p->files;
    }
    if (r->gather >= 0) parts += 1 + p->parts;
    if (r->work >= 0) {
        struct sk_round *round = &r->round[r->work];
        parts += round->n[0] + round->n[1];
        for (int f = 0; f < 2; f++) round->line[f] = r->lines[f];
    }
    if (p->pool) sk_pool_run(p->pool, parts, job, r);
    else for (int i = 0; i < parts; i++) job(r, i, 0);

    uint64_t here[2] = {0, 0};
    if (r->work >= 0)
        for (int f = 0; f < 2; f++)
            for (int i = 0; i < r->round[r->work].n[f]; i++) here[f] += r->round[r->work].block[f][i].lines;
    for (int f = 0; f < 2; f++) r->lines[f] += here[f];
    /* What was read before a failure is still gathered: something there may be wrong as well. */
    if (r->read_failed[0].message || r->read_failed[1].message) r->end[0] = r->end[1] = 1;
    for (int f = 0; f < 2; f++)
        r->skip[f] = p->files == 2 && !r->end[1 - f] && r->lines[f] > r->lines[1 - f] + here[f];
    if (r->gather >= 0) {
        for (int i = 0; i <= p->parts; i++)
            if (r->gather_failed[i].message) return raise_failure(&r->gather_failed[i]);
        r->round[r->gather].block[0] = NULL;
    }
    for (int i = 0; i < ROUNDS; i++) left |= r->round[i].block[0] != NULL;
    return progress(r) ? -1 : left;
}

static int drain(struct run *r)
{
    int more = 1;
    for (int n = 0; more > 0; n++) more = step(r, n);
    for (int f = 0; f < r->p->files && !more; f++)
        if (r->read_failed[f].message) more = raise_failure(&r->read_failed[f]);
    return more;
}

int sk_pass_run(struct sk_pass *p)
{
    struct run r = {.p = p, .began = sk_now()};
    int result = 0, threads = p->pool ? sk_pool_threads(p->pool) : 1;
    r.shown = r.said = r.began;
    r.blocks = threads * 8 < MOST_BLOCKS ? threads * 8 : MOST_BLOCKS;
    r.gather_failed = sk_xcalloc((size_t)p->parts + 1, sizeof *r.gather_failed);
    for (int i = 0; i < ROUNDS; i++)
        for (int f = 0; f < 2; f++) r.block[i][f] = sk_xcalloc((size_t)r.blocks, sizeof *r.block[i][f]);
    for (int f = 0; f < p->files && !result; f++)
        if (!(r.in[f] = sk_blocks_open(p->path[f], p->lines_flags, p->hash))) result = -1;
    if (!result) result = drain(&r);
    for (int f = 0; f < p->files; f++) {
        if (!result) p->lines[f] = sk_blocks_lines(r.in[f]);
        if (!result && p->hash) sk_blocks_hashes(r.in[f], p->file[f], p->content[f]);
        sk_blocks_close(r.in[f]);
        free(r.read_failed[f].message);
    }
    for (int i = 0; i <= p->parts; i++) free(r.gather_failed[i].message);
    free(r.gather_failed);
    for (int i = 0; i < ROUNDS; i++)
        for (int f = 0; f < 2; f++) {
            for (int k = 0; k < r.blocks; k++) {
                if (r.block[i][f][k].own) p->release(r.block[i][f][k].own);
                free(r.block[i][f][k].text);
            }
            free(r.block[i][f]);
        }
    return result;
}
