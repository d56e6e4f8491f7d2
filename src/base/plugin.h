/* plugin.h - where plug-ins stand: beside the program's own file, as libsk-NAME.so. */
#ifndef SK_BASE_PLUGIN_H
#define SK_BASE_PLUGIN_H

/* Path of the plug-in, for the caller to free; NULL if there is none. SK_PLUGIN_CUDA
 * in the environment (cuda's name in capitals) names another file, or none ("").
 * An installed program has its plug-ins in ../lib/sk. */
char *sk_plugin_find(const char *name);
/* "cpu", or "cpu cuda": backends of this program. */
const char *sk_plugin_backends(void);
#endif
