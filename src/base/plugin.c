#include "base/plugin.h"
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/path.h"

static char *beside(const char *self, const char *folder, const char *name)
{
    struct sk_str path = {0};
    const char *slash = strrchr(self, '/');
    sk_str_printf(&path, "%.*s/%slibsk-%s.so", (int)(slash ? slash - self : 0), self, folder, name);
    if (access(path.text, R_OK) == 0)
        return path.text;
    sk_str_free(&path);
    return NULL;
}

char *sk_plugin_find(const char *name)
{
    char variable[64] = "SK_PLUGIN_", self[PATH_MAX];
    size_t at = strlen(variable);
    for (const char *c = name; *c && at + 1 < sizeof variable; c++)
        variable[at++] = (char)toupper((unsigned char)*c);
    const char *named = getenv(variable);
    if (named)
        return *named ? sk_xstrdup(named) : NULL;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return NULL;
    self[n] = '\0';
    char *found = beside(self, "", name);
    return found ? found : beside(self, "../lib/sk/", name);
}

const char *sk_plugin_backends(void)
{
    char *cuda = sk_plugin_find("cuda");
    free(cuda);
    return cuda ? "cpu cuda" : "cpu";
}
