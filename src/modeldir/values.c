/* values.c - what a user's command says of a checkpoint. */
#include "modeldir/values.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/msg.h"
#include "modeldir/evaluation.h"
#include "modeldir/paths.h"

enum { NAME = 64, LIMIT = 1 << 20 };
static const char mark[] = "# params ";

static int is_ours(const char *name)
{
    static const char *const ours[] = {
        "accuracy-train", "accuracy-val", "avg-sec-per-sent-val", "bleu-val", "chrf-val", "converged",
        "decode-walltime-val", "diverged", "epoch", "gradient-norm", "learning-rate", "perplexity-train",
        "perplexity-val", "rouge1-val", "rouge2-val", "rougel-val", "ter-val", "time-elapsed", "used-gpu-memory"};
    /* Names of texts follow (--monitor-set, --data). */
    static const char *const begin[] = {"accuracy-val-", "data-passes-", "data-share-", "perplexity-val-"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strcmp(name, ours[i]) == 0)
            return 1;
    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)
        if (strncmp(name, begin[i], strlen(begin[i])) == 0)
            return 1;
    return 0;
}

/* Splits name=value in place; 0: it is not of that form. */
static int split(char *line, char **value, double *number)
{
    char *equals = strchr(line, '='), *end;
    if (!equals || equals == line || equals - line > NAME || !isalpha((unsigned char)line[0]))
        return 0;
    for (const char *c = line; c < equals; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            return 0;
    *equals = '\0';
    *value = equals + 1;
    *number = strtod(*value, &end);
    return end != *value && !*end && !isspace((unsigned char)**value) && isfinite(*number);
}

int sk_values_read(const char *text, size_t n, int checkpoint, struct sk_str *lines)
{
    char *copy = sk_xstrndup(text, n), *rest = copy, *line, *value, digits[32];
    double number;
    int found = 0;
    while ((line = strsep(&rest, "\n")) != NULL) {
        line[strcspn(line, "\r")] = '\0';
        if (!split(line, &value, &number))
            continue;
        if (is_ours(line)) {
            sk_warn("checkpoint %d: '%s' is a metric of sk's own: what the command says of it is left out", checkpoint,
                    line);
            continue;
        }
        sk_metrics_number(number, digits);
        sk_str_printf(lines, "%s=%s\n", line, digits);
        found++;
    }
    free(copy);
    return found;
}

int sk_values_publish(const char *dir, int checkpoint, const char *params, const char *failed, const struct sk_str *lines)
{
    char *path = sk_md_eval(dir, checkpoint, "values"), *folder = sk_path_join(dir, SK_MD_EVAL);
    struct sk_str text = {0};
    sk_str_printf(&text, "%s%s\n", mark, params);
    if (failed)
        sk_str_printf(&text, "# failed: %s\n", failed);
    if (lines->len)
        sk_str_add(&text, lines->text, lines->len);
    int result = sk_mkdir(folder) == 0 ? sk_file_save(path, text.text, text.len, SK_PUBLISH) : -1;
    sk_str_free(&text);
    free(folder);
    free(path);
    return result < 0 ? -1 : 0;
}

/* The file's lines into the table. */
static int merge(struct sk_metrics *t, int checkpoint, char *text, const char *path)
{
    char *rest = text, *line, *value;
    double number, before;
    int changed = 0;
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (!*line || *line == '#')
            continue;
        if (!split(line, &value, &number) || is_ours(line))
            return sk_fail(SK_EXIT_DATA, "%s: '%.80s' is no name=value that a command may give", path, line);
        if (!sk_metrics_get(t, checkpoint, line, &before) || before != number) {
            sk_metrics_set_number(t, checkpoint, line, number);
            changed = 1;
        }
    }
    return changed;
}

int sk_values_merge(const char *dir, struct sk_metrics *t, int checkpoint)
{
    char *path = sk_md_eval(dir, checkpoint, "values"), present[SK_HASH_HEX];
    int result = sk_file_exists(path);
    char *text = result > 0 ? sk_file_load(path, LIMIT, NULL) : NULL;
    if (result > 0 && !text)
        result = -1;
    if (text) {
        int there = sk_evaluation_params_hash(dir, checkpoint, present);
        const char *of = text + strlen(mark);
        if (strncmp(text, mark, strlen(mark)) != 0 || strlen(of) < SK_HASH_HEX)
            result = sk_fail(SK_EXIT_DATA, "%s does not begin with '%s' and a checksum", path, mark);
        else if (there < 0 || (there > 0 && strncmp(of, present, SK_HASH_HEX - 1) != 0))
            result = there < 0 ? -1 : 0;
        else
            result = merge(t, checkpoint, text, path);
    }
    free(text);
    free(path);
    return result;
}
