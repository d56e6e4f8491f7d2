/* identity.c - whether a model directory still holds the run that a process takes part in. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "modeldir/paths.h"
#include "train/prepare.h"

static char *load(const struct sk_train_options *o, const char *name, size_t *n)
{
    char *path = sk_path_join(o->output, name), *text = sk_file_load(path, 1 << 20, n);
    free(path);
    return text;
}

int sk_train_identity(const struct sk_train_options *o, char hex[SK_HASH_HEX])
{
    size_t n, size;
    char *args = load(o, SK_MD_ARGS, &n), *sums = args ? load(o, SK_MD_CHECKSUMS, &size) : NULL;
    int differ = sums ? sk_opt_compare(sk_train_program.options, o, args, NULL, NULL) : -1;
    if (differ > 0)
        sk_fail(SK_EXIT_CONFIG, "%s was begun anew with other options than this shard has; give it those, or another "
                "--output", o->output);
    if (differ == 0) {
        char *bound = sk_opt_bound(sk_train_program.options, o);
        struct sk_hash *h = sk_hash_new();
        sk_hash_add(h, bound, strlen(bound));
        sk_hash_add(h, sums, size);
        sk_hash_end(h, hex);
        free(bound);
    }
    free(args);
    free(sums);
    return differ ? -1 : 0;
}
