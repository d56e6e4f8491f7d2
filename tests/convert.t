#!/bin/sh
# contrib/convert: the golden models of Sockeye 1.18.115, packed as MXNet packs
# them, give the translations that Sockeye gave; CTranslate2, where it is
# installed, translates a converted model as sk-translate does.
. "$(dirname "$0")/tap.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"
# Nothing is to lie about beside the scripts.
export PYTHONDONTWRITEBYTECODE=1

cat >"$T/pack.py" <<'EOF'
"""pack.py GOLDEN DIR: the model directory that Sockeye would have written."""
import array, json, os, struct, sys
golden = json.load(open(sys.argv[1]))
folder = sys.argv[2]
os.makedirs(folder)
flat = lambda x: [v for e in x for v in flat(e)] if isinstance(x, list) else [float(x)]
open(folder + '/config', 'w').write(golden['config_yaml'])
word = {i: w for w, i in golden['source_vocab'].items()}
for side, name in ('source', 'src'), ('target', 'trg'):
    json.dump(golden[side + '_vocab'], open(f'{folder}/vocab.{name}.0.json', 'w'), indent=4)
names = list(golden['params'])
with open(folder + '/params.best', 'wb') as f:
    f.write(struct.pack('<QQQ', 0x112, 0, len(names)))
    for i, name in enumerate(names):
        p = golden['params'][name]
        shape = p['shape']
        f.write(struct.pack('<IiI', 0xF993FAC9, 0, len(shape)) + struct.pack(f'<{len(shape)}q', *shape))
        # One of them in 64 bits.
        kind = 'd' if i == 1 else 'f'
        f.write(struct.pack('<iii', 1, 0, 'fd'.index(kind)) + array.array(kind, flat(p['data'])).tobytes())
    f.write(struct.pack('<Q', len(names)))
    for name in names:
        f.write(struct.pack('<Q', len(name) + 4) + b'arg:' + name.encode())
EOF
cat >"$T/wanted.py" <<'EOF'
"""wanted.py GOLDEN TEXT_DIR: text for sk-score, and the -log probabilities that Sockeye computed."""
import json, math, sys
golden = json.load(open(sys.argv[1]))
words = [{i: w for w, i in golden[side + '_vocab'].items()} for side in ('source', 'target')]
shape, softmax = golden['cases']['label_smoothing=0,norm=valid']['softmax'].values()
row = iter(range(shape[0]))
text = [open(f'{sys.argv[2]}/{side}.txt', 'w') for side in ('source', 'target')]
for source, labels in zip(golden['source_ids'], golden['labels']):
    for w, f, ids in zip(words, text, (source, labels)):
        print(*[w[i] if i != 1 else 'unheard-of' for i in ids if i not in (0, 2, 3)], file=f)
    print(-sum(math.log(softmax[shape[1] * r + label]) for label, r in zip(labels, row) if label))
EOF
cat >"$T/near.py" <<'EOF'
import sys
a, b = ([float(x) for x in open(name)] for name in sys.argv[1:])
print(len(a) == len(b) == 3 and all(abs(x - y) <= 1e-4 * abs(y) for x, y in zip(a, b)), a, b)
EOF
for model in transformer_pre_n_post_dr_tied rnn_gnmt_like_3x3_dot_upper; do
    golden=tests/data/$model.json
    python3 "$T/pack.py" "$golden" "$T/$model"
    exits 0 "$model is converted" contrib/convert/from-sockeye "$T/$model" "$T/$model.sk"
    python3 "$T/wanted.py" "$golden" "$T" >"$T/wanted"
    exits 0 "sk-score reads it" "$BIN/sk-score" -m "$T/$model.sk" -s "$T/source.txt" -t "$T/target.txt" \
        --length-penalty-alpha 0 --use-cpu -q
    like "$(python3 "$T/near.py" "$T/out" "$T/wanted")" "^True" "and gives the probabilities that Sockeye gave"
    exits 0 "sk-translate reads it" "$BIN/sk-translate" -m "$T/$model.sk" -i "$T/source.txt" -b 1 --use-cpu -q
    is "$(grep -c . "$T/out")" 3 "and translates"
    # What the trainer writes for the same options, but for the numbers of the text.
    tests/golden.py make "$golden" "$T/made"
    shared=
    cmp -s "$T/made/source.json" "$T/made/target.json" && shared=--shared-vocab
    # shellcheck disable=SC2046,SC2086
    "$BIN/sk-train-shard" -s "$T/made/source.txt" -t "$T/made/target.txt" -vs "$T/made/source.txt" -vt "$T/made/target.txt" \
        -o "$T/made/model" $(tests/golden.py args "$golden") $shared --source-vocab "$T/made/source.json" \
        --target-vocab "$T/made/target.json" --params "$T/$model.sk/params.best" --max-seq-len 7 --batch-size 100 \
        --max-updates 1 --checkpoint-frequency 1 --use-cpu -q
    is "$?" 0 "training begins with its parameters"
    for file in "$T/made/model/config.json" "$T/$model.sk/config.json"; do
        python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); [d.pop("length_ratio_" + x) for x in ("mean", "std")]
print(json.dumps(d, sort_keys=True))' "$file"
    done >"$T/configs"
    is "$(sed -n 2p "$T/configs" | sed 's/\.0\([],]\)/\1/g')" "$(sed -n 1p "$T/configs" | sed 's/\.0\([],]\)/\1/g')" "config.json is what the trainer writes"
    rm -r "$T/made"
done
exits 78 "a folder that is there" contrib/convert/from-sockeye "$T/$model" "$T/$model.sk"
exits 66 "no such model" contrib/convert/from-sockeye "$T/none" "$T/x"
exits 64 "an unknown option" contrib/convert/from-sockeye --nothing
cp -R "$T/$model" "$T/other"
head -c 500 "$T/$model/params.best" >"$T/other/params.best"
exits 65 "a file that ends too early" contrib/convert/from-sockeye "$T/other" "$T/x"
like "$(cat "$T/err")" "other/params.best: it ends too early" "is named"
sed 's/input_previous_word: false/input_previous_word: true/' "$T/$model/config" >"$T/other/config"
exits 65 "a model that sk does not have" contrib/convert/from-sockeye "$T/other" "$T/x"
like "$(cat "$T/err")" "input_previous_word: True" "is refused by name"
ok "nothing is left of them" test ! -e "$T/x" -a ! -e "$T/x.part"

# --- CTranslate2 -------------------------------------------------------------------------
# Where `make bench` has installed it, or the system.
peer=
for python in python3 .build/bench-env/bin/python3; do
    "$python" -c 'import ctranslate2, numpy' 2>/dev/null && peer=$python
done
[ -n "$peer" ] || {
    skip "the Python package ctranslate2 is not installed"
    done_testing
}
awk -v dir="$T" 'BEGIN {
    srand(5)
    for (i = 0; i < 600; i++) { n = 1 + int(rand() * 8); s = t = ""
        for (j = 0; j < n; j++) { w = int(rand() * 12); s = s " s" w; t = t " t" w }
        file = i < 570 ? "/train." : "/test."
        print substr(s, 2) > (dir file "s"); print substr(t, 2) > (dir file "t") }
}'
"$BIN/sk-train-shard" -s "$T/train.s" -t "$T/train.t" -vs "$T/test.s" -vt "$T/test.t" -o "$T/copy" --num-layers 2:1 \
    --transformer-model-size 32 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 64 --batch-size 400 \
    --max-seq-len 20 --initial-learning-rate 0.003 --checkpoint-frequency 300 --max-updates 300 --use-cpu -q
exits 0 "a model of sk is converted" "$peer" contrib/convert/to-ctranslate2 "$T/copy" "$T/copy.ct2"
"$BIN/sk-translate" -m "$T/copy" -i "$T/test.s" -b 1 --use-cpu -q >"$T/ours"
"$peer" - "$T/copy.ct2" "$T/test.s" >"$T/theirs" <<'EOF'
import sys, ctranslate2
translator = ctranslate2.Translator(sys.argv[1], device='cpu', compute_type='float32')
for found in translator.translate_batch([line.split() for line in open(sys.argv[2])], beam_size=1, max_decoding_length=100):
    print(*found.hypotheses[0])
EOF
same "$T/ours" "$T/theirs" "CTranslate2 gives the translations of sk-translate"
is "$(sort -u "$T/ours" | wc -l)" "$(sort -u "$T/test.s" | wc -l)" "each sentence has one of its own"
exits 0 "again" "$peer" contrib/convert/to-ctranslate2 "$T/copy" "$T/copy.ct2"
exits 78 "over something else" "$peer" contrib/convert/to-ctranslate2 "$T/copy" "$T/copy"
exits 65 "a recurrent model" "$peer" contrib/convert/to-ctranslate2 "$T/$model.sk" "$T/x"
like "$(cat "$T/err")" "architecture rnn" "is refused"
done_testing
