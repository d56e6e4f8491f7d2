/* scan.c - one listing of a model directory. */
#include "modeldir/scan.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"

static void add(struct sk_numbers *all, int number)
{
    /* As large as a power of two: no count of what is allocated is needed. */
    if ((all->n & (all->n - 1)) == 0)
        all->v = sk_xrealloc(all->v, all->n ? 2 * (size_t)all->n : 1, sizeof *all->v);
    all->v[all->n++] = number;
}

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return x < y ? -1 : x > y;
}

int sk_numbers_have(const struct sk_numbers *all, int number)
{
    return all->n && bsearch(&number, all->v, (size_t)all->n, sizeof *all->v, ascending) != NULL;
}

static void see(struct sk_scan *s, const char *name)
{
    int number = sk_md_number(name, "params");
    if (number > 0)
        add(&s->params, number);
    s->finished |= strcmp(name, SK_MD_FINISHED) == 0;
    s->metrics |= strcmp(name, SK_MD_METRICS) == 0;
    s->config |= strcmp(name, SK_MD_CONFIG) == 0;
    s->eval |= strcmp(name, SK_MD_EVAL) == 0;
}

static void see_eval(struct sk_scan *s, const char *name)
{
    static const char *const kinds[] = {"json", "claim", "values"};
    struct sk_numbers *const lists[] = {&s->scored, &s->claims, &s->values};
    char *end;
    size_t digits = strspn(name, "0123456789");
    long number = digits >= 5 && digits <= 9 ? strtol(name, &end, 10) : 0;
    for (int i = 0; number > 0 && *end == '.' && i < 3; i++)
        if (strcmp(end + 1, kinds[i]) == 0)
            add(lists[i], (int)number);
}

/* opendir, which for a folder that is absent lists the one that it would be in:
 * only then is it looked up anew. */
static DIR *open_folder(const char *path)
{
    DIR *d = opendir(path);
    if (d || errno != ENOENT || strcmp(path, ".") == 0 || strcmp(path, "/") == 0)
        return d;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    char *name = sk_xstrndup(path, n), *above = sk_path_dir(name);
    DIR *up = open_folder(above);
    if (up) {
        while (readdir(up))
            ;
        closedir(up);
        d = opendir(path);
    }
    int number = up ? errno : ENOENT;
    free(name);
    free(above);
    errno = number;
    return d;
}

/* 1: listed, 0: no such folder, -1. */
static int list(struct sk_scan *s, const char *path, void (*name)(struct sk_scan *, const char *))
{
    DIR *d = open_folder(path);
    if (!d)
        return errno == ENOENT ? 0 : sk_fail_errno("cannot open folder %s", path);
    struct dirent *e;
    while (errno = 0, (e = readdir(d)) != NULL)
        name(s, e->d_name);
    int failed = errno ? sk_fail_errno("cannot read folder %s", path) : 0;
    closedir(d);
    return failed ? -1 : 1;
}

int sk_scan_read(struct sk_scan *s, const char *dir)
{
    *s = (struct sk_scan){0};
    char *eval = sk_path_join(dir, SK_MD_EVAL);
    struct sk_numbers *const lists[] = {&s->params, &s->scored, &s->claims, &s->values};
    s->there = list(s, dir, see);
    int result = s->there > 0 && s->eval ? list(s, eval, see_eval) : s->there;
    for (int i = 0; i < 4; i++)
        if (lists[i]->n)
            qsort(lists[i]->v, (size_t)lists[i]->n, sizeof *lists[i]->v, ascending);
    free(eval);
    if (result < 0)
        sk_scan_free(s);
    return result < 0 ? -1 : 0;
}

void sk_scan_free(struct sk_scan *s)
{
    free(s->params.v);
    free(s->scored.v);
    free(s->claims.v);
    free(s->values.v);
    *s = (struct sk_scan){0};
}
