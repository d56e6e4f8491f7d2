/* devices.h - the GPUs of this host that a program may use.
 *
 * Where they come from, the first that is set:
 *   SK_GPUS                names, separated by commas: pretended GPUs, for tests
 *                          and for hosts without NVIDIA's tools
 *   the NVIDIA driver      libnvidia-ml.so.1, opened at run time; names are UUIDs
 * In both cases CUDA_VISIBLE_DEVICES restricts and orders them as CUDA does:
 * indices or (beginnings of) names, up to the first that means no device;
 * empty or -1 hides all. Indices count what is visible, from 0.
 *
 * A name is made of letters, digits, '-', '_', '.', does not begin with '.',
 * and is at most SK_GPU_NAME - 1 long: it becomes part of a file's name.
 */
#ifndef SK_LOCKD_DEVICES_H
#define SK_LOCKD_DEVICES_H

enum { SK_GPU_NAME = 96, SK_GPU_MODEL = 64 };

struct sk_gpu {
    char name[SK_GPU_NAME];          /* UUID */
    char model[SK_GPU_MODEL];        /* "NVIDIA H100 ..."; empty if not known */
    int utilisation;                 /* percent; -1: not known */
    int processes;                   /* computing on it now, whoever they are; -1: not known */
};
struct sk_gpus {
    int n;
    struct sk_gpu *gpu;
    int pretended;                   /* named by SK_GPUS */
    int scheduled;                   /* given to this job by Slurm: nobody else has them */
};

/* 0, also where there is none (n = 0), or -1 (sk_fail): SK_GPUS holds an
 * impossible name, the driver is there but does not work. */
int sk_gpus_find(struct sk_gpus *g);
/* Asks the driver again for utilisation and processes (unchanged where unknown). */
void sk_gpus_refresh(struct sk_gpus *g);
void sk_gpus_free(struct sk_gpus *g);
/* Index of a device by index ("3") or name (or its beginning, if only one
 * begins so); -1 (sk_fail, SK_EXIT_USAGE). */
int sk_gpus_index(const struct sk_gpus *g, const char *text);
#endif
