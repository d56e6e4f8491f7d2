/* path.c - names of files. */
#include "base/path.h"

#include <string.h>
#include <uuid/uuid.h>

#include "base/mem.h"

enum { UUID_TEXT = 36 };

char *sk_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    return n == 0 ? sk_xstrdup(name) : sk_xprintf("%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

char *sk_path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return sk_xstrdup(".");
    return sk_xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

char *sk_temp_name(const char *path)
{
    uuid_t id;
    char text[UUID_TEXT + 1];
    uuid_generate_random(id);
    uuid_unparse_lower(id, text);
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return sk_xprintf("%.*s.%s.%s.tmp", (int)(name - path), path, name, text);
}

int sk_temp_is(const char *name)
{
    size_t n = strlen(name);
    char text[UUID_TEXT + 1];
    uuid_t id;
    /* a dot, a name of at least one letter, a dot, the UUID, .tmp */
    if (n < 3 + UUID_TEXT + 4 || name[0] != '.' || strcmp(name + n - 4, ".tmp") != 0 ||
        name[n - 4 - UUID_TEXT - 1] != '.')
        return 0;
    memcpy(text, name + n - 4 - UUID_TEXT, UUID_TEXT);
    text[UUID_TEXT] = '\0';
    return uuid_parse(text, id) == 0;
}
