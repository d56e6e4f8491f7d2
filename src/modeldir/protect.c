#include "modeldir/protect.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"

static int has(const char *dir, const char *name)
{
    char *path = sk_path_join(dir, name);
    int there = sk_file_exists(path) != 0;
    free(path);
    return there;
}

static int has_params(const char *dir)
{
    int *numbers, n = sk_md_list(dir, "params", &numbers);
    free(numbers);
    return n > 0;
}

static int is_model_dir(const char *dir)
{
    return (has(dir, SK_MD_CONFIG) && has(dir, SK_MD_VOCAB_SOURCE)) || (has(dir, SK_MD_ARGS) && has(dir, SK_MD_LOCK)) ||
        (has(dir, SK_MD_METRICS) && has_params(dir));
}

/* Is it KIND.DIGITS? */
static int numbered(const char *name, const char *kind)
{
    size_t n = strlen(kind);
    return !strncmp(name, kind, n) && name[n] == '.' && name[n + 1] &&
        !name[n + 1 + strspn(name + n + 1, "0123456789")];
}

/* The first n bytes of name: a file or folder of the protocol. */
static int is_name(const char *name, size_t n)
{
    static const char *const names[] = {
        SK_MD_CONFIG, SK_MD_ARGS, SK_MD_VOCAB_SOURCE, SK_MD_VOCAB_TARGET, SK_MD_VALIDATION_SOURCE,
        SK_MD_VALIDATION_TARGET, SK_MD_DATA, SK_MD_LOG, SK_MD_METRICS, SK_MD_INTERRUPTED, SK_MD_BEST, SK_MD_EVAL,
        SK_MD_PROGRESS, SK_MD_LOCK, SK_MD_FINISHED};
    static const char *const kinds[] = {"params", "state", SK_MD_LOG};
    char *one = sk_xstrndup(name, n);
    int found = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) found |= !strcmp(one, names[i]);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) found |= numbered(one, kinds[i]);
    free(one);
    return found;
}

/* An absolute path without links but perhaps its last part. */
static int check(const char *real, const char *given)
{
    for (const char *slash = strchr(real + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        const char *name = slash + 1;
        size_t n = strcspn(name, "/");
        if (!is_name(name, n)) continue;
        char *dir = sk_xstrndup(real, (size_t)(slash - real));
        int inside = is_model_dir(dir);
        free(dir);
        if (inside)
            return sk_fail(SK_EXIT_USAGE, "%s: '%.*s' in a model directory is the training's own: give another "
                           "name or folder", given, (int)n, name);
    }
    return 0;
}

/* The path with its folders resolved as far as they exist; NULL: nothing does. */
static char *resolve_folders(const char *path)
{
    char real[PATH_MAX], *whole = NULL;
    size_t n = strlen(path);
    do {
        while (n > 0 && path[n - 1] != '/') n--;
        char *dir = n ? sk_xstrndup(path, n) : sk_xstrdup(".");
        if (realpath(dir, real)) whole = sk_path_join(real, path + n);
        free(dir);
    } while (!whole && n-- > 0);
    return whole;
}

int sk_md_check_output(const char *path)
{
    char real[PATH_MAX], *named = resolve_folders(path);
    int result = named ? check(named, path) : 0;
    free(named);
    return result ? result : realpath(path, real) ? check(real, path) : 0;
}
