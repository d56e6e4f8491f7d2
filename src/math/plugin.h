/* plugin.h - what a backend in a plug-in exports: one symbol, sk_plugin. The
 * plug-in and the program must be of one build; `size` and `version` tell.
 */
#ifndef SK_MATH_PLUGIN_H
#define SK_MATH_PLUGIN_H
#include "math/ops.h"

#define SK_PLUGIN_VERSION "2"            /* goes up when struct sk_ops changes its meaning */

struct sk_plugin {
    const char *version;
    size_t size;                         /* sizeof(struct sk_ops) */
    const struct sk_ops *ops;
    /* Called once, before all else. fatal: ends the program with an exit code and a
     * message; for errors inside operations, which return nothing. It does not return. */
    void (*begin)(void (*fatal)(int code, const char *message));
    /* How many devices this process sees. 0: none, and *why (static text); -1: they fail. */
    int (*devices)(const char **why);
};
#endif
