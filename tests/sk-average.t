#!/bin/sh
# sk-average: checkpoints of a directory and plain files.
# sanitized
. "$(dirname "$0")/tap.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"

python3 - "$T" <<'PY'
import array, json, os, struct, sys
t = sys.argv[1]
def write(path, tensors):
    header, data = {}, b""
    for name in sorted(tensors):
        shape, values = tensors[name]
        raw = array.array("f", values).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)
os.mkdir(t + "/m")
big = 200000
for n in range(1, 6):
    write(f"{t}/m/params.{n:05d}", {"b": ([2, 2], [n, 2 * n, -n, 0.1 * n]), "a": ([big], [n + i % 7 for i in range(big)]),
                                    "scalar": ([], [n])})
write(t + "/other", {"a": ([3], [1, 2, 3])})
write(t + "/shape", {"b": ([4], [0] * 4), "a": ([big], [0] * big), "scalar": ([], [1])})
with open(t + "/m/metrics", "w") as f:
    for n, p in enumerate([9, 5, 4, 4.5, 6], 1):
        f.write(f"{n}\tbleu-val={n / 10}\tperplexity-val={p}\n")
PY
# value FILE TENSOR INDEX
value() {
    python3 - "$@" <<'PY'
import json, struct, sys
raw = open(sys.argv[1], "rb").read()
n, = struct.unpack("<Q", raw[:8])
h = json.loads(raw[8:8 + n])
a = 8 + n + h[sys.argv[2]]["data_offsets"][0] + 4 * int(sys.argv[3])
print("%.6g" % struct.unpack("<f", raw[a:a + 4]))
PY
}
avg() { "$BIN/sk-average" "$@"; }

exits 0 "the two best" avg "$T/m" -n 2 -o "$T/best"
like "$(cat "$T/err")" 'Found: \(4, 3\), \(4\.5, 4\)' "are said"
is "$(value "$T/best" b 1)" 7 "the mean of 3 and 4, doubled"
is "$(value "$T/best" a 199999)" "$(awk 'BEGIN { print 3.5 + 199999 % 7 }')" "of a large tensor as well"
exits 0 "the two last" avg "$T/m" -n 2 --strategy last -o "$T/last"
is "$(value "$T/last" scalar 0)" 2.5 "2 and 3"
exits 0 "by BLEU" avg "$T/m" -n 1 --metric bleu -o "$T/bleu"
is "$(value "$T/bleu" scalar 0)" 5 "larger is better"
exits 0 "lifespan" avg "$T/m" -n 1 --strategy lifespan -o "$T/span"
is "$(value "$T/span" scalar 0)" 3 "the longest best"
exits 0 "files" avg "$T/m/params.00001" "$T/m/params.00002" "$T/m/params.00005" -o "$T/files"
is "$(value "$T/files" b 0)" 2.66667 "their mean"
exits 0 "one of our files" avg "$T/files" -o "$T/copy"
same "$T/files" "$T/copy" "is copied byte for byte"
exits 0 "onto an input" avg "$T/copy" "$T/best" -o "$T/copy"
exits 1 "no such metric" avg "$T/m" --metric chrf -o "$T/none"
exits 65 "other tensors" avg "$T/m/params.00001" "$T/other" -o "$T/none"
like "$(cat "$T/err")" "params.00001 and .*other are of different models: tensor a is 200000 and 3" "names both"
exits 65 "other shapes" avg "$T/m/params.00001" "$T/shape" -o "$T/none"
exits 66 "no such file" avg "$T/nowhere" -o "$T/none"
head -c 100000 "$T/best" >"$T/torn"
exits 65 "a torn file" avg "$T/torn" -o "$T/none"
printf '\001' | dd of="$T/best" bs=1 seek=5000 conv=notrunc 2>/dev/null
exits 65 "a damaged file" avg "$T/best" -o "$T/none"
like "$(cat "$T/err")" 'checksum' "by its checksum"
exits 64 "no output" avg "$T/m"
is "$(ls "$T/none" 2>/dev/null)" "" "nothing is left behind"
is "$(find "$T" -name '*.tmp')" "" "no temporaries either"
done_testing
