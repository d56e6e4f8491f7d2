/* sk-status - how trainings stand, for people. */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "base/opt.h"
#include "modeldir/protect.h"
#include "modeldir/status.h"

struct options {
    int follow, json;
    const char *plot;
    double interval;
};
#define FIELD(f) offsetof(struct options, f)

static const struct sk_opt table[] = {
    {.name = "follow", .letter = 'f', .type = SK_OPT_FLAG, .offset = FIELD(follow),
     .help = "Again and again, until all have ended; on a terminal in place."},
    {.name = "interval", .type = SK_OPT_FLOAT, .offset = FIELD(interval), .initial = "1", .min = 0.01, .max = 86400,
     .value = "SECONDS", .help = "Time between two looks of --follow."},
    {.name = "json", .type = SK_OPT_FLAG, .offset = FIELD(json), .help = "One JSON object a line for each directory."},
    {.name = "plot", .type = SK_OPT_STRING, .offset = FIELD(plot), .value = "FILE",
     .help = "Draw the curves of validation to FILE (.svg, .png, .pdf) by gnuplot."},
    {0}};

static const struct sk_program program = {
    .synopsis = "MODEL_DIR... [--follow] [--json] [--plot FILE]",
    .summary = "Shows how trainings stand: state, progress, time left, curves, pending evaluations, who works on them.",
    .options = table,
    .epilogue = "Exit codes: 0, 65 something in a directory is damaged (the rest is shown), 66 no such directory.",
    .min_operands = 1, .max_operands = -1};

static int read_all(struct sk_status *s, char **dirs, int n)
{
    for (int i = 0; i < n; i++)
        if (sk_status_read(&s[i], dirs[i])) {
            while (i-- > 0) sk_status_free(&s[i]);
            return -1;
        }
    return 0;
}

/* Names of directories stay, in order: how many; the others are said. */
static int find_dirs(char **names, int n, int *code)
{
    int found = 0;
    for (int i = 0; i < n; i++) {
        struct sk_status s;
        if (sk_status_read(&s, names[i]) == 0) {
            sk_status_free(&s);
            names[found++] = names[i];
        } else {
            *code = sk_die();
        }
    }
    return found;
}

static void render(const struct options *o, const struct sk_status *s, int n, struct sk_str *out)
{
    struct winsize size;
    int width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    if (o->json)
        for (int i = 0; i < n; i++) sk_status_json(&s[i], out);
    else if (n == 1) sk_status_screen(s, width, !strcmp(nl_langinfo(CODESET), "UTF-8"), out);
    else sk_status_table(s, n, out);
}

/* In place: from the top corner, each line to its end, then the rest of the screen. */
static int show_in_place(const struct sk_str *text)
{
    struct sk_str out = {0};
    sk_str_printf(&out, "\033[H");
    for (const char *line = text->text; *line;) {
        size_t n = strcspn(line, "\n");
        sk_str_add(&out, line, n);
        sk_str_printf(&out, "\033[K\n");
        line += n + (line[n] == '\n');
    }
    sk_str_printf(&out, "\033[J");
    int r = sk_write_all(STDOUT_FILENO, out.text, out.len);
    sk_str_free(&out);
    return r;
}

int main(int argc, char **argv)
{
    struct options o;
    sk_msg_program(argv[0]);
    setlocale(LC_CTYPE, "");
    int first = sk_opt_parse(&program, &o, argc, argv), n = argc - first, terminal = isatty(STDOUT_FILENO), r = 0, again = 1;
    sk_temp_catch_signals();
    int damaged = 0, absent = SK_EXIT_OK;
    if (first < argc && !strcmp(argv[first], "--")) n = argc - ++first;
    if (o.plot && sk_md_check_output(o.plot)) return sk_die();
    n = find_dirs(argv + first, n, &absent);
    if (n == 0) return absent;
    struct sk_status *s = sk_xcalloc((size_t)n, sizeof *s);
    struct sk_str before = {0}, now = {0};
    if (o.follow && terminal) r = sk_write_all(STDOUT_FILENO, "\033[2J", 4);
    while (again && !r) {
        if (read_all(s, argv + first, n)) return sk_die();
        sk_str_clear(&now);
        render(&o, s, n, &now);
        if (o.follow && terminal) r = show_in_place(&now);
        else if (!before.text || strcmp(before.text, now.text)) r = sk_write_all(STDOUT_FILENO, now.text, now.len);
        if (!r && o.plot) r = sk_status_plot(s, n, o.plot);
        sk_str_clear(&before);
        sk_str_add(&before, now.text, now.len);
        again = damaged = 0;
        for (int i = 0; i < n; i++) {
            again |= o.follow && (s[i].state == SK_STATE_RUNNING || s[i].state == SK_STATE_WAITING);
            damaged |= s[i].damage != NULL;
            sk_status_free(&s[i]);
        }
        struct timespec pause = {(time_t)o.interval, (long)((o.interval - (double)(time_t)o.interval) * 1e9)};
        if (again) nanosleep(&pause, NULL);
    }
    sk_str_free(&before);
    sk_str_free(&now);
    free(s);
    return r ? sk_die() : damaged ? SK_EXIT_DATA : absent;
}
