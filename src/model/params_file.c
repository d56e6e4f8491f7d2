#include "model/params_file.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/msg.h"

int sk_params_check(const struct sk_params *t, const struct sk_tensors *f, unsigned flags)
{
    const char *path = sk_tensors_path(f);
    int missing = 0;
    for (int i = 0; i < t->n; i++) {
        const struct sk_param *p = &t->p[i];
        const struct sk_tensor *x = sk_tensors_find(f, p->name);
        if (!x && (flags & SK_PARAMS_ALLOW_MISSING)) {
            missing++;
            continue;
        }
        if (!x)
            return sk_fail(SK_EXIT_DATA, "%s: parameter %s is missing; the model wants %d parameters, the file has %d",
                           path, p->name, t->n, sk_tensors_count(f));
        if (x->ndim != p->ndim || memcmp(x->shape, p->shape, (size_t)p->ndim * sizeof *p->shape)) {
            char have[SK_SHAPE_TEXT], want[SK_SHAPE_TEXT];
            sk_tensor_shape(x->ndim, x->shape, have);
            sk_tensor_shape(p->ndim, p->shape, want);
            return sk_fail(SK_EXIT_DATA, "%s: parameter %s is %s, the model wants %s", path, p->name, have, want);
        }
    }
    return missing;
}

int sk_params_read(const struct sk_params *t, struct sk_tensors *f, float *data, unsigned flags)
{
    const char *path = sk_tensors_path(f);
    int missing = sk_params_check(t, f, flags), known = t->n - missing;
    if (missing < 0) return -1;
    for (int i = 0; i < t->n; i++) {
        const struct sk_param *p = &t->p[i];
        const struct sk_tensor *x = sk_tensors_find(f, p->name);
        if (!x) continue;
        float *at = data + p->offset;
        if (sk_tensors_read(f, x, 0, x->size, at)) return -1;
        for (size_t k = 0; k < x->size; k++)
            if (!isfinite(at[k]))
                return sk_fail(SK_EXIT_DATA, "%s: parameter %s: value %zu is not finite", path, p->name, k);
    }
    if (known < sk_tensors_count(f))
        for (int i = 0; i < sk_tensors_count(f); i++)
            if (!sk_params_find(t, sk_tensors_at(f, i)->name)) {
                sk_warn("%s: %d tensors are not of this model and ignored (%s, ...)", path, sk_tensors_count(f) - known,
                        sk_tensors_at(f, i)->name);
                break;
            }
    return missing;
}

int sk_params_load(const struct sk_params *t, const char *path, float *data, unsigned flags,
                   char hash[SK_HASH_HEX])
{
    struct sk_tensors *f = sk_tensors_open(path);
    if (!f) return -1;
    int r = sk_tensors_verify(f) ? -1 : sk_params_read(t, f, data, flags);
    if (r >= 0 && hash && sk_tensors_checksum(f, hash)) r = -1;
    sk_tensors_close(f);
    return r;
}

struct sk_tensor *sk_params_tensors(const struct sk_params *t, const float *data)
{
    struct sk_tensor *x = sk_xcalloc((size_t)t->n, sizeof *x);
    for (int i = 0; i < t->n; i++) {
        const struct sk_param *p = &t->p[i];
        x[i] = (struct sk_tensor){.name = p->name, .ndim = p->ndim, .size = p->size};
        memcpy(x[i].shape, p->shape, sizeof x[i].shape);
        if (data) x[i].data = data + p->offset;
    }
    return x;
}

int sk_params_save(const struct sk_params *t, const char *path, const float *data, enum sk_commit how,
                   char hash[SK_HASH_HEX])
{
    struct sk_tensor *x = sk_params_tensors(t, data);
    int r = sk_tensors_save(path, x, t->n, NULL, 0, how, hash);
    free(x);
    return r;
}

struct sk_tensors_writer *sk_params_stage(const struct sk_params *t, const char *path, const float *data,
                                          char hash[SK_HASH_HEX])
{
    struct sk_tensor *x = sk_params_tensors(t, data);
    struct sk_tensors_writer *w = sk_tensors_stage(path, x, t->n, NULL, 0, hash);
    free(x);
    return w;
}

void sk_params_hash(const struct sk_params *t, const float *data, char hash[SK_HASH_HEX])
{
    struct sk_tensor *x = sk_params_tensors(t, data);
    sk_tensors_hash(x, t->n, NULL, 0, hash);
    free(x);
}
