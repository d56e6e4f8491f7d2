#include "text/survey.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "text/corpus_format.h"
#include "text/count.h"
#include "text/pass.h"
#include "text/queue.h"
#include "text/scan.h"

/* What one block has. */
struct own {
    struct sk_dealt *dealt;
    struct sk_queue words;           /* of each line, uint32_t */
};

struct survey {
    struct sk_survey *s;
    const struct sk_corpus_options *o;
    struct sk_vocab_counts *counts[2];
    struct sk_queue words[2];        /* of lines whose partners have not come yet */
};

static void work(void *ctx, struct sk_block *b)
{
    const struct survey *v = ctx;
    struct own *own = b->own;
    struct sk_scan scan;
    uint32_t at, n, words = 0;
    int what;
    if (!own) {
        b->own = own = sk_xcalloc(1, sizeof *own);
        own->dealt = sk_dealt_new();
    }
    struct sk_dealt *dealt = v->counts[b->file] ? own->dealt : NULL;
    sk_queue_clear(&own->words);
    if (dealt) sk_dealt_begin(dealt);
    sk_scan_begin(&scan, b->text, b->n);
    while ((what = sk_scan_next(&scan, &at, &n)) != SK_SCAN_END) {
        if (what == SK_SCAN_LINE) {
            sk_queue_add(&own->words, &words, sizeof words);
            words = 0;
            continue;
        }
        words++;
        if (dealt) sk_dealt_add(dealt, b->text, at, n);
    }
    if (dealt) sk_dealt_end(dealt);
}

static void release(void *own_)
{
    struct own *own = own_;
    sk_dealt_free(own->dealt);
    sk_queue_free(&own->words);
    free(own);
}

static void judge(struct survey *v, const uint32_t words[2])
{
    const int most[2] = {v->o->max_source, v->o->max_target};
    struct sk_survey *s = v->s;
    if (!words[0] || !words[1]) s->blank++;
    else if (words[0] > (uint32_t)most[0] || words[1] > (uint32_t)most[1] || words[0] > SK_CORPUS_LONGEST ||
             words[1] > SK_CORPUS_LONGEST)
        s->too_long++;
    else {
        s->pairs++;
        for (int f = 0; f < 2; f++) {
            s->tokens[f] += words[f] + 1;
            if ((int)words[f] > s->longest[f]) s->longest[f] = (int)words[f];
        }
    }
}

/* Lines of both sides that are there. */
static void match(struct survey *v, const struct sk_round *round)
{
    for (int f = 0; f < 2; f++)
        for (int i = 0; i < round->n[f]; i++) {
            const struct own *own = round->block[f][i].own;
            sk_queue_add(&v->words[f], own->words.bytes, own->words.len);
        }
    while (sk_queue_left(&v->words[0]) && sk_queue_left(&v->words[1])) {
        uint32_t words[2];
        for (int f = 0; f < 2; f++) memcpy(&words[f], sk_queue_take(&v->words[f], sizeof *words), sizeof *words);
        judge(v, words);
    }
    /* Lines without partners are an error, which counts them: nothing need be kept. */
    for (int f = 0; f < 2; f++)
        if (round->last[1 - f]) sk_queue_clear(&v->words[f]);
}

/* Part 0: the lines; then the parts of each side's count. */
static int gather(void *ctx, int part, const struct sk_round *round)
{
    struct survey *v = ctx;
    if (part == 0) {
        match(v, round);
        return 0;
    }
    int side = (part - 1) / SK_COUNT_PARTS, shared = v->counts[0] == v->counts[1];
    part = (part - 1) % SK_COUNT_PARTS;
    if (!v->counts[side] || (side && shared)) return 0;
    for (int f = side; f < (shared ? 2 : side + 1); f++)
        for (int i = 0; i < round->n[f]; i++) {
            const struct own *own = round->block[f][i].own;
            if (sk_vocab_count_part(v->counts[side], part, round->block[f][i].text, own->dealt)) return -1;
        }
    return 0;
}

int sk_survey(struct sk_survey *s, const char *source, const char *target, const struct sk_corpus_options *o,
              struct sk_vocab_counts *const counts[2])
{
    struct survey v = {.s = s, .o = o, .counts = {counts ? counts[0] : NULL, counts ? counts[1] : NULL}};
    struct sk_pass p = {.path = {source, target}, .files = 2, .lines_flags = o->lines_flags, .hash = 1,
                        .doing = counts ? "counting words" : "checking", .pool = o->pool, .stop = o->stop, .ctx = &v,
                        .work = work, .release = release, .parts = 1 + 2 * SK_COUNT_PARTS, .gather = gather};
    *s = (struct sk_survey){0};
    int r = sk_pass_run(&p);
    for (int f = 0; f < 2; f++) sk_queue_free(&v.words[f]);
    if (r) return -1;
    if (p.lines[0] != p.lines[1]) return sk_corpus_fail_lines(source, p.lines[0], target, p.lines[1]);
    s->lines = (int64_t)p.lines[0];
    memcpy(s->file, p.file, sizeof s->file);
    memcpy(s->content, p.content, sizeof s->content);
    return s->pairs ? 0 : sk_corpus_fail_empty(source, target, o, s->lines, s->blank, s->too_long);
}
