/* dtype.c - number types by name. */
#include <string.h>
#include "base/msg.h"
#include "math/ops.h"

static const char *const names[] = { [SK_FLOAT32] = "float32", [SK_BFLOAT16] = "bfloat16" };

enum sk_dtype sk_dtype_named(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum sk_dtype)i;
    SK_BUG("there is no number type '%s'", name);
}

const char *sk_dtype_name(enum sk_dtype dtype) { return names[dtype]; }
