/* numbers.c - which numbers a run multiplies, where no option says so. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/msg.h"
#include "math/backend.h"
#include "modeldir/paths.h"
#include "train/options.h"

/* What the directory's run was begun with; NULL: there is none, or not known. */
static const char *recorded(const char *dir)
{
    char *path = sk_path_join(dir, SK_MD_ARGS), *text = NULL, *rest, *line;
    const char *found = NULL;
    size_t n;
    if (sk_file_exists(path) > 0)
        text = sk_file_load(path, 1 << 20, &n);
    free(path);
    for (rest = text; text && (line = strsep(&rest, "\n")) != NULL;)
        for (enum sk_dtype d = SK_FLOAT32; strncmp(line, "dtype\t", 6) == 0 && d < SK_INT8; d++)
            if (strcmp(line + 6, sk_dtype_name(d)) == 0)
                found = sk_dtype_name(d);
    free(text);
    return found;
}

int sk_train_settle_numbers(struct sk_train_options *o, int gpu)
{
    if (!o->dtype && !o->overwrite_output)
        o->dtype = recorded(o->output);
    if (o->dtype)
        return 0;
    const struct sk_ops *ops = gpu < 0 ? sk_backend(o->use_cpu) : NULL;
    if (gpu < 0 && !ops)
        return -1;
    /* All GPUs that can be used have instructions for bfloat16. */
    o->dtype = sk_dtype_name(gpu > 0 || (ops && !ops->host) ? SK_BFLOAT16 : SK_FLOAT32);
    return 0;
}
