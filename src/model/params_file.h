/* params_file.h - parameters of a model from and to tensor files.
 *
 * A params file holds each parameter of the table under its name with its
 * shape, float32. Sockeye's shapes are ours, so files interchange.
 */
#ifndef SK_MODEL_PARAMS_FILE_H
#define SK_MODEL_PARAMS_FILE_H
#include "model/params.h"
#include "model/tensors.h"

enum { SK_PARAMS_ALLOW_MISSING = 1 };  /* parameters absent from the file keep their values */

/* Compares names and shapes of an open file with the table. Missing or wrongly
 * shaped parameters: -1 with SK_EXIT_DATA naming file, parameter, both shapes.
 * Returns the number of parameters that are not in the file (0 unless
 * allowed), or -1. */
int sk_params_check(const struct sk_params *t, const struct sk_tensors *f, unsigned flags);
/* Fills data (flat, in table order) from an open file: checked as above,
 * values must be finite. Names the table does not know are ignored with one
 * warning. Returns as sk_params_check. */
int sk_params_read(const struct sk_params *t, struct sk_tensors *f, float *data, unsigned flags);
/* Opens, verifies the checksum, reads, closes. hash (may be NULL) gets the
 * checksum of the very file that was read, as sk_tensors_checksum gives it. */
int sk_params_load(const struct sk_params *t, const char *path, float *data, unsigned flags,
                   char hash[SK_HASH_HEX]);
/* Tensors of the table over a flat buffer: malloced array of t->n (names
 * point into the table). */
struct sk_tensor *sk_params_tensors(const struct sk_params *t, const float *data);
/* Writes params alone; returns as sk_tensors_save. */
int sk_params_save(const struct sk_params *t, const char *path, const float *data, enum sk_commit how,
                   char hash[SK_HASH_HEX]);
/* The same as far as sk_tensors_stage goes. */
struct sk_tensors_writer *sk_params_stage(const struct sk_params *t, const char *path, const float *data,
                                          char hash[SK_HASH_HEX]);
/* The checksum that this file would have. */
void sk_params_hash(const struct sk_params *t, const float *data, char hash[SK_HASH_HEX]);
#endif
