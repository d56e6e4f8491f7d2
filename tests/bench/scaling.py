#!/usr/bin/env python3
"""Time of an update on 1 to 1,024 GPUs, by arithmetic: where adding shards stops paying, and why.

No measurement: a model with the assumptions below, each of which an option changes. An update of a fixed number of
target tokens is shared out (the result does not depend on the number of shards, so the update does not grow with it).

  compute   6 FLOP for each parameter and target token (an encoder's see source tokens instead), at a share of the peak
            that falls when a GPU gets few tokens: share * t / (t + half), half: tokens at which it is half.
  exchange  reduce-scatter and all-gather of float32 gradients: a GPU sends 2 * 4 * P * (N - 1) / N bytes. On one host
            over NVLink. Between hosts all GPUs of a host share its network. `flat` is what src/train/exchange does:
            everybody sends slices to everybody. `by host` first sums on each host, whose leaves are an aligned range
            of the tree, so that the bits stay the same; then only one sum for each host crosses the network.
  latency   each GPU begins N - 1 sends twice, one after the other.
  overlap   the share of the exchange that is hidden behind the backward pass.
  optimizer every GPU reads and writes all parameters and moments (28 bytes each) at the memory's rate.
"""
import argparse

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--params", type=float, default=212e6, help="transformer big, 32k vocabulary, tied [212e6]")
p.add_argument("--tokens", type=float, default=400e3, help="target tokens of an update [400e3]")
p.add_argument("--peak", type=float, default=989e12, help="FLOP/s of a GPU, bfloat16 [989e12]")
p.add_argument("--share", type=float, default=0.41, help="of the peak, with many tokens [0.41]")
p.add_argument("--half", type=float, default=800, help="target tokens a GPU at half of that share [800]")
p.add_argument("--nvlink", type=float, default=360e9, help="bytes/s a GPU sends on its host [360e9]")
p.add_argument("--network", type=float, default=400e9 / 8 * 0.9, help="bytes/s a host sends [45e9: 400 Gb/s at 90 %%]")
p.add_argument("--gpus", type=int, default=8, help="of a host [8]")
p.add_argument("--latency", type=float, default=4e-6, help="seconds of a send [4e-6]")
p.add_argument("--overlap", type=float, default=0.0, help="hidden share of the exchange [0: what is there today]")
p.add_argument("--memory", type=float, default=4.0e12, help="bytes/s of a GPU's memory [4e12]")
a = p.parse_args()


def compute(n):
    t = a.tokens / n
    return 6 * a.params * t / (a.peak * a.share * t / (t + a.half))


def exchange(n, by_host):
    if n == 1:
        return 0.0
    host = min(n, a.gpus)
    local = 8 * a.params * (host - 1) / host / a.nvlink
    if n <= a.gpus:
        return local + 2 * (n - 1) * a.latency
    hosts = n / a.gpus
    if by_host:
        return local + 8 * a.params * (hosts - 1) / hosts / a.network + 2 * (host - 1 + hosts - 1) * a.latency
    return max(a.gpus * 8 * a.params * (n - host) / n / a.network, local) + 2 * (n - 1) * a.latency


print(f"{a.params / 1e6:.0f} M parameters, {a.tokens:.0f} target tokens an update, milliseconds\n")
print("  GPUs  compute  optimizer |  flat: exchange  update   tok/s  speed-up | by host: exchange  update   tok/s  speed-up")
one = None
n = 1
while n <= 1024:
    base, adam = compute(n), 28 * a.params / a.memory
    row = f"{n:6d} {1e3 * base:8.1f} {1e3 * adam:10.2f} |"
    for by_host in (False, True):
        x = exchange(n, by_host)
        total = base + adam + x - min(a.overlap * x, 2 / 3 * base)
        one = one or total
        row += f" {1e3 * x:14.1f} {1e3 * total:8.1f} {a.tokens / total / 1e3:6.0f}k {one / total:8.1f} " + ("|" if not by_host else "")
    print(row)
    n *= 2
