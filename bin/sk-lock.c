/* sk-lock - runs a command with GPUs of its own. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/opt.h"
#include "lockd/acquire.h"
#include "lockd/files.h"

struct options {
    int n, no_wait, ignore_busy, list, quiet;
    const char *devices, *lock_dir;
    double timeout;
};
#define FIELD(f) offsetof(struct options, f)

static const struct sk_opt table[] = {
    {.name = "num-devices", .letter = 'n', .type = SK_OPT_INT, .offset = FIELD(n), .initial = "-1", .min = -1,
     .max = 1024, .value = "N", .help = "So many GPUs, whichever (default: 1, with --devices none besides those)."},
    {.name = "devices", .letter = 'd', .type = SK_OPT_STRING, .offset = FIELD(devices), .value = "LIST",
     .help = "These GPUs, by index or UUID, separated by commas; indices count the visible ones."},
    {.name = "timeout", .letter = 't', .type = SK_OPT_FLOAT, .offset = FIELD(timeout), .initial = "-1", .min = -1,
     .max = 1e9, .value = "SECONDS", .help = "Give up after so long, exit 75; -1: wait for ever."},
    {.name = "no-wait", .type = SK_OPT_FLAG, .offset = FIELD(no_wait), .help = "Now or not at all: exit 75 if they are "
     "not free, or others wait for them."},
    {.name = "ignore-busy", .type = SK_OPT_FLAG, .offset = FIELD(ignore_busy),
     .help = "Take also GPUs on which somebody computes without a lock."},
    {.name = "lock-dir", .type = SK_OPT_STRING, .offset = FIELD(lock_dir), .value = "DIR",
     .help = "Folder of the lock files (default: SK_LOCK_DIR, else /run/lock); all on the host must use the same."},
    {.name = "list", .letter = 'l', .type = SK_OPT_FLAG, .offset = FIELD(list),
     .help = "Show all GPUs and who has them, and take none."},
    {.name = "quiet", .letter = 'q', .type = SK_OPT_FLAG, .offset = FIELD(quiet), .help = "Only errors on stderr."},
    {0}};

static const struct sk_program program = {
    .synopsis = "[-n N] [-d LIST] [-t SECONDS] [--] COMMAND [ARGUMENT...] | --list",
    .summary = "Takes free GPUs of this host by file locks, then becomes COMMAND; they are free again when it ends, "
               "however it ends.",
    .options = table,
    .epilogue = "Options after COMMAND are its own. CUDA_VISIBLE_DEVICES restricts the choice, and names what was "
                "taken to COMMAND. SK_GPUS=name,name pretends GPUs.\n"
                "Exit codes: COMMAND's; 1 fewer GPUs than wanted, 64 usage, 66 no lock folder, 75 timeout, 126 COMMAND "
                "cannot run, 127 it is not found.",
    .min_operands = 0, .max_operands = -1, .stop_at_operand = 1};

static int list(const struct sk_gpus *g, const char *dir)
{
    static const char *const states[] = {"free", "locked", "busy"};
    struct sk_str s = {0};
    sk_str_printf(&s, "%-5s  %-40s  %-6s  %4s  %7s  %s\n", "INDEX", "GPU", "STATE", "UTIL", "WAITING", "HOLDER");
    for (int i = 0; i < g->n; i++) {
        enum sk_gpu_state state;
        struct sk_lock_note note;
        char util[16] = "-";
        int waiting;
        if (sk_gpu_look(&g->gpu[i], dir, &state, &note, &waiting)) {
            sk_str_free(&s);
            return -1;
        }
        if (g->gpu[i].utilisation >= 0) snprintf(util, sizeof util, "%d%%", g->gpu[i].utilisation);
        sk_str_printf(&s, "%-5d  %-40s  %-6s  %4s  %7d  ", i, g->gpu[i].name, states[state], util, waiting);
        if (state == SK_GPU_LOCKED && note.pid)
            sk_str_printf(&s, "%s, pid %ld on %s since %s: %s\n", note.user, note.pid, note.host, note.since,
                          note.command);
        else if (state == SK_GPU_BUSY)
            sk_str_printf(&s, "%d process%s without a lock\n", g->gpu[i].processes,
                          g->gpu[i].processes == 1 ? "" : "es");
        else
            sk_str_printf(&s, "%s\n", state == SK_GPU_LOCKED ? "?" : "-");
    }
    int r = sk_write_all(STDOUT_FILENO, s.text, s.len);
    sk_str_free(&s);
    return r;
}

static void say_waiting(void *ctx, int ahead)
{
    (void)ctx;
    sk_info("waiting for GPUs, %d request%s before this one (sk-lock --list)", ahead, ahead == 1 ? "" : "s");
}

static unsigned char *named_devices(const struct sk_gpus *g, const char *text)
{
    unsigned char *named = sk_xcalloc((size_t)g->n + 1, 1);
    char *copy = sk_xstrdup(text ? text : ""), *rest = copy, *item;
    while (text && (item = strsep(&rest, ",")) != NULL) {
        int i = sk_gpus_index(g, item);
        if (i < 0) sk_opt_misuse("--devices: %s", sk_fail_message());
        named[i] = 1;
    }
    free(copy);
    return named;
}

int main(int argc, char **argv)
{
    struct options o;
    struct sk_gpus g;
    struct sk_grant grant;
    sk_msg_program(argv[0]);
    int first = sk_opt_parse(&program, &o, argc, argv);
    sk_quiet(o.quiet);
    if (o.list && first < argc) sk_opt_misuse("--list takes no command");
    if (!o.list && first == argc) sk_opt_misuse("which command? sk-lock %s", program.synopsis);
    if (o.n == 0 && !o.devices) sk_opt_misuse("--num-devices 0 needs --devices");
    if (o.n < 0) o.n = o.devices ? 0 : 1;
    if (sk_gpus_find(&g)) return sk_die();
    if (o.list) return list(&g, o.lock_dir) ? sk_die() : SK_EXIT_OK;
    if (g.n == 0) {
        sk_fail(SK_EXIT_NO, "this process sees no GPU: no NVIDIA driver, or CUDA_VISIBLE_DEVICES hides them");
        return sk_die();
    }
    struct sk_gpu_request r = {.named = named_devices(&g, o.devices), .any = o.n,
                               .timeout = o.no_wait ? 0 : o.timeout, .ignore_busy = o.ignore_busy,
                               .lock_dir = o.lock_dir, .command = argv + first, .waiting = say_waiting};
    if (sk_gpus_acquire(&g, &r, &grant)) return sk_die();
    sk_grant_export(&g, &grant);
    signal(SIGXFSZ, SIG_DFL);        /* what we ignore is our own affair */
    execvp(argv[first], argv + first);
    int missing = errno == ENOENT;
    sk_fail_errno("cannot run %s", argv[first]);
    sk_die();
    return missing ? 127 : 126;
}
