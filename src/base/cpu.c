/* cpu.c - how many CPUs this process may use. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"

/* CPUs the scheduler may put us on. */
static int affinity(void)
{
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        size_t size = CPU_ALLOC_SIZE(cpus);
        if (!set)
            break;
        int failed = sched_getaffinity(0, size, set) != 0, n = failed ? 0 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (n > 0)
            return n;
        if (failed && errno != EINVAL)
            break;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static int read_line(const char *path, char *line, int size)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    int got = fgets(line, size, f) != NULL;
    fclose(f);
    return got;
}

/* Whole CPUs (rounded up) of a quota per period; many if there is none. */
static int quota_cpus(double quota, double period)
{
    if (!(quota > 0 && period > 0))
        return 1 << 20;
    double cpus = quota / period;
    return cpus >= 1 << 20 ? 1 << 20 : (int)cpus + ((int)cpus < cpus);
}

static int least(int a, int b) { return a < b ? a : b; }

/* The quota of a cgroup and of those it lies in. */
static int quota_below(const char *root, char *group, int v2)
{
    char path[1200], line[128], period[128];
    int cpus = 1 << 20;
    for (;;) {
        double q = 0, p = 0;
        if (v2) {
            snprintf(path, sizeof path, "%s%s/cpu.max", root, group);
            if (read_line(path, line, sizeof line) && sscanf(line, "%lf %lf", &q, &p) == 2)
                cpus = least(cpus, quota_cpus(q, p));
        } else {
            snprintf(path, sizeof path, "%s%s/cpu.cfs_quota_us", root, group);
            if (read_line(path, line, sizeof line)) {
                snprintf(path, sizeof path, "%s%s/cpu.cfs_period_us", root, group);
                if (read_line(path, period, sizeof period))
                    cpus = least(cpus, quota_cpus(atof(line), atof(period)));
            }
        }
        char *slash = strrchr(group, '/');
        if (!slash)
            return cpus;
        *slash = '\0';
    }
}

static int quota(void)
{
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f)
        return 1 << 20;
    char line[1024];
    int cpus = 1 << 20;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!group)
            continue;
        *group++ = '\0';
        controllers++;
        if (*controllers == '\0')
            cpus = least(cpus, quota_below("/sys/fs/cgroup", group, 1));
        else if (strcmp(controllers, "cpu") == 0 || strcmp(controllers, "cpu,cpuacct") == 0)
            cpus = least(cpus, quota_below("/sys/fs/cgroup/cpu", group, 0));
    }
    fclose(f);
    return cpus;
}

int sk_cpu_count(void)
{
    int n = least(affinity(), quota());
    return n > 0 ? n : 1;
}
