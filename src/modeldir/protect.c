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
    static const char *const kinds[] = {"params", "state", SK_MD_LOG};
    char *one = sk_xstrndup(name, n);
    int found = 0;
    for (int i = 0; sk_md_files[i]; i++) found |= !strcmp(one, sk_md_files[i]);
    for (int i = 0; sk_md_folders[i]; i++) found |= !strcmp(one, sk_md_folders[i]);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) found |= numbered(one, kinds[i]);
    free(one);
    return found;
}

/* In an absolute path: the name of the protocol that stands in a model directory
 * (NULL), or in this one; else NULL. */
static const char *own_name(const char *real, const char *only)
{
    for (const char *slash = strchr(real + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        if (!is_name(slash + 1, strcspn(slash + 1, "/"))) continue;
        char *dir = sk_xstrndup(real, (size_t)(slash - real));
        int inside = only ? !strcmp(dir, only) : is_model_dir(dir);
        free(dir);
        if (inside) return slash + 1;
    }
    return NULL;
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

/* The same for a path as given, and where it leads. */
static int owned(const char *path, const char *only, char name[NAME_MAX + 1])
{
    char real[PATH_MAX], *named = resolve_folders(path);
    const char *found = named ? own_name(named, only) : NULL;
    if (!found && realpath(path, real)) found = own_name(real, only);
    if (found) snprintf(name, NAME_MAX + 1, "%.*s", (int)strcspn(found, "/"), found);
    free(named);
    return found != NULL;
}

int sk_md_check_output(const char *path)
{
    char name[NAME_MAX + 1];
    if (!owned(path, NULL, name)) return 0;
    return sk_fail(SK_EXIT_USAGE, "%s: '%s' in a model directory is the training's own: give another name or folder",
                   path, name);
}

int sk_md_owns(const char *dir, const char *path)
{
    char real[PATH_MAX], name[NAME_MAX + 1];
    return realpath(dir, real) && owned(path, real, name);
}
