/* config.h - config.json: all that translating needs besides vocabularies
 * and parameters. JSON object, keys sorted, format version inside.
 */
#ifndef SK_MODELDIR_CONFIG_H
#define SK_MODELDIR_CONFIG_H
#include "model/model.h"

enum { SK_CONFIG_VERSION = 1 };
struct sk_config {
    struct sk_model_config model;     /* dropouts included, as a record */
    int max_seq_len[2];              /* --max-seq-len: words of training pairs, without BOS/EOS */
    double length_ratio_mean, length_ratio_std;
};
/* Text of the file (malloced): a pure function of the values. */
char *sk_config_text(const struct sk_config *c);
int sk_config_save(const struct sk_config *c, const char *dir);
/* Hostile input: types and ranges are checked, then sk_model_check. */
int sk_config_load(struct sk_config *c, const char *dir);
#endif
