/* open.c - opening a backend as the programs' options say. */
#include <string.h>
#include "base/msg.h"
#include "base/pool.h"
#include "math/ops.h"

static enum sk_dtype dtype_named(const char *name)
{
    static const char *const names[] = { "float32", "bfloat16" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum sk_dtype)i;
    SK_BUG("there is no number type '%s'", name);
}

struct sk_device *sk_device_open(const struct sk_ops *ops, int threads, const char *dtype)
{
    const char *why = "";
    struct sk_device *dev = ops->open(threads > 0 ? threads : sk_cpu_count(), &why);
    if (!dev) {
        sk_fail(SK_EXIT_NO, "the %s backend cannot be used: %s", ops->name, why);
        return NULL;
    }
    const char *remark = ops->set_dtype(dev, dtype_named(dtype));
    if (remark)
        sk_warn("--dtype %s: %s", dtype, remark);
    return dev;
}
