/* fibers.h - threads of a block: see fibers.cc. */
#ifndef FIBERS_H
#define FIBERS_H
#include <cuda_host.h>
/* 0..below-1, of a generator of its own: the same in each run. */
unsigned sk_host_random(unsigned below);
#endif
