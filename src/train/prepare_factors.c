/* prepare_factors.c - source factors: their vocabularies, and the text with the
 * factors in it, whose words are combinations. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"
#include "text/lines.h"
#include "train/prepare_start.h"

static const char *const zipped[2] = {SK_MD_DATA "/zipped.train", SK_MD_DATA "/zipped.validation"};

static int zip(const struct sk_start *s, const char *to, int held_out)
{
    const struct sk_train_options *o = s->o;
    const struct sk_opt_list *f = held_out ? &o->validation_factors : &o->factors;
    return sk_factored_zip(to, held_out ? o->validation_source : o->source, f->v, f->n,
                           s->p->lines_flags | SK_LINES_NO_WARNINGS);
}

int sk_start_check_factors(const struct sk_start *s)
{
    return s->o->factors.n && (zip(s, NULL, 0) < 0 || zip(s, NULL, 1) < 0) ? -1 : 0;
}

char *sk_start_zipped(const struct sk_start *s, int held_out)
{
    char *path = sk_start_path(s, zipped[held_out]);
    int there = sk_file_exists(path);
    if (there > 0 || (there == 0 && zip(s, path, held_out) == 0))
        return path;
    free(path);
    return NULL;
}

int sk_start_factors_swept(const struct sk_start *s)
{
    int failed = 0;
    for (int i = 0; i < 2 && s->combinations && s->as != SK_FOLLOWS && !failed; i++) {
        char *path = sk_start_path(s, zipped[i]);
        failed = sk_file_remove(path) < 0;
        free(path);
    }
    return failed ? -1 : 0;
}

/* --- vocabularies -------------------------------------------------------------------- */

static struct sk_vocab *count(const char *const *path, int n, const struct sk_start *s)
{
    struct sk_vocab_counts *c = sk_vocab_counts_new();
    int failed = 0;
    for (int i = 0; i < n && !failed; i++)
        failed = sk_vocab_count_file(c, path[i], s->p->lines_flags | SK_LINES_NO_WARNINGS, s->data.corpus.pool) < 0;
    struct sk_vocab *v = failed ? NULL : sk_vocab_build(c, 0, 1, 0, s->data.corpus.pool);
    sk_vocab_counts_free(c);
    return v;
}

int sk_start_factor_vocabs(struct sk_start *s)
{
    const struct sk_train_options *o = s->o;
    for (int k = 0; k < o->factors.n; k++) {
        if (s->d->factor[k])
            continue;
        s->d->factor[k] = o->factor_vocabs.n ? sk_vocab_load(o->factor_vocabs.v[k]) : count(&o->factors.v[k], 1, s);
        if (!s->d->factor[k])
            return o->factor_vocabs.n ? -1 : sk_fail_prefix("%s: ", o->factors.v[k]);
    }
    return 0;
}

/* One that is there, or NULL (sk_fail). */
static struct sk_vocab *load(const struct sk_start *s, const char *name)
{
    char *path = sk_start_path(s, name);
    struct sk_vocab *v = sk_vocab_load(path);
    free(path);
    return v;
}

static int save(const struct sk_start *s, const struct sk_vocab *v, const char *name)
{
    char *path = sk_start_path(s, name);
    int result = sk_vocab_save(v, path);
    free(path);
    return result;
}

/* A vocabulary that is given must be that of the run. */
static int check_given(const struct sk_start *s, int k)
{
    struct sk_vocab *given = s->o->factor_vocabs.n ? sk_vocab_load(s->o->factor_vocabs.v[k]) : NULL;
    int same = given && sk_vocab_equal(given, s->d->factor[k]);
    sk_vocab_free(given);
    if (s->o->factor_vocabs.n == 0 || same || s->as == SK_REPLAYS)
        return 0;
    return !given ? -1 : sk_fail(SK_EXIT_CONFIG, "%s was trained with another vocabulary of source factor %d than %s: give that "
                                 "one, or another --output, or --overwrite-output to begin anew", s->dir, k + 1,
                                 s->o->factor_vocabs.v[k]);
}

static int put_vocabs(struct sk_start *s)
{
    int n = s->o->factors.n, there = 1;
    for (int k = 0; k < n; k++)
        there &= sk_start_has(s, sk_md_vocab_factors[k]) > 0;
    if (s->fresh || !there) {
        if (sk_start_factor_vocabs(s) < 0)
            return -1;
        for (int k = 0; k < n; k++)
            if (save(s, s->d->factor[k], sk_md_vocab_factors[k]) < 0)
                return -1;
        return 0;
    }
    for (int k = 0; k < n; k++) {
        sk_vocab_free(s->d->factor[k]);
        if (!(s->d->factor[k] = load(s, sk_md_vocab_factors[k])) || check_given(s, k) < 0)
            return -1;
    }
    return 0;
}

/* All combinations that the two texts have. */
static int put_combinations(struct sk_start *s)
{
    if (!s->fresh && sk_start_has(s, SK_MD_COMBINATIONS) > 0)
        return (s->combinations = load(s, SK_MD_COMBINATIONS)) ? 0 : -1;
    char *path[2] = {sk_start_zipped(s, 0), NULL};
    if (path[0])
        path[1] = sk_start_zipped(s, 1);
    if (path[1])
        s->combinations = count((const char *const *)path, 2, s);
    free(path[0]);
    free(path[1]);
    return s->combinations ? save(s, s->combinations, SK_MD_COMBINATIONS) : -1;
}

int sk_start_factors(struct sk_start *s)
{
    struct sk_factored *f = &s->d->factored;
    if (s->o->factors.n == 0)
        return 0;
    if (put_vocabs(s) < 0 || put_combinations(s) < 0)
        return -1;
    *f = (struct sk_factored){.word = s->vocab[0], .n = s->o->factors.n};
    memcpy(f->factor, s->d->factor, sizeof f->factor);
    sk_factored_start(f);
    for (int32_t id = SK_SPECIALS; id < sk_vocab_size(s->combinations); id++) {
        const char *word = sk_vocab_word(s->combinations, id);
        sk_factored_add(f, word, strlen(word));
    }
    for (int k = 0; k < f->n; k++)
        sk_info("Vocabulary size of source factor %d: %d", k + 1, (int)sk_vocab_size(s->d->factor[k]));
    sk_info("Words with source factors: %d combinations", (int)sk_vocab_size(s->combinations) - SK_SPECIALS);
    return 0;
}
