/* memory_test.c - how much memory a process can have: the limits of control
 * groups, of the machine, and what becomes of who wants more. */
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "tap.h"

static const char *dir;

static void put(const char *name, const char *text)
{
    char *path = sk_path_join(dir, name), *folder = sk_path_dir(path);
    if (sk_mkdir(folder) < 0 || sk_file_save(path, text, strlen(text), SK_REPLACE) < 0)
        exit(sk_die());
    free(folder);
    free(path);
}

static size_t limit(const char *list)
{
    char *path = sk_path_join(dir, "list"), *root = sk_path_join(dir, "cgroup");
    put("list", list);
    size_t n = sk_cgroup_limit(path, root);
    free(path);
    free(root);
    return n;
}

static void groups(void)
{
    put("cgroup/job/step/memory.max", "max\n");
    is_int(limit("0::/job/step\n"), (long long)SIZE_MAX, "version 2, no limit");
    put("cgroup/job/memory.max", "2000000000\n");
    is_int(limit("0::/job/step\n"), 2000000000, "that of the group above");
    put("cgroup/job/step/memory.max", "1000000000\n");
    is_int(limit("0::/job/step\n"), 1000000000, "the lower one");
    is_int(limit("0::/job\n"), 2000000000, "not that of another group");
    put("cgroup/memory.max", "500000000\n");
    is_int(limit("0::/of/another/world\n"), 500000000, "the root of a container");
    put("cgroup/memory/job/memory.limit_in_bytes", "300000000\n");
    is_int(limit("9:cpu:/x\n4:memory:/job\n"), 300000000, "version 1");
    is_int(limit("4:cpuset:/job\n"), (long long)SIZE_MAX, "a group of other things");
    is_int(limit("rubbish\n::\n"), 500000000, "strange lines");
    is_int(sk_cgroup_limit("/nowhere", "/nowhere"), (long long)SIZE_MAX, "a system without groups");
}

/* Exit status of a child that wants so much under ulimit -v. */
static int wants(size_t bytes, size_t address_space)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit r = {address_space, address_space};
        if (address_space && setrlimit(RLIMIT_AS, &r) < 0)
            _exit(99);
        if (!freopen("/dev/null", "w", stderr))
            _exit(98);
        char *volatile p = sk_xmalloc(bytes);
        free(p);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void)
{
    const char *whose;
    dir = temp_folder();
    groups();
    size_t most = sk_memory_limit(&whose);
    ok(most > (size_t)1 << 26 && most < (size_t)1 << 50, "there is memory: %s %zu", whose, most);
    is_int(sk_memory_check(most, "it"), 0, "all of it may be wanted");
    is_int(sk_memory_check(most + 1, "it"), -1, "more may not");
    is_int(sk_fail_code(), SK_EXIT_NO, "and that is no reason to try again");
    ok(strstr(sk_fail_message(), "it needs about ") != NULL, "%s", sk_fail_message());
#ifndef __SANITIZE_ADDRESS__
    is_int(wants((size_t)1 << 20, 0), 0, "a megabyte is there");
    is_int(wants((size_t)1 << 60, 0), SK_EXIT_NO, "an exabyte never will be");
    is_int(wants((size_t)1 << 30, (size_t)1 << 29), SK_EXIT_NO, "nor more than ulimit -v");
#endif
    return done_testing();
}
