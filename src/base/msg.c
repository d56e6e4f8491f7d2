#include "base/msg.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 4096 };

static char program[64] = "sk";
static int quiet, log_fd = -1, live_len;
static pthread_mutex_t console = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local char kept[MESSAGE] = "no error";
static _Thread_local enum sk_exit kept_code = SK_EXIT_BUG;

void sk_msg_program(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    snprintf(program, sizeof program, "%s", slash ? slash + 1 : argv0);
}

const char *sk_msg_program_name(void) { return program; }

int sk_fail(enum sk_exit code, const char *fmt, ...)
{
    char text[MESSAGE];     /* arguments may point into the kept message */
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    memcpy(kept, text, sizeof text);
    kept_code = code;
    return -1;
}

int sk_fail_errno(const char *fmt, ...)
{
    int e = errno;
    char text[MESSAGE];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    int path = e == ENOENT || e == EACCES || e == ENOTDIR || e == EISDIR || e == ELOOP;
    sk_fail(path ? SK_EXIT_NOINPUT : SK_EXIT_IO, "%s: %s", text, strerror(e));
    errno = e;
    return -1;
}

int sk_fail_prefix(const char *fmt, ...)
{
    char text[MESSAGE], all[2 * MESSAGE];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(all, sizeof all, "%s%s", text, kept);
    memcpy(kept, all, sizeof kept - 1);
    return -1;
}

const char *sk_fail_message(void) { return kept; }
enum sk_exit sk_fail_code(void) { return kept_code; }

/* One write(2), so that lines of several processes do not mix. */
static void put(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, text, n);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) return;     /* nobody left to tell */
        text += w;
        n -= (size_t)w;
    }
}

static void say(const char *level, const char *label, const char *text, int always)
{
    char line[MESSAGE + 256];
    pthread_mutex_lock(&console);
    if (!quiet || always) {
        int n = snprintf(line, sizeof line, "%s%s: %s%s\n", live_len ? "\r\033[K" : "", program, label, text);
        put(STDERR_FILENO, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
        live_len = 0;
    }
    if (log_fd >= 0) {
        time_t now = time(NULL);
        struct tm tm;
        char stamp[32];
        strftime(stamp, sizeof stamp, "%Y-%m-%d:%H:%M:%S", localtime_r(&now, &tm));
        int n = snprintf(line, sizeof line, "[%s:%s:%s] %s\n", stamp, level, program, text);
        put(log_fd, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
    }
    pthread_mutex_unlock(&console);
}

int sk_die(void)
{
    say("ERROR", "", kept, 1);
    return (int)kept_code;
}

#define FORMAT(text)                        \
    char text[MESSAGE];                     \
    va_list ap;                             \
    va_start(ap, fmt);                      \
    vsnprintf(text, sizeof text, fmt, ap);  \
    va_end(ap)

void sk_info(const char *fmt, ...)
{
    FORMAT(text);
    say("INFO", "", text, 0);
}

void sk_warn(const char *fmt, ...)
{
    FORMAT(text);
    say("WARNING", "warning: ", text, 0);
}

void sk_quiet(int q) { quiet = q; }

int sk_log_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return sk_fail_errno("%s: cannot open the log", path);
    if (log_fd >= 0) close(log_fd);
    log_fd = fd;
    return 0;
}

int sk_live_wanted(void)
{
    static int known = -1;
    if (known < 0) known = isatty(STDERR_FILENO) && (!getenv("TERM") || strcmp(getenv("TERM"), "dumb"));
    return known && !quiet;
}

void sk_live(const char *fmt, ...)
{
    if (!sk_live_wanted()) return;
    FORMAT(text);
    char line[MESSAGE + 16];
    pthread_mutex_lock(&console);
    int n = snprintf(line, sizeof line, "\r%.200s\033[K", text);
    put(STDERR_FILENO, line, (size_t)n);
    live_len = n;
    pthread_mutex_unlock(&console);
}

void sk_bug(const char *file, int line, const char *fmt, ...)
{
    FORMAT(text);
    char all[MESSAGE + 256];
    snprintf(all, sizeof all, "bug at %s:%d: %s; please report it", file, line, text);
    say("ERROR", "", all, 1);
    _exit(SK_EXIT_BUG);
}
