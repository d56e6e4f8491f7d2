/* backend.h - which backend computes for a program. */
#ifndef SK_MATH_BACKEND_H
#define SK_MATH_BACKEND_H
#include "math/ops.h"

/* The GPU's backend, if there is the plug-in for it (base/plugin.h) and this process sees
 * a GPU; else the CPU's. With a plug-in but no GPU, says why the CPU computes (once).
 * use_cpu: the CPU's at once. GPUs that are pretended (SK_GPUS) do not
 * count. SK_GPU_NEEDED=1, which sk-train sets for its processes: without a GPU it fails,
 * in a way that may pass. NULL: sk_fail, of a plug-in that does not fit or a GPU that fails. */
const struct sk_ops *sk_backend(int use_cpu);
/* Would that look for a GPU? Looks at none itself. */
int sk_backend_wants_gpu(int use_cpu);
#endif
