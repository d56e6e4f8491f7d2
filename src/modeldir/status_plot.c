#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/msg.h"
#include "modeldir/status.h"

static const char *terminal(const char *path)
{
    static const struct { const char *suffix, *name; } known[] = {
        {".svg", "svg noenhanced size 900,%d background rgb 'white'"},
        {".png", "pngcairo noenhanced size 900,%d"},
        {".pdf", "pdfcairo noenhanced size 9in,%d.0in"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++)
        if (!strcmp(dot, known[i].suffix)) return known[i].name;
    return NULL;
}

/* Inside quotes of gnuplot, '' is one quote. */
static void quoted(struct sk_str *out, const char *text)
{
    sk_str_printf(out, "'");
    for (; *text; text++) {
        char c = (unsigned char)*text < 32 ? '?' : *text;
        sk_str_add(out, c == '\'' ? "''" : &c, c == '\'' ? 2 : 1);
    }
    sk_str_printf(out, "'");
}

static int has(const struct sk_status *s, const char *name)
{
    const char *m;
    for (int k = 0; (m = sk_status_metric(s, k)); k++)
        if (!strcmp(m, name)) return 1;
    return 0;
}

/* One panel: a curve of each run that has the metric. */
static void panel(const struct sk_status *s, int n, const char *name, struct sk_str *out)
{
    int first = 1;
    sk_str_printf(out, "set ylabel '%s'\n%s logscale y\nplot ", name, strstr(name, "perplexity") ? "set" : "unset");
    for (int i = 0; i < n; i++) {
        if (!has(&s[i], name)) continue;
        sk_str_printf(out, "%s'-' with linespoints pointtype 7 pointsize 0.4 title ", first ? "" : ", ");
        quoted(out, s[i].dir);
        first = 0;
    }
    sk_str_printf(out, "\n");
    for (int i = 0; i < n; i++) {
        if (!has(&s[i], name)) continue;
        for (int k = 0; k < s[i].metrics.n; k++) {
            double v;
            int checkpoint = s[i].metrics.line[k].checkpoint;
            if (sk_metrics_get(&s[i].metrics, checkpoint, name, &v) && isfinite(v))
                sk_str_printf(out, "%d %.9g\n", checkpoint, v);
        }
        sk_str_printf(out, "e\n");
    }
}

/* Feeds a script to gnuplot, which draws into a descriptor: 0, or -1 (sk_fail). */
static int run_gnuplot(const struct sk_str *script, int out, const char *path)
{
    int p[2], status;
    if (pipe2(p, O_CLOEXEC) < 0) return sk_fail_errno("cannot make a pipe");
    pid_t pid = fork();
    if (pid < 0) {
        close(p[0]);
        close(p[1]);
        return sk_fail_errno("cannot start gnuplot");
    }
    if (pid == 0) {
        dup2(p[0], STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        signal(SIGXFSZ, SIG_DFL);
        execlp("gnuplot", "gnuplot", (char *)NULL);
        _exit(errno == ENOENT ? 127 : 126);
    }
    close(p[0]);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    sk_write_all(p[1], script->text, script->len);
    sigaction(SIGPIPE, &before, NULL);
    close(p[1]);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return sk_fail_errno("cannot wait for gnuplot");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return sk_fail(SK_EXIT_NOINPUT, "gnuplot is not installed: Debian package gnuplot-nox");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0
                                                          : sk_fail(SK_EXIT_IO, "cannot write %s: gnuplot failed", path);
}

int sk_status_plot(const struct sk_status *s, int n, const char *path)
{
    const char *term = terminal(path), *name, *panels[16];
    int count = 0;
    if (!term) return sk_fail(SK_EXIT_USAGE, "%s: a plot is .svg, .png or .pdf", path);
    for (int i = 0; i < n; i++)
        for (int k = 0; (name = sk_status_metric(&s[i], k)); k++) {
            int known = 0;
            for (int j = 0; j < count; j++) known |= !strcmp(panels[j], name);
            if (!known && count < 16) panels[count++] = name;
        }
    if (!count) return sk_fail(SK_EXIT_NO, "there is nothing to plot: no checkpoint has been validated yet");
    struct sk_str script = {0};
    struct sk_file f;
    /* gnuplot would say less well that it cannot write there. */
    if (sk_file_create(&f, path) < 0) return -1;
    sk_str_printf(&script, "set terminal ");
    sk_str_printf(&script, term, strstr(term, "in") && strstr(term, "pdf") ? 3 * count : 280 * count);
    sk_str_printf(&script, "\nset multiplot layout %d,1\nset grid\nset xlabel 'checkpoint'\nset key noenhanced\n", count);
    for (int i = 0; i < count; i++) panel(s, n, panels[i], &script);
    sk_str_printf(&script, "unset multiplot\n");
    int r = run_gnuplot(&script, f.fd, path);
    sk_str_free(&script);
    if (!r) return sk_file_commit(&f, SK_REPLACE) < 0 ? -1 : 0;
    sk_file_abandon(&f);
    return r;
}
