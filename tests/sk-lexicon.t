#!/bin/sh
# sk-lexicon, and sk-translate --restrict-lexicon with what it makes.
# sanitized
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/toy.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"

toy_model 8
m=$T/model

# shortlist.py FILE [MODEL]: what it holds, "source: target target ...".
cat >"$T/shortlist.py" <<'END'
import ast, json, struct, sys
data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\x93NUMPY\x01\x00"
n = struct.unpack("<H", data[8:10])[0]
header = ast.literal_eval(data[10:10 + n].decode())
assert (10 + n) % 64 == 0 and header["descr"] == "<i4" and header["fortran_order"] is False
rows, k = header["shape"]
assert len(data) == 10 + n + 4 * rows * k
ids = struct.unpack("<%di" % (rows * k), data[10 + n:])
words = [sorted(json.load(open(sys.argv[2] + "/vocab.%s.0.json" % side)).items(), key=lambda w: w[1]) for side in ("src", "trg")]
print(rows == len(words[0]), k)
for r in range(rows):
    row = [words[1][i][0] for i in ids[r * k:(r + 1) * k] if i]
    if row: print(words[0][r][0] + ": " + " ".join(row))
END
cat >"$T/table" <<'END'
a1	b1	-0.1
a1	b2	-1.5
a1	nowhere	-1.2
a1	other	-1.2
a2 b2 -0.5
a2 b5 -0.5
a2 b3 -9
a2 b3 -0.1
elsewhere	b1	-0.1
<eps>	b4	-2
a3	c3	-inf
END
gzip -c "$T/table" >"$T/table.gz"
exits 0 "sk-lexicon" "$BIN/sk-lexicon" -i "$T/table.gz" -o "$T/two" -m "$m" -k 2
like "$(cat "$T/err")" "9 of 11 lines .* 3 of 8 source words" "it says how much was of use"
python3 "$T/shortlist.py" "$T/two" "$m" >"$T/got"
is "$(sort "$T/got" | tr '\n' '|')" "True 2|a1: b1 <unk>|a2: b3 $(python3 -c '
import json, sys
v = json.load(open(sys.argv[1] + "/vocab.trg.0.json")); print(min("b2", "b5", key=v.get))' "$m")|a3: c3|" \
    "the likeliest first, the last line of a pair, unknown words together, equal ones by id"
"$BIN/sk-lexicon" create --input - --output "$T/other" --model "$m" --top 2 -q <"$T/table" 2>"$T/err"
same "$T/other" "$T/two" "from standard input, as Sockeye is called"
is "$(cat "$T/err")" "" "quietly"
"$BIN/sk-lexicon" -i "$T/table" -o "$T/other" -m "$m" 2>"$T/err"
is "$(python3 "$T/shortlist.py" "$T/other" "$m" | sed -n 1p)" "True 200" "200 words by default"

# --- translating with it ----------------------------------------------------------------------
head -n 60 "$T/src" >"$T/in"
translate --output-type translation_with_score <"$T/in" >"$T/free"
translate <"$T/in" >"$T/plain"
for a in 0 1 2 3 4 5 6 7; do for b in b0 b1 b2 b3 b4 b5 b6 b7 c3; do echo "a$a $b -2"; done; done >"$T/all.table"
"$BIN/sk-lexicon" -i "$T/all.table" -o "$T/all" -m "$m" -k 9 2>"$T/err"
translate --restrict-lexicon "$T/all" --output-type translation_with_score <"$T/in" >"$T/got"
same "$T/got" "$T/free" "a shortlist of all words restricts nothing, scores are the same"
# Never what the model would say: each word becomes its neighbour's, or c3.
for a in 0 1 2 3 4 5 6 7; do echo "a$a b$(((a + 1) % 8)) -1"; echo "a$a c3 -2"; done >"$T/next.table"
"$BIN/sk-lexicon" -i "$T/next.table" -o "$T/next" -m "$m" -k 3 2>"$T/err"
cat >"$T/allowed.py" <<'END'
import sys
others = int(sys.argv[3])
for number, (s, t) in enumerate(zip(open(sys.argv[1]), open(sys.argv[2])), 1):
    allowed = {"b%d" % ((int(w[1:]) + 1) % 8) for w in s.split()} | ({"c3"} if others else set()) | {"<unk>"}
    if set(t.split()) - allowed: print(number, s, t)
END
translate --restrict-lexicon "$T/next" <"$T/in" >"$T/got"
is "$(python3 "$T/allowed.py" "$T/in" "$T/got" 1)" "" "translations consist of the words of the list"
is "$(wc -l <"$T/got" | tr -d ' ')" 60 "a line for each"
ok "they are others" sh -c "! cmp -s '$T/got' '$T/plain'"
for how in "--batch-size 1" "--chunk-size 1" "--batch-size 7 --chunk-size 11" "--threads 2 --batch-size 5"; do
    # shellcheck disable=SC2086  # several options
    translate --restrict-lexicon "$T/next" $how <"$T/in" >"$T/other"
    same "$T/other" "$T/got" "the same with $how"
done
translate --restrict-lexicon "$T/next" --restrict-lexicon-topk 1 <"$T/in" >"$T/got"
is "$(python3 "$T/allowed.py" "$T/in" "$T/got" 0)" "" "--restrict-lexicon-topk 1: of the likeliest"
translate --restrict-lexicon "$T/next" -c 1 2 <"$T/in" >"$T/got"
is "$(python3 "$T/allowed.py" "$T/in" "$T/got" 1)" "" "two models together, too"
for n in 0 2; do
    translate --restrict-lexicon "$T/next" --sample $n --seed 5 <"$T/in" >"$T/got"
    is "$(python3 "$T/allowed.py" "$T/in" "$T/got" 1)" "" "and --sample $n"
done
echo '{"text": "a1 a1", "target_prefix": "b7", "constraints": ["b6 b5"]}' |
    translate --restrict-lexicon "$T/next" --json-input >"$T/got"
like "$(cat "$T/got")" "^b7 .*b6 b5" "what is asked for is allowed"
python3 -c 'import struct, sys
data = open(sys.argv[1], "rb").read(); n = struct.unpack("<H", data[8:10])[0]
head = data[10:10 + n].replace(b"<i4", b"<i8"); ids = data[10 + n:]
ids = struct.pack("<%dq" % (len(ids) // 4), *struct.unpack("<%di" % (len(ids) // 4), ids))
open(sys.argv[2], "wb").write(b"\x93NUMPY\x02\x00" + struct.pack("<I", n) + head + ids)' "$T/next" "$T/long"
translate --restrict-lexicon "$T/next" <"$T/in" >"$T/got"
translate --restrict-lexicon "$T/long" <"$T/in" >"$T/other"
same "$T/other" "$T/got" "a list of int64, version 2, is read as well"

# --- errors ------------------------------------------------------------------------------------
printf 'a1 b1 -1\na1 b1\n' >"$T/bad"
exits 65 "a line of two fields" "$BIN/sk-lexicon" -i "$T/bad" -o "$T/never" -m "$m"
like "$(cat "$T/err")" "$T/bad: line 2 " "file and line are named"
printf 'a1 b1 -1 x\n' >"$T/bad"
exits 65 "a line of four" "$BIN/sk-lexicon" -i "$T/bad" -o "$T/never" -m "$m"
printf 'a1 b1 likely\n' >"$T/bad"
exits 65 "a probability that is no number" "$BIN/sk-lexicon" -i "$T/bad" -o "$T/never" -m "$m"
exits 66 "no such table" "$BIN/sk-lexicon" -i "$T/absent" -o "$T/never" -m "$m"
exits 66 "no such model" "$BIN/sk-lexicon" -i "$T/table" -o "$T/never" -m "$T/absent"
exits 64 "another command" "$BIN/sk-lexicon" inspect -i "$T/table" -o "$T/never" -m "$m"
ok "nothing is left of all that" test ! -e "$T/never"
exits 65 "a text" "$BIN/sk-translate" -m "$m" --use-cpu --restrict-lexicon "$T/table" </dev/null
like "$(cat "$T/err")" "$T/table is no shortlist: sk-lexicon" "is no shortlist"
head -c 150 "$T/next" >"$T/torn"
exits 65 "a torn one" "$BIN/sk-translate" -m "$m" --use-cpu --restrict-lexicon "$T/torn" </dev/null
exits 66 "none" "$BIN/sk-translate" -m "$m" --use-cpu --restrict-lexicon "$T/absent" </dev/null
python3 -c 'import struct, sys
def put(name, rows, k, ids):
    h = ("{%s: %s, %s: False, %s: (%s, %s), }" % ("\x27descr\x27", "\x27<i4\x27", "\x27fortran_order\x27", "\x27shape\x27", rows, k)).encode()
    h += b" " * (118 - len(h) - 1) + b"\n"
    open(sys.argv[1] + name, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(h)) + h + struct.pack("<%di" % len(ids), *ids))
put("fewer", 3, 2, [4] * 6)
put("high", 12, 1, [4] * 11 + [4000])
put("negative", 12, 1, [4] * 11 + [-1])
put("vast", 1 << 40, 1 << 40, [4])
put("none", 0, 0, [])' "$T/"
for bad in fewer high negative vast none; do
    exits 65 "$bad" "$BIN/sk-translate" -m "$m" --use-cpu --restrict-lexicon "$T/$bad" </dev/null
    like "$(cat "$T/err")" "$T/$bad is (of another model|no shortlist)" "is named"
done
done_testing
