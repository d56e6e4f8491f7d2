/* checkpoint_tensors.c - files of tensors with a state: `state.N`, `interrupted`. */
#include "train/checkpoint_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/msg.h"
#include "model/params_file.h"

void sk_checkpoints_fetch(const struct sk_checkpoints *c, const float *values)
{
    c->ops->download(c->dev, c->host, values, c->table->total * sizeof(float));
}

float *sk_checkpoints_written(const struct sk_checkpoints *c)
{
    return c->average ? c->average : c->params;
}

struct sk_tensor_groups sk_checkpoints_groups(const struct sk_checkpoints *c, enum sk_tensors_of what)
{
    struct sk_tensor_groups s = {.n = 0};
    if (c->average && what == SK_OF_ALL)
        s.g[s.n++] = (struct sk_tensor_group){'e', c->average};
    if (c->m)
        s.g[s.n++] = (struct sk_tensor_group){'m', c->m};
    if (what == SK_OF_ALL || (c->average && what == SK_OF_STATE))
        s.g[s.n++] = (struct sk_tensor_group){'p', c->params};
    if (c->v)
        s.g[s.n++] = (struct sk_tensor_group){'v', c->v};
    return s;
}

/* Tensors of all groups, "x:NAME"; names in *names. */
static struct sk_tensor *list_tensors(const struct sk_checkpoints *c, const struct sk_tensor_groups *s, char **names)
{
    const struct sk_params *t = c->table;
    struct sk_tensor *list = sk_xcalloc((size_t)(s->n * t->n) + 1, sizeof *list);
    char *name = *names = sk_xcalloc((size_t)(s->n * t->n) + 1, SK_PARAM_NAME + 2);
    for (int k = 0; k < s->n; k++)
        for (int i = 0; i < t->n; i++, name += SK_PARAM_NAME + 2) {
            struct sk_tensor *x = &list[k * t->n + i];
            name[0] = s->g[k].prefix;
            name[1] = ':';
            memcpy(name + 2, t->p[i].name, SK_PARAM_NAME);
            x->name = name;
            x->ndim = t->p[i].ndim;
            memcpy(x->shape, t->p[i].shape, sizeof x->shape);
            x->size = t->p[i].size;
        }
    return list;
}

struct sk_tensors_writer *sk_checkpoints_stage(const struct sk_checkpoints *c, const char *path,
                                               const struct sk_tensor_groups *all, const struct sk_train_state *s)
{
    char *names, *text = sk_train_state_text(s);
    struct sk_tensor *list = list_tensors(c, all, &names);
    struct sk_meta meta = {"state", text};
    struct sk_tensors_writer *w = sk_tensors_create(path, list, all->n * c->table->n, &meta, 1);
    for (int k = 0; w && k < all->n; k++) {
        sk_checkpoints_fetch(c, all->g[k].values);
        for (int i = 0; w && i < c->table->n; i++)
            if (sk_tensors_write(w, c->host + c->table->p[i].offset, c->table->p[i].size) < 0) {
                sk_tensors_abandon(w);
                w = NULL;
            }
    }
    free(list);
    free(names);
    free(text);
    return w && sk_tensors_seal(w, NULL) == 0 ? w : NULL;
}

static int load_group(const struct sk_checkpoints *c, struct sk_tensors *f, const struct sk_tensor_group *g)
{
    memset(c->host, 0, c->table->total * sizeof(float));
    for (int i = 0; i < c->table->n; i++) {
        const struct sk_param *p = &c->table->p[i];
        char name[SK_PARAM_NAME + 2] = {g->prefix, ':'};
        memcpy(name + 2, p->name, SK_PARAM_NAME);
        const struct sk_tensor *t = sk_tensors_find(f, name);
        if (!t || t->ndim != p->ndim || memcmp(t->shape, p->shape, (size_t)p->ndim * sizeof *p->shape) != 0)
            return sk_fail(SK_EXIT_DATA, "%s: tensor %s is missing or has another shape", sk_tensors_path(f), name);
        if (sk_tensors_read(f, t, 0, p->size, c->host + p->offset) < 0)
            return -1;
    }
    c->ops->upload(c->dev, g->values, c->host, c->table->total * sizeof(float));
    return 0;
}

int sk_checkpoints_load(const struct sk_checkpoints *c, struct sk_tensors *f, const struct sk_tensor_groups *s)
{
    for (int k = 0; k < s->n; k++)
        if (load_group(c, f, &s->g[k]) < 0)
            return -1;
    return 0;
}

void sk_checkpoints_hash_params(const struct sk_checkpoints *c, char hex[SK_HASH_HEX])
{
    sk_checkpoints_fetch(c, sk_checkpoints_written(c));
    sk_params_hash(c->table, c->host, hex);
}

/* A file that is damaged is passed over: 0; one that cannot be read is an error. */
int sk_checkpoints_damaged(void)
{
    if (sk_fail_code() != SK_EXIT_DATA)
        return -1;
    sk_warn("%s; it is passed over", sk_fail_message());
    return 0;
}

/* Opens and verifies a file with a state: 1; 0 (sk_fail) it is damaged; -1. One
 * of another version is not damaged: passing over it would lose the run. */
int sk_checkpoints_open(const char *path, struct sk_train_state *s, struct sk_tensors **f)
{
    *f = sk_tensors_open(path);
    if (!*f)
        return sk_fail_code() == SK_EXIT_DATA ? 0 : -1;
    const char *text = sk_tensors_meta(*f, "state");
    int parsed = -1;
    if (!text)
        sk_fail(SK_EXIT_DATA, "%s holds no training state", path);
    else if (sk_tensors_verify(*f) == 0)
        parsed = sk_train_state_parse(s, text, path);
    if (parsed == 0 && sk_tensors_has_checksum(*f))
        return 1;
    if (parsed == 0) {
        sk_fail(SK_EXIT_DATA, "%s: damaged: it has no checksum", path);
        sk_train_state_free(s);
    }
    sk_tensors_close(*f);
    *f = NULL;
    return parsed == -2 || sk_fail_code() != SK_EXIT_DATA ? -1 : 0;
}
