/* checkpoint_private.h - what the files of checkpoint.h share; private to this
 * folder.
 */
#ifndef SK_TRAIN_CHECKPOINT_PRIVATE_H
#define SK_TRAIN_CHECKPOINT_PRIVATE_H
#include "base/file.h"
#include "model/tensors.h"
#include "train/checkpoint.h"

/* --- checkpoint_tensors.c ------------------------------------------------------ */

/* Flat arrays in the table's layout that go into one file, each under a prefix. */
struct sk_tensor_group { char prefix; float *values; /* (device) */ };
struct sk_tensor_groups { struct sk_tensor_group g[4]; int n; };
/* SK_OF_MOMENTS: they alone. SK_OF_STATE: what a state has beside params.N. SK_OF_ALL: what a file has that
 * stands alone. In order of their prefixes. */
enum sk_tensors_of { SK_OF_MOMENTS, SK_OF_STATE, SK_OF_ALL };
struct sk_tensor_groups sk_checkpoints_groups(const struct sk_checkpoints *c, enum sk_tensors_of what);
/* (device) what params.N holds. */
float *sk_checkpoints_written(const struct sk_checkpoints *c);
/* Writes groups with the state as metadata, as far as sk_tensors_stage goes: NULL
 * on failure. */
struct sk_tensors_writer *sk_checkpoints_stage(const struct sk_checkpoints *c, const char *path,
                                               const struct sk_tensor_groups *all, const struct sk_train_state *s);
/* Opens and verifies a file with a state: 1; 0 (sk_fail) it is damaged; -1. One
 * of another version is not damaged: passing over it would lose the run. */
int sk_checkpoints_open(const char *path, struct sk_train_state *s, struct sk_tensors **f);
/* Groups of an open file to the device: 0 or -1. */
int sk_checkpoints_load(const struct sk_checkpoints *c, struct sk_tensors *f, const struct sk_tensor_groups *s);
/* After a failure: 0 with a warning if a file is damaged, which is passed over;
 * -1 if it cannot be read. */
int sk_checkpoints_damaged(void);
/* Checksum that sk_params_save gives a file of the parameters. */
void sk_checkpoints_hash_params(const struct sk_checkpoints *c, char hex[SK_HASH_HEX]);
/* From the device to c->host. */
void sk_checkpoints_fetch(const struct sk_checkpoints *c, const float *values);

/* --- checkpoint_derive.c --------------------------------------------------------- */

int sk_checkpoints_drop_interrupted(const struct sk_checkpoints *c);
/* Removes a checkpoint and its evaluation; params first: without them it is
 * no checkpoint any more. */
int sk_checkpoints_remove(const struct sk_checkpoints *c, int number);
#endif
