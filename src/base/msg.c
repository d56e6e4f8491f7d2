#include "base/msg.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MESSAGE = 4096 };

static char program[64] = "sk";

static _Thread_local char kept[MESSAGE];
static _Thread_local enum sk_exit kept_code;

/* The console and the log have one state for all threads. */
static pthread_mutex_t talk = PTHREAD_MUTEX_INITIALIZER;
static int quiet_console, live_shown, log_fd = -1, log_broken;

void sk_msg_program(const char *argv0)
{
    signal(SIGXFSZ, SIG_IGN);
    const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
    const char *name = slash ? slash + 1 : argv0;
    snprintf(program, sizeof program, "%s", name && *name ? name : "sk");
}

const char *sk_msg_program_name(void)
{
    return program;
}

int sk_fail(enum sk_exit code, const char *fmt, ...)
{
    /* The arguments may quote the message kept so far. */
    char text[MESSAGE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(kept, text, sizeof kept);
    kept_code = code;
    return -1;
}

static enum sk_exit code_of(int number)
{
    switch (number) {
    case ENOENT: case EACCES: case ENOTDIR: case EISDIR: case ELOOP: return SK_EXIT_NOINPUT;
    default: return SK_EXIT_IO;
    }
}

int sk_fail_errno(const char *fmt, ...)
{
    int number = errno;
    char text[MESSAGE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    sk_fail(code_of(number), "%s: %s", text, strerror(number));
    errno = number;
    return -1;
}

int sk_fail_prefix(const char *fmt, ...)
{
    char text[MESSAGE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return sk_fail(kept_code, "%s%s", text, kept);
}

const char *sk_fail_message(void)
{
    return kept;
}

enum sk_exit sk_fail_code(void)
{
    return kept_code;
}

/* All of it, or as much as stderr takes: there is nobody left to tell. */
static void put(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, text, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        text += done;
        n -= (size_t)done;
    }
}

/* One line on stderr; a live line gives way to it. */
static void console(const char *before, const char *text)
{
    char line[MESSAGE + 256];
    int n = snprintf(line, sizeof line, "%s%s%s\n", live_shown ? "\r\033[K" : "", before, text);
    if (n >= (int)sizeof line) {
        n = (int)sizeof line - 1;
        line[n - 1] = '\n';
    }
    live_shown = 0;
    put(STDERR_FILENO, line, (size_t)n);
}

/* What was said before the log was opened; most programs never open one. */
static char early[1 << 15];
static size_t early_bytes;

static void into_log(const char *level, const char *text)
{
    char line[MESSAGE + 256], when[32];
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(when, sizeof when, "%Y-%m-%d:%H:%M:%S", &local);
    int n = snprintf(line, sizeof line, "[%s:%s:%s] %s\n", when, level, program, text);
    if (n >= (int)sizeof line) {
        n = (int)sizeof line - 1;
        line[n - 1] = '\n';
    }
    if (log_fd < 0) {
        if ((size_t)n <= sizeof early - early_bytes) {
            memcpy(early + early_bytes, line, (size_t)n);
            early_bytes += (size_t)n;
        }
        return;
    }
    ssize_t done;
    do {
        done = write(log_fd, line, (size_t)n);
    } while (done < 0 && errno == EINTR);
    if (done != n && !log_broken) {
        log_broken = 1;
        char why[256];
        snprintf(why, sizeof why, "%s: warning: the log file is incomplete: %s", program,
                 done < 0 ? strerror(errno) : "short write");
        console("", why);
    }
}

int sk_die(void)
{
    char before[96];
    snprintf(before, sizeof before, "%s: ", program);
    pthread_mutex_lock(&talk);
    console(before, kept);
    into_log("ERROR", kept);
    pthread_mutex_unlock(&talk);
    return kept_code;
}

void sk_info(const char *fmt, ...)
{
    char text[MESSAGE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    pthread_mutex_lock(&talk);
    if (!quiet_console)
        console("", text);
    into_log("INFO", text);
    pthread_mutex_unlock(&talk);
}

void sk_warn(const char *fmt, ...)
{
    char text[MESSAGE], before[96];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(before, sizeof before, "%s: warning: ", program);
    pthread_mutex_lock(&talk);
    if (!quiet_console)
        console(before, text);
    into_log("WARNING", text);
    pthread_mutex_unlock(&talk);
}

static int debug_wanted;

void sk_debug_wanted(int wanted)
{
    debug_wanted = wanted;
}

void sk_debug(const char *fmt, ...)
{
    if (!debug_wanted)
        return;
    char text[MESSAGE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    pthread_mutex_lock(&talk);
    if (!quiet_console)
        console("", text);
    into_log("DEBUG", text);
    pthread_mutex_unlock(&talk);
}

void sk_quiet(int quiet)
{
    quiet_console = quiet;
}

int sk_log_open(const char *path)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0 && errno != ENXIO)
        return sk_fail_errno("cannot open %s", path);
    /* A pipe would make us wait for who reads it. */
    if (fd < 0 || (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode))) {
        if (fd >= 0)
            close(fd);
        return sk_fail(SK_EXIT_NOINPUT, "%s is no plain file", path);
    }
    pthread_mutex_lock(&talk);
    if (log_fd >= 0)
        close(log_fd);
    log_fd = fd;
    log_broken = 0;
    put(fd, early, early_bytes);
    early_bytes = 0;
    pthread_mutex_unlock(&talk);
    return 0;
}

int sk_live_wanted(void)
{
    static int terminal = -1;
    if (terminal < 0) {
        const char *term = getenv("TERM");
        terminal = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
    }
    return terminal && !quiet_console;
}

/* Bytes of text that take at most `columns` columns (one for each character). */
static size_t fitting(const char *text, int columns)
{
    size_t n = 0;
    for (; text[n]; n++)
        if ((text[n] & 0xC0) != 0x80 && columns-- == 0)
            break;
    return n;
}

void sk_live(const char *fmt, ...)
{
    if (!sk_live_wanted())
        return;
    char text[1024], line[1100];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct winsize size = {0};
    /* The last column stays free: a full line would wrap and not be erasable. */
    int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
    int n = snprintf(line, sizeof line, "\r%.*s\033[K", (int)fitting(text, columns), text);
    pthread_mutex_lock(&talk);
    put(STDERR_FILENO, line, (size_t)n);
    live_shown = text[0] != '\0';
    pthread_mutex_unlock(&talk);
}

void sk_bug(const char *file, int line, const char *fmt, ...)
{
    char text[MESSAGE], message[MESSAGE + 512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    /* No mutex: whoever holds it may be the one with the bug. */
    int n = snprintf(message, sizeof message, "%s: bug at %s:%d: %s (please report this)\n", program, file, line, text);
    put(STDERR_FILENO, message, (size_t)n);
    into_log("ERROR", message);
    _exit(SK_EXIT_BUG);
}
