#include "lockd/devices.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "lockd/nvml.h"

enum { MOST = 1024 };

static int good_name(const char *s, size_t n)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return n > 0 && n < SK_GPU_NAME && s[0] != '.' && strspn(s, letters) >= n;
}

/* Decimal digits only; -1 if it is none. */
static int number(const char *s, size_t n)
{
    long v = 0;
    if (n == 0 || n > 6) return -1;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') return -1;
        v = 10 * v + (s[i] - '0');
    }
    return (int)v;
}

/* The next of a list separated by commas, blanks around it cut off: its
 * length, or -1 at the end. */
static int next_item(const char **list, const char **item)
{
    if (!*list) return -1;
    const char *s = *list + strspn(*list, " \t"), *end = s + strcspn(s, ",");
    *list = *end ? end + 1 : NULL;
    while (end > s && strchr(" \t", end[-1])) end--;
    *item = s;
    return end - s > INT_MAX ? INT_MAX : (int)(end - s);
}

static struct sk_gpu *add(struct sk_gpus *g)
{
    g->gpu = sk_xrealloc(g->gpu, (size_t)g->n + 1, sizeof *g->gpu);
    g->gpu[g->n] = (struct sk_gpu){.utilisation = -1, .processes = -1};
    return &g->gpu[g->n++];
}

static int find_pretended(struct sk_gpus *g, const char *list)
{
    const char *item;
    int n;
    g->pretended = 1;
    while ((n = next_item(&list, &item)) >= 0) {
        if (n == 0) continue;
        if (!good_name(item, (size_t)n) || g->n == MOST)
            return sk_fail(SK_EXIT_USAGE, "SK_GPUS: '%.*s' cannot be a GPU: names are up to %d letters, digits, '-', "
                           "'_', '.'", n, item, SK_GPU_NAME - 1);
        for (int i = 0; i < g->n; i++)
            if (!strncmp(g->gpu[i].name, item, (size_t)n) && !g->gpu[i].name[n])
                return sk_fail(SK_EXIT_USAGE, "SK_GPUS names %.*s twice", n, item);
        memcpy(add(g)->name, item, (size_t)n);
    }
    return 0;
}

static int find_driver(struct sk_gpus *g)
{
    int n = sk_nvml_open();
    for (int i = 0; i < n; i++) {
        struct sk_gpu *gpu = add(g);
        if (sk_nvml_device(i, gpu) < 0) return -1;
        if (!good_name(gpu->name, strlen(gpu->name)))
            return sk_fail(SK_EXIT_TEMP, "the NVIDIA driver calls GPU %d '%s', which is no UUID", i, gpu->name);
    }
    return n < 0 ? -1 : 0;
}

/* By the beginning of its name: the index, -1 none, -2 several. */
static int by_name(const struct sk_gpus *g, const char *s, size_t n)
{
    int found = -1;
    for (int i = 0; i < g->n; i++)
        if (!strncmp(g->gpu[i].name, s, n)) {
            if (!g->gpu[i].name[n]) return i;
            found = found == -1 ? i : -2;
        }
    return n ? found : -1;
}

/* What CUDA would see: a list ends at the first entry that means nothing. */
static void restrict_to(struct sk_gpus *g, const char *list)
{
    struct sk_gpus seen = {0};
    const char *item;
    int n;
    while ((n = next_item(&list, &item)) > 0) {
        int i = number(item, (size_t)n), twice = 0;
        if (i < 0) i = by_name(g, item, (size_t)n);
        if (i < 0 || i >= g->n) break;
        for (int k = 0; k < seen.n; k++) twice |= !strcmp(seen.gpu[k].name, g->gpu[i].name);
        if (twice) break;
        *add(&seen) = g->gpu[i];
    }
    free(g->gpu);
    g->gpu = seen.gpu;
    g->n = seen.n;
}

int sk_gpus_find(struct sk_gpus *g)
{
    const char *pretended = getenv("SK_GPUS"), *visible = getenv("CUDA_VISIBLE_DEVICES");
    *g = (struct sk_gpus){0};
    if (pretended ? find_pretended(g, pretended) : find_driver(g)) {
        sk_gpus_free(g);
        return -1;
    }
    if (visible) restrict_to(g, visible);
    /* Slurm sets these only where it manages the GPUs; CUDA_VISIBLE_DEVICES
     * then names this job's. */
    g->scheduled = visible && (getenv("SLURM_JOB_GPUS") || getenv("SLURM_STEP_GPUS"));
    return 0;
}

void sk_gpus_refresh(struct sk_gpus *g)
{
    if (!g->pretended) sk_nvml_refresh(g->gpu, g->n);
}

void sk_gpus_free(struct sk_gpus *g)
{
    free(g->gpu);
    *g = (struct sk_gpus){0};
}

int sk_gpus_index(const struct sk_gpus *g, const char *text)
{
    int i = number(text, strlen(text));
    if (i >= g->n)
        return sk_fail(SK_EXIT_USAGE, "there is no GPU %s: this process sees %d (CUDA_VISIBLE_DEVICES may hide some)",
                       text, g->n);
    if (i < 0) i = by_name(g, text, strlen(text));
    if (i == -2) return sk_fail(SK_EXIT_USAGE, "'%s' begins the names of several GPUs: give more of it", text);
    return i < 0 ? sk_fail(SK_EXIT_USAGE, "'%s' is neither the index nor the name of a GPU that this process sees "
                           "(sk-lock --list shows them)", text)
                 : i;
}
