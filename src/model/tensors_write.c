/* tensors_write.c - tensor files, written: see tensors.h. */
#include "model/tensors.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/msg.h"

struct sk_tensors_writer {
    struct sk_file file;
    struct sk_hash *hash;
    size_t hash_at;                  /* where the checksum stands in the file */
    uint64_t left;                   /* floats to come */
};

void sk_tensor_shape(int ndim, const int64_t *shape, char text[SK_SHAPE_TEXT])
{
    size_t at = 0;
    if (!ndim) snprintf(text, SK_SHAPE_TEXT, "a single number");
    for (int i = 0; i < ndim; i++)
        at += (size_t)snprintf(text + at, SK_SHAPE_TEXT - at, "%s%lld", i ? " x " : "", (long long)shape[i]);
}

static void add_json_string(struct sk_str *s, const char *text)
{
    sk_str_add(s, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') sk_str_printf(s, "\\%c", c);
        else if (c < 0x20) sk_str_printf(s, "\\u%04x", c);
        else sk_str_add(s, text, 1);
    }
    sk_str_add(s, "\"", 1);
}

static int tensor_order(const void *a, const void *b)
{
    return strcmp((*(const struct sk_tensor *const *)a)->name, (*(const struct sk_tensor *const *)b)->name);
}

static int meta_order(const void *a, const void *b)
{
    return strcmp(((const struct sk_meta *)a)->key, ((const struct sk_meta *)b)->key);
}

static const char hash_key[] = "xxh3-file";

/* The header, its length before it; *hash_at: where 32 digits, zeros now, are to
 * be filled in. */
static struct sk_str header(const struct sk_tensor *t, int n, const struct sk_meta *meta, int n_meta,
                            size_t *hash_at)
{
    struct sk_str s = {0};
    sk_str_add(&s, "\0\0\0\0\0\0\0", 8);
    struct sk_meta *m = sk_xcalloc((size_t)n_meta + 1, sizeof *m);
    if (n_meta) memcpy(m, meta, (size_t)n_meta * sizeof *m);
    m[n_meta] = (struct sk_meta){hash_key, "00000000000000000000000000000000"};
    qsort(m, (size_t)n_meta + 1, sizeof *m, meta_order);
    sk_str_printf(&s, "{\"__metadata__\":{");
    for (int i = 0; i <= n_meta; i++) {
        if (i) sk_str_add(&s, ",", 1);
        add_json_string(&s, m[i].key);
        sk_str_add(&s, ":", 1);
        if (m[i].key == hash_key) *hash_at = s.len + 1;
        add_json_string(&s, m[i].value);
    }
    sk_str_add(&s, "}", 1);
    free(m);
    uint64_t at = 0;
    for (int i = 0; i < n; i++) {
        if (i && strcmp(t[i - 1].name, t[i].name) >= 0)
            SK_BUG("tensors are not in order: %s, %s", t[i - 1].name, t[i].name);
        sk_str_add(&s, ",", 1);
        add_json_string(&s, t[i].name);
        sk_str_printf(&s, ":{\"dtype\":\"F32\",\"shape\":[");
        for (int k = 0; k < t[i].ndim; k++) sk_str_printf(&s, "%s%lld", k ? "," : "", (long long)t[i].shape[k]);
        sk_str_printf(&s, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
                      (unsigned long long)(at + t[i].size * sizeof(float)));
        at += t[i].size * sizeof(float);
    }
    sk_str_add(&s, "}", 1);
    while (s.len % 8) sk_str_add(&s, " ", 1);
    for (int i = 0; i < 8; i++) s.text[i] = (char)((uint64_t)(s.len - 8) >> (8 * i));
    return s;
}

struct sk_tensors_writer *sk_tensors_create(const char *path, const struct sk_tensor *t, int n,
                                            const struct sk_meta *meta, int n_meta)
{
    struct sk_tensors_writer *w = sk_xcalloc(1, sizeof *w);
    size_t hash_at = 0;
    struct sk_str s = header(t, n, meta, n_meta, &hash_at);
    w->hash_at = hash_at;
    for (int i = 0; i < n; i++) w->left += t[i].size;
    int created = sk_file_create(&w->file, path) == 0, failed = !created;
    if (created && lseek(w->file.fd, 0, SEEK_CUR) < 0)
        failed = sk_fail(SK_EXIT_USAGE, "%s is a pipe: a tensor file needs a place where its header can be completed "
                         "at the end; name a file", path);
    if (!failed) failed = sk_file_write(&w->file, s.text, s.len);
    if (created && failed) sk_file_abandon(&w->file);
    if (failed) {
        sk_str_free(&s);
        free(w);
        return NULL;
    }
    w->hash = sk_hash_new();
    sk_hash_add(w->hash, s.text, s.len);
    sk_str_free(&s);
    return w;
}

int sk_tensors_write(struct sk_tensors_writer *w, const float *data, size_t n)
{
    SK_ENSURE(n <= w->left);
    w->left -= n;
    sk_hash_add(w->hash, data, n * sizeof *data);
    return sk_file_write(&w->file, data, n * sizeof *data);
}

int sk_tensors_seal(struct sk_tensors_writer *w, char hash[SK_HASH_HEX])
{
    char hex[SK_HASH_HEX];
    SK_ENSURE(w->left == 0);
    sk_hash_end(w->hash, hex);
    w->hash = NULL;
    if (hash) memcpy(hash, hex, SK_HASH_HEX);
    int r = sk_file_patch(&w->file, hex, SK_HASH_HEX - 1, w->hash_at);
    if (r) sk_tensors_abandon(w);
    return r;
}

int sk_tensors_commit(struct sk_tensors_writer *w, enum sk_commit how)
{
    int r = sk_file_commit(&w->file, how);
    free(w);
    return r;
}

int sk_tensors_finish(struct sk_tensors_writer *w, enum sk_commit how, char hash[SK_HASH_HEX])
{
    return sk_tensors_seal(w, hash) ? -1 : sk_tensors_commit(w, how);
}

void sk_tensors_abandon(struct sk_tensors_writer *w)
{
    char hex[SK_HASH_HEX];
    if (!w) return;
    if (w->hash) sk_hash_end(w->hash, hex);
    sk_file_abandon(&w->file);
    free(w);
}

/* The list in the order of names (malloced). */
static struct sk_tensor *by_name(const struct sk_tensor *t, int n)
{
    const struct sk_tensor **order = sk_xcalloc((size_t)n + 1, sizeof *order);
    struct sk_tensor *sorted = sk_xcalloc((size_t)n + 1, sizeof *sorted);
    for (int i = 0; i < n; i++) order[i] = &t[i];
    qsort(order, (size_t)n, sizeof *order, tensor_order);
    for (int i = 0; i < n; i++) sorted[i] = *order[i];
    free(order);
    return sorted;
}

struct sk_tensors_writer *sk_tensors_stage(const char *path, const struct sk_tensor *t, int n,
                                           const struct sk_meta *meta, int n_meta, char hash[SK_HASH_HEX])
{
    struct sk_tensor *sorted = by_name(t, n);
    struct sk_tensors_writer *w = sk_tensors_create(path, sorted, n, meta, n_meta);
    int r = w ? 0 : -1;
    for (int i = 0; i < n && !r; i++) r = sk_tensors_write(w, sorted[i].data, sorted[i].size);
    if (w && r) sk_tensors_abandon(w);
    free(sorted);
    return r || sk_tensors_seal(w, hash) ? NULL : w;
}

int sk_tensors_save(const char *path, const struct sk_tensor *t, int n, const struct sk_meta *meta, int n_meta,
                    enum sk_commit how, char hash[SK_HASH_HEX])
{
    struct sk_tensors_writer *w = sk_tensors_stage(path, t, n, meta, n_meta, hash);
    return w ? sk_tensors_commit(w, how) : -1;
}

void sk_tensors_hash(const struct sk_tensor *t, int n, const struct sk_meta *meta, int n_meta, char hash[SK_HASH_HEX])
{
    size_t hash_at;
    struct sk_tensor *sorted = by_name(t, n);
    struct sk_str s = header(sorted, n, meta, n_meta, &hash_at);
    struct sk_hash *h = sk_hash_new();
    sk_hash_add(h, s.text, s.len);
    for (int i = 0; i < n; i++) sk_hash_add(h, sorted[i].data, sorted[i].size * sizeof *sorted[i].data);
    sk_hash_end(h, hash);
    sk_str_free(&s);
    free(sorted);
}
