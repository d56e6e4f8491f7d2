#include "modeldir/paths.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"

#define FACTORS "vocab.src.1.json", "vocab.src.2.json", "vocab.src.3.json", "vocab.src.4.json", "vocab.src.5.json", \
    "vocab.src.6.json", "vocab.src.7.json", "vocab.src.8.json"
const char *const sk_md_vocab_factors[] = {FACTORS};
const char *const sk_md_files[] = {
    SK_MD_ARGS, SK_MD_FINISHED, SK_MD_INTERRUPTED, SK_MD_BEST, SK_MD_METRICS, SK_MD_PROGRESS, SK_MD_CONFIG,
    SK_MD_INITIAL, SK_MD_VOCAB_SOURCE, SK_MD_VOCAB_TARGET, SK_MD_VALIDATION_SOURCE, SK_MD_VALIDATION_TARGET, SK_MD_LOG,
    SK_MD_LOCK, FACTORS, SK_MD_CORPUS, SK_MD_VALIDATION, SK_MD_COMBINATIONS, SK_MD_CHECKSUMS, NULL};
const char *const sk_md_folders[] = {SK_MD_DATA, SK_MD_EVAL, SK_MD_TENSORBOARD, SK_MD_SHARDS, NULL};

char *sk_md_checkpoint_name(const char *kind, int number) { return sk_xprintf("%s.%05d", kind, number); }

char *sk_md_checkpoint(const char *dir, const char *kind, int number)
{
    char *name = sk_md_checkpoint_name(kind, number), *path = sk_path_join(dir, name);
    free(name);
    return path;
}

char *sk_md_eval(const char *dir, int number, const char *suffix)
{
    char *name = sk_xprintf(SK_MD_EVAL "/%05d.%s", number, suffix), *path = sk_path_join(dir, name);
    free(name);
    return path;
}

int sk_md_number(const char *name, const char *kind)
{
    size_t n = strlen(kind);
    if (strncmp(name, kind, n) || name[n] != '.') return -1;
    const char *digits = name + n + 1;
    size_t d = strspn(digits, "0123456789");
    if (d < 5 || d > 9 || digits[d] || (d > 5 && digits[0] == '0')) return -1;
    return atoi(digits);
}

static int ascending(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return x < y ? -1 : x > y;
}

int sk_md_list(const char *dir, const char *kind, int **numbers)
{
    int n = 0;
    *numbers = NULL;
    DIR *d = opendir(dir);
    if (!d) return sk_fail_errno("%s", dir);
    struct dirent *e;
    while (errno = 0, (e = readdir(d))) {
        int number = sk_md_number(e->d_name, kind);
        if (number < 1) continue;      /* params.00000 is no checkpoint */
        *numbers = sk_xrealloc(*numbers, (size_t)n + 1, sizeof **numbers);
        (*numbers)[n++] = number;
    }
    if (errno) {
        sk_fail_errno("cannot read folder %s", dir);
        free(*numbers);
        *numbers = NULL;
        n = -1;
    }
    closedir(d);
    if (n > 0) qsort(*numbers, (size_t)n, sizeof **numbers, ascending);
    return n;
}

int sk_md_best(const char *dir)
{
    char *path = sk_path_join(dir, SK_MD_BEST), target[PATH_MAX];
    ssize_t n = readlink(path, target, sizeof target - 1);
    int number = 0;
    if (n >= 0) {
        target[n] = 0;
        number = sk_md_number(target, "params");
        if (number < 0)
            sk_fail(SK_EXIT_DATA, "%s points to '%s', which is no checkpoint's parameters", path, target);
    } else if (errno != ENOENT) {
        number = sk_fail_errno("%s", path);
    }
    free(path);
    return number;
}
