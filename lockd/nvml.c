#include "lockd/nvml.h"

#include <dlfcn.h>
#include <string.h>

#include "base/msg.h"

typedef struct nvmlDevice_st *device_handle;
struct utilisation { unsigned gpu, memory; };
struct process_info { unsigned pid; unsigned long long memory; unsigned instance, compute_instance; };

enum { DONE = 0, NOT_FOUND = 6, TOO_SMALL = 7, DRIVER_NOT_LOADED = 9 };

static struct {
    int tried, count;
    int (*init)(void);
    const char *(*error)(int);
    int (*get_count)(unsigned *);
    int (*by_index)(unsigned, device_handle *);
    int (*by_uuid)(const char *, device_handle *);
    int (*uuid)(device_handle, char *, unsigned);
    int (*model)(device_handle, char *, unsigned);
    int (*utilisation)(device_handle, struct utilisation *);
    int (*processes)(device_handle, unsigned *, struct process_info *);
} nvml;

static int load(void *library)
{
    static const struct { const char *name; void **into; } symbols[] = {
        {"nvmlInit_v2", (void **)&nvml.init},
        {"nvmlErrorString", (void **)&nvml.error},
        {"nvmlDeviceGetCount_v2", (void **)&nvml.get_count},
        {"nvmlDeviceGetHandleByIndex_v2", (void **)&nvml.by_index},
        {"nvmlDeviceGetHandleByUUID", (void **)&nvml.by_uuid},
        {"nvmlDeviceGetUUID", (void **)&nvml.uuid},
        {"nvmlDeviceGetName", (void **)&nvml.model},
        {"nvmlDeviceGetUtilizationRates", (void **)&nvml.utilisation},
        {"nvmlDeviceGetComputeRunningProcesses_v3", (void **)&nvml.processes}};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (!(*symbols[i].into = dlsym(library, symbols[i].name)))
            return sk_fail(SK_EXIT_TEMP, "libnvidia-ml.so.1 has no %s: its driver is too old (520 is enough)",
                           symbols[i].name);
    return 0;
}

static int failed(const char *what, int code)
{
    return sk_fail(SK_EXIT_TEMP, "the NVIDIA driver %s: %s", what, nvml.error(code));
}

int sk_nvml_open(void)
{
    unsigned n = 0;
    int code;
    if (nvml.tried) return nvml.count;
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    nvml.tried = 1;
    if (!library) return 0;
    nvml.count = -1;
    if (load(library)) return -1;
    code = nvml.init();
    /* The library alone, as in containers on hosts without a GPU. */
    if (code == DRIVER_NOT_LOADED || code == NOT_FOUND) return nvml.count = 0;
    if (code != DONE) return failed("does not answer", code);
    code = nvml.get_count(&n);
    if (code != DONE) return failed("does not count its GPUs", code);
    return nvml.count = n > 1024 ? 1024 : (int)n;
}

static void look(device_handle d, struct sk_gpu *gpu)
{
    struct utilisation u;
    unsigned n = 0;
    if (nvml.utilisation(d, &u) == DONE) gpu->utilisation = (int)u.gpu;
    /* Asked with no room it says how many there are. */
    int code = nvml.processes(d, &n, NULL);
    if (code == DONE || code == TOO_SMALL) gpu->processes = (int)n;
}

int sk_nvml_device(int i, struct sk_gpu *gpu)
{
    device_handle d;
    int code = nvml.by_index((unsigned)i, &d);
    if (code == DONE) code = nvml.uuid(d, gpu->name, SK_GPU_NAME);
    gpu->name[SK_GPU_NAME - 1] = 0;
    if (code != DONE) return failed("does not name one of its GPUs", code);
    if (nvml.model(d, gpu->model, SK_GPU_MODEL) != DONE) gpu->model[0] = 0;
    gpu->model[SK_GPU_MODEL - 1] = 0;
    look(d, gpu);
    return 0;
}

void sk_nvml_refresh(struct sk_gpu *gpu, int n)
{
    device_handle d;
    for (int i = 0; i < n; i++)
        if (nvml.count > 0 && nvml.by_uuid(gpu[i].name, &d) == DONE) look(d, &gpu[i]);
}
