/* dtype.c - number types by name. */
#include <string.h>
#include "base/msg.h"
#include "math/ops.h"

enum sk_dtype sk_dtype_named(const char *name)
{
    static const char *const names[] = { "float32", "bfloat16" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum sk_dtype)i;
    SK_BUG("there is no number type '%s'", name);
}
