/* heldout.c - validation text in memory. */
#include "modeldir/heldout.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/rng.h"
#include "modeldir/paths.h"
#include "search/translate.h"
#include "text/lines.h"

int sk_text_load(struct sk_text *t, const char *path)
{
    *t = (struct sk_text){0};
    struct sk_lines *l = sk_file_check_plain(path) == 0 ? sk_lines_open(path, SK_LINES_NEWLINE_ONLY) : NULL;
    size_t n, cap = 0;
    char *line;
    int got = -1;
    while (l && (got = sk_lines_next(l, &line, &n)) > 0) {
        if ((size_t)t->n == cap) {
            cap = cap ? 2 * cap : 1024;
            t->line = sk_xrealloc(t->line, cap, sizeof *t->line);
        }
        t->line[t->n++] = sk_translate_line(line, n);
    }
    if (l)
        sk_lines_close(l);
    if (got < 0)
        sk_text_free(t);
    return got;
}

void sk_text_free(struct sk_text *t)
{
    for (long long i = 0; i < t->n; i++)
        free(t->line[i]);
    free(t->line);
    *t = (struct sk_text){0};
}

/* Keeps the lines that are marked. */
static void thin(struct sk_text *t, const unsigned char *kept)
{
    long long n = 0;
    for (long long i = 0; i < t->n; i++)
        if (kept[i])
            t->line[n++] = t->line[i];
        else
            free(t->line[i]);
    t->n = n;
}

static void draw(struct sk_heldout *h, long long sample, long long seed)
{
    long long all = h->source.n;
    if (sample < 1 || sample >= all)
        return;
    unsigned char *kept = sk_xcalloc((size_t)all, 1);
    for (long long i = 0; i < sample; i++)
        kept[sk_permute((uint64_t)seed, (uint64_t)all, (uint64_t)i)] = 1;
    thin(&h->source, kept);
    thin(&h->reference, kept);
    h->seed = seed;
    free(kept);
}

int sk_heldout_load(struct sk_heldout *h, const char *dir, long long sample, long long seed)
{
    char *source = sk_path_join(dir, SK_MD_VALIDATION_SOURCE), *target = sk_path_join(dir, SK_MD_VALIDATION_TARGET);
    *h = (struct sk_heldout){.seed = -1};
    int result = sk_text_load(&h->source, source) || sk_text_load(&h->reference, target) ? -1 : 0;
    if (result == 0 && (h->source.n == 0 || h->source.n != h->reference.n))
        result = sk_fail(SK_EXIT_DATA, "%s has %lld lines, %s has %lld: as many are needed, and at least one", source,
                         h->source.n, target, h->reference.n);
    if (result == 0)
        draw(h, sample, seed);
    else
        sk_heldout_free(h);
    free(source);
    free(target);
    return result;
}

void sk_heldout_free(struct sk_heldout *h)
{
    sk_text_free(&h->source);
    sk_text_free(&h->reference);
}

static int save_lines(const char *path, const struct sk_text *t)
{
    struct sk_str text = {0};
    for (long long i = 0; i < t->n; i++)
        sk_str_printf(&text, "%s\n", t->line[i]);
    int result = sk_file_save(path, text.text, text.len, SK_PUBLISH);
    sk_str_free(&text);
    return result < 0 ? -1 : 0;
}

int sk_heldout_files(const char *dir, long long sample, long long seed, char **source, char **reference)
{
    struct sk_heldout h;
    if (seed < 0) {
        *source = sk_path_join(dir, SK_MD_VALIDATION_SOURCE);
        *reference = sk_path_join(dir, SK_MD_VALIDATION_TARGET);
        return 0;
    }
    *source = sk_xprintf("%s/" SK_MD_EVAL "/sample.%lld.%lld.src", dir, seed, sample);
    *reference = sk_xprintf("%s/" SK_MD_EVAL "/sample.%lld.%lld.trg", dir, seed, sample);
    if (sk_file_exists(*source) > 0 && sk_file_exists(*reference) > 0)
        return 0;
    int result = sk_heldout_load(&h, dir, sample, seed);
    if (result == 0) {
        result = save_lines(*source, &h.source) < 0 || save_lines(*reference, &h.reference) < 0 ? -1 : 0;
        sk_heldout_free(&h);
    }
    if (result < 0) {
        free(*source);
        free(*reference);
        *source = *reference = NULL;
    }
    return result;
}

long long sk_heldout_wanted(const char *dir)
{
    char *path = sk_path_join(dir, SK_MD_ARGS), *text = sk_file_load(path, 1 << 20, NULL);
    const char *name = SK_HELDOUT_OPTION "\t", *at = text ? strstr(text, name) : NULL;
    while (at && at != text && at[-1] != '\n')
        at = strstr(at + 1, name);
    long long n = at ? strtoll(at + strlen(name), NULL, 10) : -1;
    free(text);
    free(path);
    return n > 0 ? n : -1;
}
