#include "math/backend.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/msg.h"
#include "base/plugin.h"
#include "math/plugin.h"

/* From inside an operation, on any thread: what was saved is safe, and other
 * threads may hold anything, so nothing is put in order. */
static void fatal(int code, const char *message)
{
    sk_fail((enum sk_exit)code, "%s", message);
    _exit(sk_die());
}

static const struct sk_plugin *load(const char *path)
{
    void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct sk_plugin *p = file ? dlsym(file, "sk_plugin") : NULL;
    if (!p) {
        sk_fail(SK_EXIT_NO, "the plug-in for GPUs cannot be used: %s; --use-cpu does without it", dlerror());
        return NULL;
    }
    if (p->size != sizeof(struct sk_ops) || strcmp(p->version, SK_PLUGIN_VERSION)) {
        sk_fail(SK_EXIT_NO, "%s is of another build: make it again ('make cuda'); --use-cpu does without it", path);
        return NULL;
    }
    p->begin(fatal);
    return p;
}

/* Told by its library, since to load the plug-in, with the libraries that it needs, takes
 * a second. A plug-in that somebody named may do without. */
static int no_driver(void)
{
    void *driver = getenv("SK_PLUGIN_CUDA") ? NULL : dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (driver)
        dlclose(driver);
    return !driver && !getenv("SK_PLUGIN_CUDA");
}

static const struct sk_ops *without(const char *why)
{
    const char *needed = getenv("SK_GPU_NEEDED");
    if (needed && strcmp(needed, "1") == 0) {
        sk_fail(SK_EXIT_TEMP, "the GPU cannot be used: %s; --use-cpu does without it", why);
        return NULL;
    }
    sk_info("No GPU: %s; the CPU computes", why);
    return &sk_ops_cpu;
}

/* Malloced; NULL: no GPU is looked for. */
static char *plugin(int use_cpu)
{
    const char *pretended = getenv("SK_GPUS");
    return use_cpu || (pretended && *pretended) ? NULL : sk_plugin_find("cuda");
}

int sk_backend_wants_gpu(int use_cpu)
{
    char *path = plugin(use_cpu);
    free(path);
    return path != NULL;
}

const struct sk_ops *sk_backend(int use_cpu)
{
    static const struct sk_ops *chosen;
    const char *why = "";
    char *path = chosen ? NULL : plugin(use_cpu);
    if (use_cpu || (!path && !chosen))
        return &sk_ops_cpu;
    if (chosen)
        return chosen;
    const struct sk_plugin *p = NULL;
    int n = 0;
    if (no_driver())
        why = "this host has no NVIDIA driver";
    else if ((p = load(path)))
        n = p->devices(&why);
    free(path);
    if (!p && !*why)
        return NULL;
    if (n < 0) {
        sk_fail(SK_EXIT_TEMP, "the GPU cannot be used: %s; --use-cpu does without it", why);
        return NULL;
    }
    return chosen = n ? p->ops : without(why);
}
