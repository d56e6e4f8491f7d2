#!/usr/bin/env python3
"""Golden values of a model: files for the command line, and the comparison.

golden.py make GOLDEN.json DIR   writes text, vocabularies and params.in there
golden.py args GOLDEN.json       the options that shape the model, one line
golden.py check GOLDEN.json CASE MODEL_DIR [FACTOR]   compares, prints lines of
                                 TAP; FACTOR: tolerances are so many times as wide
"""
import array
import json
import math
import os
import struct
import sys


def write_tensors(path, tensors):
    header, data, at = {}, b"", 0
    for name in sorted(tensors):
        shape, values = tensors[name]
        raw = array.array("f", values).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def read_tensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    n, = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        out[name] = (t["shape"], array.array("f", raw[8 + n + a:8 + n + b]))
    return out


def flat(x):
    return [v for e in x for v in flat(e)] if isinstance(x, list) else [float(x)]


def make(golden, folder):
    os.makedirs(folder, exist_ok=True)
    for side in ("source", "target"):
        vocab = golden[side + "_vocab"]
        with open(f"{folder}/{side}.json", "w") as f:
            json.dump(vocab, f, indent=4, ensure_ascii=False)
        word = {i: w for w, i in vocab.items()}
        word[1] = "not-in-the-vocabulary"
        with open(f"{folder}/{side}.txt", "w") as f:
            for ids in golden[side + "_ids"]:
                print(*[word[i] for i in ids if i not in (0, 2, 3)], file=f)
    write_tensors(f"{folder}/params.in",
                  {k: (p["shape"], flat(p["data"])) for k, p in golden["params"].items()})


def metrics(model_dir):
    lines = {}
    with open(f"{model_dir}/metrics") as f:
        for line in f:
            number, *pairs = line.rstrip("\n").split("\t")
            lines[int(number)] = dict(p.split("=", 1) for p in pairs)
    return lines


def check(golden, case, model_dir, factor=1.0):
    want = golden["cases"][case]
    line = metrics(model_dir)[1]
    tests = []

    def near(name, got, expected, tolerance):
        good = abs(got - expected) <= factor * tolerance * max(1.0, abs(expected))
        tests.append((good, f"{case}: {name} {got:.7g} against {expected:.7g}"))

    near("perplexity-train", float(line["perplexity-train"]), want["metrics"]["perplexity"], 1e-4)
    near("accuracy-train", float(line["accuracy-train"]), want["metrics"]["accuracy"], 1e-6)
    near("gradient-norm", float(line["gradient-norm"]), want["global_grad_norm"], 1e-4)
    if "params_after_3_adam_lr0.01" in want:
        got = read_tensors(f"{model_dir}/params.00003")
        expected = want["params_after_3_adam_lr0.01"]
        tests.append((sorted(got) == sorted(expected), "params.00003 has exactly the expected names"))
        worst, where = 0.0, ""
        for name, p in expected.items():
            p = p["data"] if isinstance(p, dict) else p
            values = flat(p)
            if len(values) != len(got[name][1]):
                worst, where = math.inf, name
                break
            for a, b in zip(got[name][1], values):
                if not abs(a - b) <= worst:
                    worst, where = abs(a - b), name
        tests.append((worst < factor * 2e-3,
                      f"{case}: parameters after 3 Adam steps within {factor * 2e-3:g} (worst {worst:.2g}, {where})"))
    for good, text in tests:
        print(f"{good:d} {text}")


def main():
    command, path = sys.argv[1:3]
    with open(path) as f:
        golden = json.load(f)
    if command == "make":
        make(golden, sys.argv[3])
    elif command == "args":
        print(golden["args"].replace("--shared-vocab", ""))
    elif command == "check":
        check(golden, sys.argv[3], sys.argv[4], float(sys.argv[5]) if len(sys.argv) > 5 else 1.0)


if __name__ == "__main__":
    main()
