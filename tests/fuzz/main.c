/* main.c - the list of targets, and what they share. libFuzzer calls
 * LLVMFuzzerTestOneInput; SK_FUZZ names the target. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"

static const struct fuzz_target *const targets[] = {
    &fuzz_config, &fuzz_corpus, &fuzz_evaluation, &fuzz_events, &fuzz_locks, &fuzz_metrics, &fuzz_options,
    &fuzz_requests, &fuzz_shards, &fuzz_state, &fuzz_status, &fuzz_tensors, &fuzz_text, &fuzz_vocab};
enum { TARGETS = sizeof targets / sizeof *targets, FILES = 16 };

const char *fuzz_dir;
static struct { const char *name; char *path; int fd; } files[FILES];
static int n_files;
static pid_t owner;

static void remove_dir(void)
{
    if (getpid() == owner)
        sk_remove_tree(fuzz_dir);
}

const struct fuzz_target *fuzz_begin(const char *name)
{
    static char dir[64];
    snprintf(dir, sizeof dir, "%s/sk-fuzz.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    fuzz_dir = mkdtemp(dir);
    owner = getpid();
    if (!fuzz_dir)
        return NULL;
    atexit(remove_dir);
    sk_quiet(1);
    for (int i = 0; i < TARGETS; i++)
        if (name && strcmp(targets[i]->name, name) == 0)
            return targets[i];
    fprintf(stderr, "fuzz: targets are");
    for (int i = 0; i < TARGETS; i++)
        fprintf(stderr, " %s", targets[i]->name);
    fprintf(stderr, "\n");
    return NULL;
}

const char *fuzz_file(const char *name, const unsigned char *bytes, size_t n)
{
    int i = 0;
    while (i < n_files && strcmp(files[i].name, name) != 0)
        i++;
    if (i == n_files) {
        files[i].name = name;
        files[i].path = sk_path_join(fuzz_dir, name);
        char *folder = sk_path_dir(files[i].path);
        if (sk_mkdir(folder) < 0 || (files[i].fd = open(files[i].path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
            abort();
        free(folder);
        n_files++;
    }
    if (pwrite(files[i].fd, bytes, n, 0) != (ssize_t)n || ftruncate(files[i].fd, (off_t)n) < 0)
        abort();
    return files[i].path;
}

char *fuzz_text_of(const unsigned char *bytes, size_t n)
{
    return sk_xstrndup((const char *)bytes, n);
}

/* --- exit() ------------------------------------------------------------------ */

static jmp_buf back;
static int caught;
void __wrap_exit(int code);
void __real_exit(int code) __attribute__((noreturn));
void __wrap_exit(int code)
{
    if (caught)
        longjmp(back, 1);
    __real_exit(code);
}

int fuzz_exits(void (*f)(void *ctx), void *ctx)
{
    if (setjmp(back)) {
        caught = 0;
        return 1;
    }
    caught = 1;
    f(ctx);
    caught = 0;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct fuzz_target *t;
    if (!t && !(t = fuzz_begin(getenv("SK_FUZZ"))))
        _exit(64);
    t->run(bytes, n);
    return 0;
}
