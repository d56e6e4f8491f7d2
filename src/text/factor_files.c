#include "text/factor_files.h"
#include "base/msg.h"

int sk_factor_files_open(struct sk_factor_files *f, const char *const *path, int n, int wanted, const char *option)
{
    *f = (struct sk_factor_files){.n = 0};
    if (n && n != wanted)
        return sk_fail(SK_EXIT_CONFIG, "--%s has %d files, but the model has %d source factors", option, n, wanted);
    for (; f->n < n; f->n++)
        if (!(f->in[f->n] = sk_lines_open(path[f->n], SK_LINES_REPLACE_INVALID))) return -1;
    return 0;
}

int sk_factor_files_next(struct sk_factor_files *f, const struct sk_lines *text, int read)
{
    for (int k = 0; k < f->n; k++) {
        char *line;
        size_t length;
        int got = sk_lines_next(f->in[k], &line, &length);
        if (got < 0) return -1;
        if (got != read)
            return sk_fail(SK_EXIT_DATA, "%s has only %llu lines, %s has more: a line of factors belongs to each line",
                           sk_lines_path(got ? text : f->in[k]),
                           (unsigned long long)sk_lines_number(got ? text : f->in[k]),
                           sk_lines_path(got ? f->in[k] : text));
        f->line[k] = got ? line : NULL;
    }
    return 0;
}

void sk_factor_files_close(struct sk_factor_files *f)
{
    for (int k = 0; k < f->n; k++) sk_lines_close(f->in[k]);
    f->n = 0;
}
