#!/usr/bin/env python3
"""Text for benches on machines without a corpus; the same at every call.

text.py pairs DIR       DIR/{train,val,test}.{src,trg}: 29,000, 1,000 and 1,000
                        pairs of sentences as long as Multi30k's, of 4,000 words
                        a side that are as frequent as words are; a translation
                        has a word for each word, neighbours now and then change
                        places
text.py lines N FILE    N lines of 13 words, three of them from a list without end
text.py noise FROM TO   FROM with some words dropped or changed
"""
import random
import sys


def zipf(n):
    total, sums = 0.0, []
    for i in range(n):
        total += 1.0 / (i + 3)
        sums.append(total)
    return sums


def pairs(folder):
    rng = random.Random(1)
    words, weights = range(4000), zipf(4000)
    for name, n in (("train", 29000), ("val", 1000), ("test", 1000)):
        with open(f"{folder}/{name}.src", "w") as src, open(f"{folder}/{name}.trg", "w") as trg:
            for _ in range(n):
                source = rng.choices(words, cum_weights=weights, k=min(40, max(3, int(rng.gauss(13, 4.5)))))
                target = source[:]
                for i in range(len(target) - 1):
                    if (target[i] + target[i + 1]) % 5 == 0:
                        target[i], target[i + 1] = target[i + 1], target[i]
                print(*(f"s{w}" for w in source), file=src)
                print(*(f"t{w}" for w in target), file=trg)


def lines(n, path):
    rng = random.Random(2)
    words, weights = [f"word{i}" for i in range(12000)], zipf(12000)
    with open(path, "w") as out:
        for begin in range(0, n, 10000):
            common = iter(rng.choices(words, cum_weights=weights, k=10 * min(10000, n - begin)))
            for _ in range(min(10000, n - begin)):
                rare = [f"w{int(rng.random() ** -5) % 2000000}" for _ in range(3)]
                out.write(" ".join([next(common) for _ in range(10)] + rare) + "\n")


def noise(source, target):
    rng = random.Random(3)
    with open(source) as text, open(target, "w") as out:
        for line in text:
            kept = [w if rng.random() < 0.9 else "other" for w in line.split() if rng.random() < 0.95]
            out.write(" ".join(kept) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "pairs":
        pairs(sys.argv[2])
    elif sys.argv[1] == "lines":
        lines(int(sys.argv[2]), sys.argv[3])
    else:
        noise(sys.argv[2], sys.argv[3])
