/* count.c - words are counted. */
#include "text/count.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/msg.h"
#include "text/pass.h"
#include "text/scan.h"

struct sk_vocab_counts *sk_vocab_counts_new(void)
{
    struct sk_vocab_counts *c = sk_xcalloc(1, sizeof *c);
    c->most_bytes = 2 << 20;
    return c;
}

void sk_count_free(struct sk_count_part *p)
{
    sk_words_free(&p->words);
    if (p->spilled) fclose(p->spilled);
    p->spilled = NULL;
}

void sk_vocab_counts_free(struct sk_vocab_counts *c)
{
    for (int i = 0; c && i < SK_COUNT_PARTS; i++) sk_count_free(&c->part[i]);
    free(c);
}

/* --- tables that are too large ------------------------------------------------ */

static const char *temp_dir(void)
{
    const char *dir = getenv("TMPDIR");
    return dir && *dir ? dir : "/tmp";
}

static int fail_spill(const char *what)
{
    return sk_fail_errno("cannot %s a temporary file in %s (TMPDIR says where)", what, temp_dir());
}

/* A file without a name: it goes when the process does. */
static FILE *open_spill(void)
{
    int fd = open(temp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        char *name = sk_xprintf("%s/sk-words.XXXXXX", temp_dir());
        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0) unlink(name);
        free(name);
    }
    FILE *f = fd >= 0 ? fdopen(fd, "w+") : NULL;
    if (!f && fd >= 0) close(fd);
    return f;
}

static int spill(struct sk_count_part *p)
{
    if (!p->spilled && !(p->spilled = open_spill())) return fail_spill("make");
    for (uint32_t i = 0; i < p->words.n; i++) {
        const struct sk_word *w = &p->words.w[i];
        if (fwrite(&w->value, sizeof w->value, 1, p->spilled) != 1 ||
            fwrite(&w->length, sizeof w->length, 1, p->spilled) != 1 ||
            fwrite(w->text, 1, w->length, p->spilled) != w->length)
            return fail_spill("write");
    }
    sk_words_free(&p->words);
    return 0;
}

int sk_count_load(struct sk_count_part *p)
{
    char *text = NULL;
    size_t cap = 0;
    int64_t count;
    uint32_t n;
    int result = 0;
    if (!p->spilled) return 0;
    if (fflush(p->spilled) || fseek(p->spilled, 0, SEEK_SET)) return fail_spill("write");
    while (!result && fread(&count, sizeof count, 1, p->spilled) == 1) {
        if (fread(&n, sizeof n, 1, p->spilled) != 1) {
            result = fail_spill("read");
            break;
        }
        if (n > cap) {
            cap = 2 * (size_t)n;
            text = sk_xrealloc(text, cap, 1);
        }
        if (fread(text, 1, n, p->spilled) != n) result = fail_spill("read");
        else sk_words_put(&p->words, text, n)->value += count;
    }
    if (!result && ferror(p->spilled)) result = fail_spill("read");
    free(text);
    fclose(p->spilled);
    p->spilled = NULL;
    return result;
}

/* --- dealing and counting ---------------------------------------------------------- */

struct dealt_word { uint64_t head; uint32_t at, n, hash, count; };
enum { RECENT = 1024 };
struct sk_dealt {
    /* Words seen lately, by hash, with their count since they came: frequent
     * ones are counted here, without leaving the innermost cache. */
    struct dealt_word recent[RECENT];
    struct { struct dealt_word *word; uint32_t n, cap; } list[SK_COUNT_PARTS];
};

struct sk_dealt *sk_dealt_new(void) { return sk_xcalloc(1, sizeof(struct sk_dealt)); }

void sk_dealt_free(struct sk_dealt *d)
{
    for (int i = 0; d && i < SK_COUNT_PARTS; i++) free(d->list[i].word);
    free(d);
}

static int part_of(uint32_t hash) { return (int)(hash >> 26); }   /* tables use the low bits */

static void append(struct sk_dealt *d, const struct dealt_word *w)
{
    int i = part_of(w->hash);
    if (d->list[i].n == d->list[i].cap) {
        d->list[i].cap = d->list[i].cap ? 2 * d->list[i].cap : 64;
        d->list[i].word = sk_xrealloc(d->list[i].word, d->list[i].cap, sizeof *d->list[i].word);
    }
    d->list[i].word[d->list[i].n++] = *w;
}

void sk_dealt_begin(struct sk_dealt *d)
{
    for (int i = 0; i < SK_COUNT_PARTS; i++) d->list[i].n = 0;
    for (int i = 0; i < RECENT; i++) d->recent[i].count = 0;
}

void sk_dealt_add(struct sk_dealt *d, const char *text, uint32_t at, uint32_t n)
{
    uint64_t head = sk_word_head_wide(text + at, n);
    uint32_t hash = (uint32_t)sk_word_hash_of(text + at, n, head);
    struct dealt_word *r = &d->recent[hash % RECENT];
    if (r->count && r->hash == hash && r->head == head && r->n == n &&
        sk_word_same_rest(text + r->at, text + at, n)) {
        r->count++;
        return;
    }
    if (r->count) append(d, r);
    *r = (struct dealt_word){head, at, n, hash, 1};
}

void sk_dealt_end(struct sk_dealt *d)
{
    for (int i = 0; i < RECENT; i++)
        if (d->recent[i].count) append(d, &d->recent[i]);
}

int sk_vocab_count_part(struct sk_vocab_counts *c, int part, const char *text, const struct sk_dealt *d)
{
    struct sk_count_part *p = &c->part[part];
    const struct dealt_word *w = d->list[part].word, *end = w + d->list[part].n;
    for (; w < end; w++) {
        if (end - w > 16) sk_words_ask_slot(&p->words, w[16].hash);
        if (end - w > 8) sk_words_ask_word(&p->words, w[8].hash);
        sk_words_put_hashed(&p->words, text + w->at, w->n, w->head, w->hash)->value += w->count;
    }
    return sk_words_memory(&p->words) > c->most_bytes ? spill(p) : 0;
}

static void deal_block(void *ctx, struct sk_block *b)
{
    struct sk_scan scan;
    uint32_t at, n;
    int what;
    (void)ctx;
    if (!b->own) b->own = sk_dealt_new();
    sk_dealt_begin(b->own);
    sk_scan_begin(&scan, b->text, b->n);
    while ((what = sk_scan_next(&scan, &at, &n)) != SK_SCAN_END)
        if (what == SK_SCAN_WORD) sk_dealt_add(b->own, b->text, at, n);
    sk_dealt_end(b->own);
}

static int count_part(void *ctx, int part, const struct sk_round *round)
{
    for (int i = 0; i < round->n[0]; i++)
        if (sk_vocab_count_part(ctx, part, round->block[0][i].text, round->block[0][i].own)) return -1;
    return 0;
}

static void release(void *own) { sk_dealt_free(own); }

int sk_vocab_count_file(struct sk_vocab_counts *c, const char *path, unsigned lines_flags, struct sk_pool *pool)
{
    struct sk_pass p = {.path = {path}, .files = 1, .lines_flags = lines_flags, .doing = "counting words",
                        .pool = pool, .ctx = c, .work = deal_block, .release = release,
                        .parts = SK_COUNT_PARTS, .gather = count_part};
    return sk_pass_run(&p);
}
