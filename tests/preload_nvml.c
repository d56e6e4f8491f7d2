/* preload_nvml.c - an NVIDIA driver's library for tests, to be found as
 * libnvidia-ml.so.1: FAKE_NVML is the file that says what it has, a line
 * `UUID UTILISATION PROCESSES` for each GPU; FAKE_NVML=none: no driver. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAKE __attribute__((visibility("default")))
struct utilisation { unsigned gpu, memory; };
struct device { char uuid[96]; unsigned utilisation, processes; };
static struct device device[16];
static unsigned devices;

static void read_file(void)
{
    const char *path = getenv("FAKE_NVML");
    FILE *f = path ? fopen(path, "r") : NULL;
    devices = 0;
    while (f && devices < 16 &&
           fscanf(f, "%95s %u %u", device[devices].uuid, &device[devices].utilisation, &device[devices].processes) == 3)
        devices++;
    if (f) fclose(f);
}

FAKE int nvmlInit_v2(void);
FAKE const char *nvmlErrorString(int code);
FAKE int nvmlDeviceGetCount_v2(unsigned *n);
FAKE int nvmlDeviceGetHandleByIndex_v2(unsigned i, struct device **d);
FAKE int nvmlDeviceGetHandleByUUID(const char *uuid, struct device **d);
FAKE int nvmlDeviceGetUUID(struct device *d, char *text, unsigned n);
FAKE int nvmlDeviceGetName(struct device *d, char *text, unsigned n);
FAKE int nvmlDeviceGetUtilizationRates(struct device *d, struct utilisation *u);
FAKE int nvmlDeviceGetComputeRunningProcesses_v3(struct device *d, unsigned *n, void *list);

int nvmlInit_v2(void)
{
    const char *path = getenv("FAKE_NVML");
    if (!path || !strcmp(path, "none")) return 9;
    if (!strcmp(path, "broken")) return 999;
    read_file();
    return 0;
}
const char *nvmlErrorString(int code) { return code == 999 ? "Unknown Error" : "some error"; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = devices; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, struct device **d)
{
    if (i >= devices) return 2;
    *d = &device[i];
    return 0;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, struct device **d)
{
    read_file();
    for (unsigned i = 0; i < devices; i++)
        if (!strcmp(device[i].uuid, uuid)) {
            *d = &device[i];
            return 0;
        }
    return 6;
}
int nvmlDeviceGetUUID(struct device *d, char *text, unsigned n) { snprintf(text, n, "%s", d->uuid); return 0; }
int nvmlDeviceGetName(struct device *d, char *text, unsigned n) { snprintf(text, n, "Fake %s", d->uuid); return 0; }
int nvmlDeviceGetUtilizationRates(struct device *d, struct utilisation *u) { u->gpu = d->utilisation; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(struct device *d, unsigned *n, void *list)
{
    unsigned room = *n;
    (void)list;
    *n = d->processes;
    return room < d->processes ? 7 : 0;
}
