/* nvml.h - what the NVIDIA driver says about GPUs; private to this folder.
 *
 * libnvidia-ml.so.1 is opened at run time and stays open; nothing of it is
 * needed to build. Declarations follow NVIDIA's published interface (NVML API
 * reference, version 12).
 */
#ifndef SK_LOCKD_NVML_H
#define SK_LOCKD_NVML_H
#include "lockd/devices.h"

/* Number of devices; 0 where there is no driver; -1 (sk_fail). */
int sk_nvml_open(void);
/* Fills in device i. 0, -1 (sk_fail). */
int sk_nvml_device(int i, struct sk_gpu *gpu);
/* Utilisation and processes of devices, by name. */
void sk_nvml_refresh(struct sk_gpu *gpu, int n);
#endif
