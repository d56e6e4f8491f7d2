/* dtype.c - number types by name; devices opened for one. */
#include <string.h>
#include "base/msg.h"
#include "base/pool.h"
#include "math/ops.h"

static const char *const names[] = { [SK_FLOAT32] = "float32", [SK_BFLOAT16] = "bfloat16",
                                     [SK_BFLOAT16_AMX] = "bfloat16-amx", [SK_TF32] = "tf32",
                                     [SK_INT8] = "int8" };

enum sk_dtype sk_dtype_named(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum sk_dtype)i;
    SK_BUG("there is no number type '%s'", name);
}

const char *sk_dtype_name(enum sk_dtype dtype) { return names[dtype]; }

struct sk_device *sk_device_open(const struct sk_ops *ops, int threads, const char *dtype)
{
    const char *why = "";
    struct sk_device *dev = ops->open(threads > 0 ? threads : sk_cpu_count(), &why);
    if (!dev) {
        sk_fail(SK_EXIT_NO, "the %s backend cannot be used: %s", ops->name, why);
        return NULL;
    }
    const char *remark = ops->set_dtype(dev, sk_dtype_named(dtype));
    if (remark)
        sk_warn("--dtype %s: %s", dtype, remark);
    return dev;
}
