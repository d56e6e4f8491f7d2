/* exchange.c - seconds of summing N floats between processes of this host, each alone with its part of them: the
 * exchange of sk-train-shard. usage: exchange PROCESSES FLOATS ROUNDS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/msg.h"
#include "train/exchange/exchange.h"

static struct shared { volatile int bytes[64]; char address[64][4096]; } *shared;

static int member(int members, int me, size_t n, int rounds)
{
    const char *why;
    size_t bytes;
    struct sk_device *dev = sk_ops_cpu.open(1, &why);
    struct sk_channel *c = sk_channel_open(-1);
    if (!dev || !c) return sk_die();
    const void *address = sk_channel_address(c, &bytes);
    if (bytes > sizeof shared->address[me]) return 1;
    memcpy(shared->address[me], address, bytes);
    __sync_synchronize();
    shared->bytes[me] = (int)bytes;
    for (int i = 0; i < members; i++) {
        while (!shared->bytes[i]) usleep(1000);
        if (i != me && sk_channel_connect(c, i, shared->address[i], (size_t)shared->bytes[i])) return sk_die();
    }
    struct sk_model_region region = {sk_ops_cpu.alloc(dev, n * sizeof(float)), n};
    struct sk_exchange *x = sk_exchange_new(&(struct sk_exchange_options){
        &sk_ops_cpu, dev, c, 64, members, me, 42, NULL, NULL, &region, 1});
    struct sk_loss loss[SK_RANGES_MAX] = {{0}}, total;
    const struct sk_leaf_range *range;
    for (int r = 0; r <= rounds; r++) {
        for (size_t i = 0; i < n; i++) region.data[i] = (float)me + 1;
        char mine = 0, all[64];
        if (sk_exchange_gather(x, &mine, 1, all)) return sk_die();
        double start = sk_now();
        sk_exchange_begin(x);
        for (int k = 0, ranges = sk_exchange_ranges(x, &range); k < ranges; k++) sk_exchange_ready(x, k, 1);
        if (sk_exchange_sum(x, loss, &total)) return sk_die();
        if (me == 0 && r > 0) printf("%.4f\n", sk_now() - start);
    }
    return region.data[n - 1] == (float)(members * (members + 1) / 2) ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 4) return 64;
    int members = atoi(argv[1]), status, bad = 0;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sk_msg_program(argv[0]);
    for (int i = 0; i < members; i++)
        if (fork() == 0) {
            int code = member(members, i, (size_t)atoll(argv[2]), atoi(argv[3]));
            fflush(stdout);
            _exit(code);
        }
    while (wait(&status) > 0) bad |= status;
    return bad ? 1 : 0;
}
