/* mem_limit.c - how much memory there is for a process. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/msg.h"
#include "base/path.h"

static size_t kilobytes(const char *path, const char *format)
{
    char line[256];
    size_t kb = 0;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f) && sscanf(line, format, &kb) != 1)
        ;
    if (f)
        fclose(f);
    return kb;
}

void sk_memory_resident(size_t *now, size_t *most)
{
    *now = kilobytes("/proc/self/status", "VmRSS: %zu kB") * 1024;
    *most = kilobytes("/proc/self/status", "VmHWM: %zu kB") * 1024;
}

/* The number in a file; SIZE_MAX: no file, or another text ("max"). */
static size_t number_in(const char *dir, const char *name)
{
    char *path = sk_path_join(dir, name);
    unsigned long long value;
    FILE *f = fopen(path, "re");
    int got = f && fscanf(f, "%llu", &value) == 1;
    if (f)
        fclose(f);
    free(path);
    return got && value < SIZE_MAX ? (size_t)value : SIZE_MAX;
}

/* The least limit of a group and those above it: ROOT/GROUP up to ROOT. */
static size_t least_above(const char *root, const char *group, const char *name)
{
    char *dir = sk_xprintf("%s%s", root, group);
    size_t least = SIZE_MAX;
    for (;;) {
        size_t limit = number_in(dir, name);
        char *slash = strrchr(dir, '/');
        least = limit < least ? limit : least;
        if (!slash || slash < dir + strlen(root))
            break;
        *slash = '\0';
    }
    free(dir);
    return least;
}

size_t sk_cgroup_limit(const char *list, const char *root)
{
    char line[4096], *memory = sk_path_join(root, "memory");
    size_t least = SIZE_MAX;
    FILE *f = fopen(list, "re");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *kinds = strchr(line, ':'), *group = kinds ? strchr(kinds + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        size_t limit = SIZE_MAX;
        if (!kinds[1])                                   /* version 2 */
            limit = least_above(root, group, "memory.max");
        else if (strcmp(kinds + 1, "memory") == 0)       /* version 1 */
            limit = least_above(memory, group, "memory.limit_in_bytes");
        least = limit < least ? limit : least;
    }
    if (f)
        fclose(f);
    free(memory);
    return least;
}

size_t sk_memory_limit(const char **whose)
{
    size_t swap = kilobytes("/proc/meminfo", "SwapTotal: %zu kB") * 1024;
    size_t limit = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE) + swap;
    size_t group = sk_cgroup_limit("/proc/self/cgroup", "/sys/fs/cgroup");
    struct rlimit space;
    *whose = "this machine has";
    if (group < SIZE_MAX - swap && group + swap < limit) {
        limit = group + swap;
        *whose = "its control group may take";
    }
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY && space.rlim_cur < limit) {
        limit = space.rlim_cur;
        *whose = "ulimit -v allows";
    }
    return limit;
}

int sk_memory_check(size_t bytes, const char *what)
{
    const char *whose;
    size_t limit = sk_memory_limit(&whose);
    if (bytes <= limit)
        return 0;
    return sk_fail(SK_EXIT_NO, "%s needs about %.0f MB of memory, but %s %.0f MB in all", what, (double)bytes / 1e6,
                   whose, (double)limit / 1e6);
}

/* Resident memory says nothing of address space, which is what ulimit -v limits. */
static size_t in_use(void)
{
    struct rlimit space;
    size_t now, most;
    sk_memory_resident(&now, &most);
    return getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY
        ? kilobytes("/proc/self/status", "VmSize: %zu kB") * 1024 : now;
}

void sk_out_of_memory(size_t bytes)
{
    const char *whose;
    size_t limit = sk_memory_limit(&whose), used = in_use();
    if (bytes > limit || used > limit - bytes)
        sk_fail(SK_EXIT_NO, "out of memory: %.0f MB are in use, %.0f MB more are needed, but %s %.0f MB in all",
                (double)used / 1e6, (double)bytes / 1e6, whose, (double)limit / 1e6);
    else
        sk_fail(SK_EXIT_TEMP, "out of memory: cannot get %zu bytes now, while others use what there is", bytes);
    _exit(sk_die());
}
