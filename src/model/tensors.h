/* tensors.h - tensor files: safetensors, float32.
 *
 * FORMAT: u64 little endian N; N bytes of JSON header: {"__metadata__":
 * {string: string}, "name": {"dtype": "F32", "shape": [..], "data_offsets":
 * [begin, end]}, ...}, padded by blanks to a multiple of 8; then the data.
 * Written with names in byte order, offsets in the same order, metadata first
 * and sorted: bytes depend on content alone. Metadata "xxh3-file" holds the
 * checksum of the whole file, its own 32 digits taken as zeros. Files of other
 * programs, without it, are accepted, and so are those of earlier versions,
 * where "xxh3" is the checksum of the data section alone.
 * The reader treats the file as hostile: sizes, overlaps, gaps, duplicate
 * names, integer overflow, non-F32 types: SK_EXIT_DATA naming file and tensor.
 */
#ifndef SK_MODEL_TENSORS_H
#define SK_MODEL_TENSORS_H
#include <stdint.h>
#include "base/file.h"
#include "base/hash.h"

struct sk_tensor {
    const char *name;
    int ndim;
    int64_t shape[4];
    const float *data;               /* host; NULL in a listing */
    uint64_t begin;                  /* offset in the data section */
    size_t size;                     /* floats */
};
struct sk_meta { const char *key, *value; };

/* A shape for messages: "3 x 4". */
enum { SK_SHAPE_TEXT = 100 };
void sk_tensor_shape(int ndim, const int64_t *shape, char text[SK_SHAPE_TEXT]);

struct sk_tensors_writer;
/* Writes a whole file. hash (may be NULL) gets the checksum. 0, 1
 * (published before with the same content), -1. */
int sk_tensors_save(const char *path, const struct sk_tensor *t, int n,
                    const struct sk_meta *meta, int n_meta, enum sk_commit how, char hash[SK_HASH_HEX]);
/* The same, but only sealed (below): NULL on failure. */
struct sk_tensors_writer *sk_tensors_stage(const char *path, const struct sk_tensor *t, int n,
                                           const struct sk_meta *meta, int n_meta, char hash[SK_HASH_HEX]);
/* The checksum that such a file would have. */
void sk_tensors_hash(const struct sk_tensor *t, int n, const struct sk_meta *meta, int n_meta,
                     char hash[SK_HASH_HEX]);

/* Streaming writer for output larger than memory: tensors' data are given in
 * the order of the listing (t[].data ignored). The checksum of metadata is
 * known only at the end, so the header is written with a place for it: the
 * output must be a file, not a pipe. */
struct sk_tensors_writer *sk_tensors_create(const char *path, const struct sk_tensor *t, int n,
                                            const struct sk_meta *meta, int n_meta);
int sk_tensors_write(struct sk_tensors_writer *w, const float *data, size_t n);
int sk_tensors_finish(struct sk_tensors_writer *w, enum sk_commit how, char hash[SK_HASH_HEX]);
/* The same in two steps: seal completes the bytes, the system has them, and they
 * no longer depend on memory; commit makes them last and gives them their
 * name, which takes as long as the disk does: perhaps in another thread. */
int sk_tensors_seal(struct sk_tensors_writer *w, char hash[SK_HASH_HEX]);    /* 0; -1: w is gone */
int sk_tensors_commit(struct sk_tensors_writer *w, enum sk_commit how);      /* as sk_tensors_save */
void sk_tensors_abandon(struct sk_tensors_writer *w);

struct sk_tensors;
struct sk_tensors *sk_tensors_open(const char *path);     /* header checked; NULL: sk_fail */
void sk_tensors_close(struct sk_tensors *f);
int sk_tensors_count(const struct sk_tensors *f);
const struct sk_tensor *sk_tensors_at(const struct sk_tensors *f, int i);   /* by name order */
const struct sk_tensor *sk_tensors_find(const struct sk_tensors *f, const char *name);
const char *sk_tensors_meta(const struct sk_tensors *f, const char *key);   /* NULL: absent */
/* Reads n floats of a tensor from `first`: 0 or -1. */
int sk_tensors_read(struct sk_tensors *f, const struct sk_tensor *t, size_t first, size_t n, float *out);
/* Reads all data once and compares the checksum: 0, or -1 with SK_EXIT_DATA.
 * A file without checksum passes. */
int sk_tensors_verify(struct sk_tensors *f);
/* The same for who reads the data anyway, in the order of the file: *h (NULL:
 * there is no checksum) is where they are to be added; end frees it. 0 or -1. */
int sk_tensors_check_begin(struct sk_tensors *f, struct sk_hash **h);
int sk_tensors_check_end(struct sk_tensors *f, struct sk_hash *h);
/* 1: the header has a checksum of the whole file. */
int sk_tensors_has_checksum(const struct sk_tensors *f);
/* By which the content is known: the checksum of the header, else that of all
 * bytes of the file. 0 or -1. */
int sk_tensors_checksum(struct sk_tensors *f, char hex[SK_HASH_HEX]);
const char *sk_tensors_path(const struct sk_tensors *f);
#endif
