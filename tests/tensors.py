#!/usr/bin/env python3
"""What tensor files of a training have to do with each other.

tensors.py changed A B            names of tensors that differ, one a line
tensors.py distance A B           largest difference, as a share of the largest value
tensors.py decay PLAIN DECAYED START X
    one update of SGD without and with weight decay, from START: names whose
    difference is X times the start (to 1e-3 of its largest value); those
    without any difference are left out
tensors.py moments BEST AFTER BETA2
    v of AFTER is one step of Adam (beta1 = 0) away from v of BEST ("zero":
    from nothing): prints yes or no
tensors.py average DECAY DIR PLAIN N
    params.00001 to N of DIR are the moving average of those of PLAIN, from
    params.00000 on: prints yes, or the first that is not
tensors.py within PREFIX STATE PARAMS
    STATE holds the values of PARAMS as PREFIX:NAME: prints yes or no
"""
import sys

from golden import read_tensors


def changed(a, b):
    return [n for n in sorted(a) if a[n][1] != b[n][1]]


def distance(a, b):
    most = max(abs(x) for n in a for x in a[n][1])
    return max(abs(x - y) for n in a for x, y in zip(a[n][1], b[n][1])) / most


def decay(plain, decayed, start, x):
    names = []
    for n in changed(plain, decayed):
        w = start[n][1]
        most = max(abs(v) for v in w)
        if all(abs(p - d - x * v) <= 1e-3 * x * most for p, d, v in zip(plain[n][1], decayed[n][1], w)):
            names.append(n)
    return names


def moments(best, after, beta2):
    for n in after:
        if n.startswith("m:"):
            v = after["v:" + n[2:]][1]
            old = best["v:" + n[2:]][1] if best else [0.0] * len(v)
            most = max(v)
            for g, now, then in zip(after[n][1], v, old):
                if abs(now - (beta2 * then + (1 - beta2) * g * g)) > 1e-5 * most:
                    return "no"
    return "yes"


def average(decay, directory, plain, last):
    def read(d, n):
        return read_tensors(f"{d}/params.{n:05}")

    now = {n: t[1] for n, t in read(plain, 0).items()}
    for u in range(1, last + 1):
        take = 1 - min(decay, (1 + u) / (10 + u))
        for n, t in read(plain, u).items():
            now[n] = [a + take * (p - a) for a, p in zip(now[n], t[1])]
        for n, t in read(directory, u).items():
            if any(abs(a - b) > 2e-6 * max(map(abs, now[n])) for a, b in zip(now[n], t[1])):
                return f"params.{u:05}: {n}"
    return "yes"


def main(what, *args):
    if what == "changed":
        print("\n".join(changed(*map(read_tensors, args))))
    elif what == "distance":
        print(f"{distance(*map(read_tensors, args)):.9f}")
    elif what == "decay":
        print("\n".join(decay(*map(read_tensors, args[:3]), float(args[3]))))
    elif what == "moments":
        best = None if args[0] == "zero" else read_tensors(args[0])
        print(moments(best, read_tensors(args[1]), float(args[2])))
    elif what == "average":
        print(average(float(args[0]), *args[1:3], int(args[3])))
    elif what == "within":
        state, params = map(read_tensors, args[1:])
        print("yes" if all(state[f"{args[0]}:{n}"][1] == t[1] for n, t in params.items()) else "no")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
