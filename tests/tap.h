/* tap.h - what C tests say to prove.
 *
 *   int main(void) { ok(1 + 1 == 2, "addition"); return done_testing(); }
 *
 * A check returns whether it held. done_testing() prints the plan and
 * returns the exit status. skip_all() ends a test that cannot run here.
 */
#ifndef SK_TESTS_TAP_H
#define SK_TESTS_TAP_H
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAP_MAYBE __attribute__((unused))

static int tap_tests, tap_failed;

static TAP_MAYBE int tap_line(int good, const char *file, int line, const char *fmt, va_list args)
{
    char name[1024];
    vsnprintf(name, sizeof name, fmt, args);
    for (char *c = name; *c; c++)
        if (*c == '\n' || *c == '#')
            *c = ' ';
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++tap_tests, name);
    if (!good) {
        tap_failed++;
        printf("#   at %s:%d\n", file, line);
    }
    fflush(stdout);
    return good;
}

static TAP_MAYBE __attribute__((format(printf, 4, 5)))
int tap_ok(const char *file, int line, int good, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    tap_line(good, file, line, fmt, args);
    va_end(args);
    return good;
}

static TAP_MAYBE __attribute__((format(printf, 5, 6)))
int tap_is_int(const char *file, int line, long long got, long long want, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    tap_line(got == want, file, line, fmt, args);
    va_end(args);
    if (got != want)
        printf("#   got %lld, expected %lld\n", got, want);
    return got == want;
}

static TAP_MAYBE __attribute__((format(printf, 5, 6)))
int tap_is_str(const char *file, int line, const char *got, const char *want, const char *fmt, ...)
{
    int good = got && want ? strcmp(got, want) == 0 : got == want;
    va_list args;
    va_start(args, fmt);
    tap_line(good, file, line, fmt, args);
    va_end(args);
    if (!good)
        printf("#   got '%s'\n#   expected '%s'\n", got ? got : "(null)", want ? want : "(null)");
    return good;
}

/* |got - want| <= tolerance; never true of a NaN */
static TAP_MAYBE __attribute__((format(printf, 6, 7)))
int tap_is_near(const char *file, int line, double got, double want, double tolerance, const char *fmt, ...)
{
    int good = fabs(got - want) <= tolerance;
    va_list args;
    va_start(args, fmt);
    tap_line(good, file, line, fmt, args);
    va_end(args);
    if (!good)
        printf("#   got %.17g, expected %.17g within %g\n", got, want, tolerance);
    return good;
}

#define ok(...) tap_ok2(__VA_ARGS__)
#define tap_ok2(good, ...) tap_ok(__FILE__, __LINE__, (good) ? 1 : 0, __VA_ARGS__)
#define is_int(got, want, ...) tap_is_int(__FILE__, __LINE__, (long long)(got), (long long)(want), __VA_ARGS__)
#define is_str(got, want, ...) tap_is_str(__FILE__, __LINE__, got, want, __VA_ARGS__)
#define is_near(got, want, tolerance, ...) tap_is_near(__FILE__, __LINE__, got, want, tolerance, __VA_ARGS__)

static TAP_MAYBE void diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void diag(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("# ");
    vprintf(fmt, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
}

/* One test that cannot run here. */
static TAP_MAYBE void skip(const char *reason)
{
    printf("ok %d # SKIP %s\n", ++tap_tests, reason);
    fflush(stdout);
}

static TAP_MAYBE __attribute__((noreturn)) void skip_all(const char *reason)
{
    printf("1..0 # SKIP %s\n", reason);
    exit(0);
}

static TAP_MAYBE int done_testing(void)
{
    printf("1..%d\n", tap_tests);
    fflush(stdout);
    return tap_failed > 0;
}

static char tap_folder[256];

static TAP_MAYBE void tap_remove_folder(void)
{
    char command[300];
    if (chdir("/") == 0) {
        snprintf(command, sizeof command, "rm -rf '%s'", tap_folder);
        if (system(command) != 0)
            fprintf(stderr, "cannot remove %s\n", tap_folder);
    }
}

/* A new empty folder, removed when the test ends normally. */
static TAP_MAYBE const char *temp_folder(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(tap_folder, sizeof tap_folder, "%s/sk-test.XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(tap_folder)) {
        perror(tap_folder);
        exit(1);
    }
    atexit(tap_remove_folder);
    return tap_folder;
}

/* Shared data of the tests (Multi30k): a path below $SK_SHARED or ../shared,
 * NULL if it is not there. */
static TAP_MAYBE const char *shared_data(const char *name)
{
    static char path[1024];
    const char *base = getenv("SK_SHARED");
    snprintf(path, sizeof path, "%s/%s", base && *base ? base : "../shared", name);
    return access(path, R_OK) == 0 ? path : NULL;
}
#endif
