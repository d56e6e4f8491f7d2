/* tensors_read.c - tensor files, read as from a stranger: see tensors.h. */
#include "model/tensors.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/msg.h"

enum { HEADER_LIMIT = 100 * 1000 * 1000 };

struct sk_tensors {
    char *path;
    int fd, n;
    uint64_t data_at, data_size;
    json_t *header;
    struct sk_tensor *t;             /* by name */
};

static int read_at(struct sk_tensors *f, void *out, size_t n, uint64_t at)
{
    char *p = out;
    while (n > 0) {
        ssize_t r = pread(f->fd, p, n, (off_t)at);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return sk_fail_errno("%s: cannot read", f->path);
        if (r == 0) return sk_fail(SK_EXIT_DATA, "%s: the file is cut short", f->path);
        p += r;
        n -= (size_t)r;
        at += (uint64_t)r;
    }
    return 0;
}

static int bad(const struct sk_tensors *f, const char *name, const char *what)
{
    return sk_fail(SK_EXIT_DATA, "%s: tensor %.200s: %s", f->path, name, what);
}

/* A whole number of JSON in 0..limit; -1 if it is none. */
static int64_t whole(const json_t *v, uint64_t limit)
{
    if (!json_is_integer(v)) return -1;
    json_int_t i = json_integer_value(v);
    return i < 0 || (uint64_t)i > limit ? -1 : (int64_t)i;
}

static int read_entry(const struct sk_tensors *f, struct sk_tensor *t, const char *name, const json_t *o)
{
    const char *dtype = json_string_value(json_object_get(o, "dtype"));
    const json_t *shape = json_object_get(o, "shape"), *offsets = json_object_get(o, "data_offsets");
    t->name = name;
    if (!dtype || strcmp(dtype, "F32")) return bad(f, name, "its type is not F32; convert the file to float32");
    if (!json_is_array(shape) || json_array_size(shape) > 4) return bad(f, name, "its shape is none of 0 to 4 sizes");
    t->ndim = (int)json_array_size(shape);
    uint64_t size = 1, limit = f->data_size / sizeof(float);
    for (int i = 0; i < t->ndim; i++) {
        t->shape[i] = whole(json_array_get(shape, (size_t)i), INT64_MAX);
        if (t->shape[i] < 0) return bad(f, name, "its shape holds something that is no size");
        if (__builtin_mul_overflow(size, (uint64_t)t->shape[i], &size)) return bad(f, name, "its shape is too large");
    }
    if (size > limit) return bad(f, name, "its shape is larger than the file");
    int64_t begin = whole(json_array_get(offsets, 0), f->data_size), end = whole(json_array_get(offsets, 1), f->data_size);
    if (json_array_size(offsets) != 2 || begin < 0 || end < begin) return bad(f, name, "its offsets are outside the file");
    if ((uint64_t)(end - begin) != size * sizeof(float)) return bad(f, name, "its offsets do not agree with its shape");
    t->begin = (uint64_t)begin;
    t->size = (size_t)size;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sk_tensor *)a)->name, ((const struct sk_tensor *)b)->name);
}

static int by_offset(const void *a, const void *b)
{
    const struct sk_tensor *x = *(const struct sk_tensor *const *)a, *y = *(const struct sk_tensor *const *)b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->size < y->size ? -1 : x->size > y->size;
}

/* The tensors must fill the data section exactly. */
static int check_layout(const struct sk_tensors *f)
{
    const struct sk_tensor **order = sk_xcalloc((size_t)f->n + 1, sizeof *order);
    for (int i = 0; i < f->n; i++) order[i] = &f->t[i];
    qsort(order, (size_t)f->n, sizeof *order, by_offset);
    uint64_t at = 0;
    int r = 0;
    for (int i = 0; i < f->n && !r; i++) {
        if (order[i]->begin != at)
            r = bad(f, order[i]->name, order[i]->begin < at ? "it overlaps another" : "there is a gap before it");
        at = order[i]->begin + order[i]->size * sizeof(float);
    }
    if (!r && at != f->data_size)
        r = sk_fail(SK_EXIT_DATA, "%s: %llu bytes after the last tensor", f->path,
                    (unsigned long long)(f->data_size - at));
    free(order);
    return r;
}

static int read_header(struct sk_tensors *f)
{
    struct stat st;
    unsigned char raw[8];
    uint64_t length = 0;
    if (fstat(f->fd, &st)) return sk_fail_errno("%s", f->path);
    if (!S_ISREG(st.st_mode)) return sk_fail(SK_EXIT_DATA, "%s: not a regular file", f->path);
    uint64_t size = (uint64_t)st.st_size;
    if (size < 10) return sk_fail(SK_EXIT_DATA, "%s: no tensor file (safetensors): too short", f->path);
    if (read_at(f, raw, 8, 0)) return -1;
    for (int i = 0; i < 8; i++) length |= (uint64_t)raw[i] << (8 * i);
    if (length < 2 || length > HEADER_LIMIT || length > size - 8)
        return sk_fail(SK_EXIT_DATA, "%s: no tensor file (safetensors): its header would have %llu bytes", f->path,
                       (unsigned long long)length);
    f->data_at = 8 + length;
    f->data_size = size - f->data_at;
    char *text = sk_xmalloc(length);
    json_error_t e;
    int r = read_at(f, text, length, 8);
    if (!r) {
        f->header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &e);
        if (!json_is_object(f->header))
            r = sk_fail(SK_EXIT_DATA, "%s: no tensor file (safetensors): the header is no JSON object: %s", f->path,
                        f->header ? "another type" : e.text);
    }
    free(text);
    if (r) return r;
    f->t = sk_xcalloc(json_object_size(f->header) + 1, sizeof *f->t);
    const char *key;
    json_t *value;
    json_object_foreach(f->header, key, value) {
        if (!strcmp(key, "__metadata__")) {
            const char *k;
            json_t *v;
            if (!json_is_object(value)) return sk_fail(SK_EXIT_DATA, "%s: __metadata__ is no object", f->path);
            json_object_foreach(value, k, v)
                if (!json_is_string(v))
                    return sk_fail(SK_EXIT_DATA, "%s: __metadata__: %.200s is no text", f->path, k);
            continue;
        }
        if (read_entry(f, &f->t[f->n], key, value)) return -1;
        f->n++;
    }
    qsort(f->t, (size_t)f->n, sizeof *f->t, by_name);
    return check_layout(f);
}

struct sk_tensors *sk_tensors_open(const char *path)
{
    struct sk_tensors *f = sk_xcalloc(1, sizeof *f);
    f->path = sk_xstrdup(path);
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0) sk_fail_errno("%s", path);
    else if (read_header(f) == 0) return f;
    sk_tensors_close(f);
    return NULL;
}

void sk_tensors_close(struct sk_tensors *f)
{
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    json_decref(f->header);
    free(f->t);
    free(f->path);
    free(f);
}

int sk_tensors_count(const struct sk_tensors *f) { return f->n; }
const struct sk_tensor *sk_tensors_at(const struct sk_tensors *f, int i) { return &f->t[i]; }
const char *sk_tensors_path(const struct sk_tensors *f) { return f->path; }

const struct sk_tensor *sk_tensors_find(const struct sk_tensors *f, const char *name)
{
    struct sk_tensor key = {.name = name};
    return f->n ? bsearch(&key, f->t, (size_t)f->n, sizeof *f->t, by_name) : NULL;
}

const char *sk_tensors_meta(const struct sk_tensors *f, const char *key)
{
    return json_string_value(json_object_get(json_object_get(f->header, "__metadata__"), key));
}

int sk_tensors_read(struct sk_tensors *f, const struct sk_tensor *t, size_t first, size_t n, float *out)
{
    SK_ENSURE(first <= t->size && n <= t->size - first);
    return read_at(f, out, n * sizeof *out, f->data_at + t->begin + first * sizeof *out);
}

/* --- the checksum ---------------------------------------------------------- */

static const char file_key[] = "xxh3-file", data_key[] = "xxh3";

int sk_tensors_has_checksum(const struct sk_tensors *f) { return sk_tensors_meta(f, file_key) != NULL; }

/* Adds the header, with zeros where its checksum stands. */
static int add_header(struct sk_tensors *f, struct sk_hash *h)
{
    const char *want = sk_tensors_meta(f, file_key);
    char *text = sk_xmalloc(f->data_at);
    int r = read_at(f, text, f->data_at, 0);
    /* Inside of a text the quotes would be escaped. */
    char *key = sk_xprintf("\"%s\":\"%s\"", file_key, want);
    size_t n = strlen(key), digits = strlen(want);
    char *at = r ? NULL : memmem(text, f->data_at, key, n);
    if (at) memset(at + n - 1 - digits, '0', digits);
    if (!r) sk_hash_add(h, text, f->data_at);
    free(key);
    free(text);
    return r;
}

int sk_tensors_check_begin(struct sk_tensors *f, struct sk_hash **h)
{
    char unused[SK_HASH_HEX];
    int whole_file = sk_tensors_has_checksum(f);
    *h = whole_file || sk_tensors_meta(f, data_key) ? sk_hash_new() : NULL;
    if (!whole_file || add_header(f, *h) == 0) return 0;
    sk_hash_end(*h, unused);
    *h = NULL;
    return -1;
}

int sk_tensors_check_end(struct sk_tensors *f, struct sk_hash *h)
{
    char have[SK_HASH_HEX];
    if (!h) return 0;
    sk_hash_end(h, have);
    if (!strcmp(have, sk_tensors_meta(f, sk_tensors_has_checksum(f) ? file_key : data_key))) return 0;
    return sk_fail(SK_EXIT_DATA, "%s: damaged: it does not have the checksum in its header", f->path);
}

/* Adds the bytes from `at` to the end of the file. */
static int add_rest(struct sk_tensors *f, struct sk_hash *h, uint64_t at)
{
    enum { CHUNK = 1 << 20 };
    char *buffer = sk_xmalloc(CHUNK);
    uint64_t end = f->data_at + f->data_size;
    int r = 0;
    for (; at < end && !r; at += CHUNK) {
        size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
        r = read_at(f, buffer, n, at);
        if (!r) sk_hash_add(h, buffer, n);
    }
    free(buffer);
    return r;
}

int sk_tensors_verify(struct sk_tensors *f)
{
    struct sk_hash *h;
    char unused[SK_HASH_HEX];
    if (sk_tensors_check_begin(f, &h)) return -1;
    if (!h || add_rest(f, h, f->data_at) == 0) return sk_tensors_check_end(f, h);
    sk_hash_end(h, unused);
    return -1;
}

int sk_tensors_checksum(struct sk_tensors *f, char hex[SK_HASH_HEX])
{
    const char *sum = sk_tensors_meta(f, sk_tensors_has_checksum(f) ? file_key : data_key);
    if (sum && strlen(sum) == SK_HASH_HEX - 1) {
        memcpy(hex, sum, SK_HASH_HEX);
        return 0;
    }
    struct sk_hash *h = sk_hash_new();
    int r = add_rest(f, h, 0);
    sk_hash_end(h, hex);
    return r;
}
