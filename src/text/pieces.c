#include "text/pieces.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/plugin.h"
#include "text/sentencepiece/plugin.h"

struct sk_pieces { void *file; const struct sk_sentencepiece *plugin; void *model[2]; };

static const struct sk_sentencepiece *load(void **file)
{
    char *path = sk_plugin_find("sentencepiece");
    if (!path) {
        sk_fail(SK_EXIT_NO, "--sentencepiece needs bin/libsk-sentencepiece.so, which 'make' builds where the Debian "
                "packages g++ and libsentencepiece-dev are; 'contrib/setup sentencepiece' installs them");
        return NULL;
    }
    *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct sk_sentencepiece *p = *file ? dlsym(*file, "sk_sentencepiece") : NULL;
    if (!p)
        sk_fail(SK_EXIT_NO, "the plug-in for sentencepiece cannot be used: %s", dlerror());
    else if (strcmp(p->version, SK_SENTENCEPIECE_VERSION) != 0)
        sk_fail(SK_EXIT_NO, "%s is of another build: make it again ('make')", path);
    free(path);
    return p && strcmp(p->version, SK_SENTENCEPIECE_VERSION) == 0 ? p : NULL;
}

/* The library logs what it does not like to stderr by itself: what is no file is
 * found before. */
static void *open_model(const struct sk_sentencepiece *plugin, const char *path)
{
    char why[512] = "";
    int there = sk_file_exists(path);
    if (there <= 0) {
        if (there == 0)
            sk_fail(SK_EXIT_NOINPUT, "cannot open %s: there is no such file", path);
        return NULL;
    }
    void *model = plugin->open(path, why, sizeof why);
    if (!model)
        sk_fail(SK_EXIT_DATA, "%s is no model of sentencepiece: %s", path, why);
    return model;
}

struct sk_pieces *sk_pieces_open(const char *const model[2])
{
    struct sk_pieces *p = sk_xcalloc(1, sizeof *p);
    p->plugin = load(&p->file);
    for (int side = 0; side < 2 && p->plugin; side++) {
        int same = side == 1 && !strcmp(model[0], model[1]);
        p->model[side] = same ? p->model[0] : open_model(p->plugin, model[side]);
        if (!p->model[side])
            break;
    }
    if (p->model[0] && p->model[1])
        return p;
    sk_pieces_close(p);
    return NULL;
}

static char *checked(char *text)
{
    if (!text)
        sk_out_of_memory(1);
    return text;
}

char *sk_pieces_encode(struct sk_pieces *p, int side, const char *text)
{
    return checked(p->plugin->encode(p->model[side], text));
}

char *sk_pieces_decode(struct sk_pieces *p, int side, const char *pieces)
{
    return checked(p->plugin->decode(p->model[side], pieces));
}

void sk_pieces_close(struct sk_pieces *p)
{
    if (!p)
        return;
    if (p->model[1] && p->model[1] != p->model[0])
        p->plugin->close(p->model[1]);
    if (p->model[0])
        p->plugin->close(p->model[0]);
    if (p->file)
        dlclose(p->file);
    free(p);
}
