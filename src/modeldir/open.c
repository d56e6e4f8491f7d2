#include "modeldir/open.h"
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "model/params_file.h"
#include "modeldir/paths.h"

/* Path of the parameters that `which` means; NULL: sk_fail. */
static char *params_path(const char *dir, const char *which)
{
    int by_itself = !which;
    if (!which || !strcmp(which, "best")) {
        int best = sk_md_best(dir), *numbers = NULL;
        if (best < 0) return NULL;
        if (best) return sk_path_join(dir, SK_MD_BEST);
        int n = by_itself ? sk_md_list(dir, "params", &numbers) : 0;
        int newest = n > 0 ? numbers[n - 1] : 0;
        free(numbers);
        if (n < 0) return NULL;
        if (!newest) {
            sk_fail(SK_EXIT_NOINPUT, "%s: there is no %s yet: has training reached a checkpoint?", dir,
                    by_itself ? "checkpoint" : SK_MD_BEST);
            return NULL;
        }
        sk_warn("%s has no " SK_MD_BEST "; taking the newest checkpoint, %d", dir, newest);
        return sk_md_checkpoint(dir, "params", newest);
    }
    size_t digits = strspn(which, "0123456789");
    if (digits && !which[digits] && digits < 10) return sk_md_checkpoint(dir, "params", atoi(which));
    return sk_xstrdup(which);
}

static struct sk_vocab *load_vocab(const char *dir, const char *name, int size)
{
    char *path = sk_path_join(dir, name);
    struct sk_vocab *v = sk_vocab_load(path);
    if (v && sk_vocab_size(v) != size) {
        sk_fail(SK_EXIT_DATA, "%s has %d entries, but %s/" SK_MD_CONFIG " says %d", path, (int)sk_vocab_size(v), dir,
                size);
        sk_vocab_free(v);
        v = NULL;
    }
    free(path);
    return v;
}

/* config.json may claim any sizes: before memory of these sizes is taken, the
 * parameters must have them too. */
static int check_sizes(const struct sk_config *c, const char *path)
{
    struct sk_params table = {0};
    struct sk_tensors *f = sk_tensors_open(path);
    if (!f) return -1;
    sk_model_table(&c->model, &table);
    int r = sk_params_check(&table, f, 0);
    sk_params_free(&table);
    sk_tensors_close(f);
    return r;
}

static int open_factors(struct sk_trained *t)
{
    const struct sk_factors *f = &t->config.model.factors;
    for (int k = 0; k < f->n; k++)
        if (!(t->factor[k] = load_vocab(t->dir, sk_md_vocab_factors[k], f->vocab[k]))) return -1;
    t->factored = (struct sk_factored){.word = t->source, .n = f->n};
    for (int k = 0; k < f->n; k++) t->factored.factor[k] = t->factor[k];
    return 0;
}

struct sk_factored *sk_trained_factored(struct sk_trained *t) { return t->factored.n ? &t->factored : NULL; }

int sk_trained_open(struct sk_trained *t, const char *dir, const char *which,
                    const struct sk_ops *ops, struct sk_device *dev)
{
    *t = (struct sk_trained){.dir = sk_xstrdup(dir)};
    float *host = NULL;
    if (sk_config_load(&t->config, dir)) goto failed;
    t->source = load_vocab(dir, SK_MD_VOCAB_SOURCE, t->config.model.vocab[0]);
    t->target = t->source ? load_vocab(dir, SK_MD_VOCAB_TARGET, t->config.model.vocab[1]) : NULL;
    t->params = t->target ? params_path(dir, which) : NULL;
    if (!t->target || open_factors(t) || !t->params || check_sizes(&t->config, t->params)) goto failed;
    t->model = sk_model_new(&t->config.model, ops, dev, NULL);
    sk_model_combinations(t->model, (const int32_t *const *)&t->factored.rows);
    const struct sk_params *table = sk_model_params(t->model);
    host = sk_xaligned(table->total * sizeof *host);
    if (sk_params_load(table, t->params, host, 0, t->hash) < 0) goto failed;
    ops->upload(dev, sk_model_data(t->model), host, table->total * sizeof *host);
    sk_model_load_weights(t->model);
    free(host);
    return 0;
failed:
    free(host);
    sk_trained_close(t);
    return -1;
}

void sk_trained_close(struct sk_trained *t)
{
    sk_model_free(t->model);
    sk_vocab_free(t->source);
    sk_vocab_free(t->target);
    for (int k = 0; k < SK_FACTORS_MAX; k++) sk_vocab_free(t->factor[k]);
    free(t->factored.rows);
    free(t->params);
    free(t->dir);
    *t = (struct sk_trained){0};
}

/* --- several --------------------------------------------------------------- */

/* Vocabularies of t are those of `first`. */
static int same_vocabularies(const struct sk_trained *first, const struct sk_trained *t)
{
    int source = sk_vocab_equal(first->source, t->source), n = t->factored.n;
    if (n != first->factored.n)
        return sk_fail(SK_EXIT_CONFIG, "%s has %d source factors, %s has %d: models that translate together have the same",
                       first->dir, first->factored.n, t->dir, n);
    for (int k = 0; k < n; k++)
        if (!sk_vocab_equal(first->factor[k], t->factor[k]))
            return sk_fail(SK_EXIT_CONFIG, "%s and %s have different vocabularies of source factor %d: models that translate "
                           "together need equal ones (%s)", first->dir, t->dir, k + 1, sk_md_vocab_factors[k]);
    if (source && sk_vocab_equal(first->target, t->target)) return 0;
    return sk_fail(SK_EXIT_CONFIG, "%s and %s have different %s vocabularies: models that translate together need "
                   "equal ones (%s)", first->dir, t->dir, source ? "target" : "source",
                   source ? SK_MD_VOCAB_TARGET : SK_MD_VOCAB_SOURCE);
}

int sk_trained_open_all(struct sk_trained *t, int n, const char *const *dirs, const char *const *which,
                        const struct sk_ops *ops, struct sk_device *dev)
{
    for (int i = 0; i < n; i++) {
        int opened = sk_trained_open(&t[i], dirs[i], which ? which[i] : NULL, ops, dev) == 0;
        if (opened) sk_model_combinations(t[i].model, (const int32_t *const *)&t[0].factored.rows);
        if (opened && same_vocabularies(&t[0], &t[i]) == 0) continue;
        sk_trained_close_all(t, i + opened);
        return -1;
    }
    return 0;
}

void sk_trained_close_all(struct sk_trained *t, int n)
{
    for (int i = 0; i < n; i++) sk_trained_close(&t[i]);
}

void sk_trained_limits(struct sk_translate_options *o, const struct sk_trained *t, int n, int max_input, int num_stds)
{
    for (int i = 0; i < n; i++) {
        const struct sk_config *c = &t[i].config;
        struct sk_translate_options one = {.max_words = 0};
        sk_translate_limits(&one, &c->model, c->max_seq_len[0], max_input, c->length_ratio_mean, c->length_ratio_std,
                            num_stds);
        if (i == 0 || one.beam.max_output_factor > o->beam.max_output_factor)
            o->beam.max_output_factor = one.beam.max_output_factor;
        if (i == 0 || one.beam.max_output < o->beam.max_output) o->beam.max_output = one.beam.max_output;
        if (i == 0 || one.max_words < o->max_words) o->max_words = one.max_words;
    }
}
