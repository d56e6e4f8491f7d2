#!/bin/sh
# Damaged, strange and foreign files in a model directory: they are noticed,
# named with a remedy, and nothing is made from them.
# sanitized
. "$(dirname "$0")/tap.sh"

awk -v dir="$T" 'BEGIN {
    srand(3)
    for (part = 0; part < 2; part++)
        for (i = 0; i < (part ? 10 : 200); i++) {
            n = 1 + int(rand() * 5); s = t = ""
            for (j = 0; j < n; j++) { w = int(rand() * 12); s = s " s" w; t = " t" w t }
            print s > (dir "/" (part ? "val" : "train") ".src")
            print t > (dir "/" (part ? "val" : "train") ".trg")
        }
}'
# train DIR OPTION...
train() {
    out=$1
    shift
    "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$out" \
        --num-layers 1 --transformer-model-size 8 --transformer-attention-heads 2 --use-cpu --threads 1 \
        --transformer-feed-forward-num-hidden 8 --batch-size 200 --checkpoint-frequency 4 "$@"
}
# edit FILE SED-SCRIPT : bytes of the same number
edit() {
    LC_ALL=C sed "$2" "$1" >"$1.new" && [ "$(wc -c <"$1.new")" = "$(wc -c <"$1")" ] &&
        ! cmp -s "$1.new" "$1" && mv "$1.new" "$1"
}
exits 0 "a training" train "$T/m" --max-updates 12

# --- headers -------------------------------------------------------------------
cp -R "$T/m" "$T/e"
ok "the state's position is changed" edit "$T/e/state.00003" 's/\(position\\":\)[0-9]/\17/'
exits 65 "it is not resumed from" train "$T/e" --max-updates 16
like "$(cat "$T/err")" "state.00003: damaged" "and named"
ok "nothing is lost" cmp "$T/m/params.00003" "$T/e/params.00003"
cp -R "$T/m" "$T/n"
ok "tensors change their names" edit "$T/n/params.00003" \
    's/decoder_transformer_0_ff_h2o_bias/DECODER/; s/encoder_transformer_0_ff_h2o_bias/decoder_transformer_0_ff_h2o_bias/
     s/DECODER/encoder_transformer_0_ff_h2o_bias/'
exits 65 "parameters with exchanged names" "$BIN/sk-translate" -m "$T/n" -c 3 -i "$T/val.src" -q
like "$(cat "$T/err")" "params.00003: damaged" "are named"
exits 65 "they are not averaged" "$BIN/sk-average" "$T/n/params.00003" "$T/n/params.00002" -o "$T/mean"
exits 65 "nor resumed from" train "$T/n" --max-updates 16

# A state of another version is not damaged: it is not passed over.
cp -R "$T/m" "$T/f"
ok "a state of format 2" edit "$T/f/state.00003" 's/\\"format\\":[0-9]/\\"format\\":2/; s/xxh3-file/xxh3-xxxx/'
exits 65 "is not resumed from" train "$T/f" --max-updates 16
like "$(cat "$T/err")" "state.00003 was written by another version of sk .*format is 2.*--overwrite-output" "the remedy is said"
ok "and nothing is touched" cmp "$T/m/params.00003" "$T/f/params.00003"
ok "a state without checksum" edit "$T/e/state.00003" 's/xxh3-file/xxh3-xxxx/'
exits 65 "is not resumed from either" train "$T/e" --max-updates 16
like "$(cat "$T/err")" "state.00003: damaged: it has no checksum" "and named"

# --- vocabularies and corpora --------------------------------------------------------
cp -R "$T/m" "$T/v"
sed 's/"s1"/"s99"/' "$T/m/vocab.src.0.json" >"$T/v/vocab.src.0.json"
rm "$T/v/data/corpus" "$T/v/config.json"
exits 65 "a vocabulary with another word" train "$T/v" --max-updates 16
like "$(cat "$T/err")" "v/vocab.src.0.json is damaged.*; restore .*v/vocab.src.0.json, or remove it to have it made again" \
    "is named, with the remedy"
is "$(ls "$T/v/data/corpus" "$T/v/config.json" 2>/dev/null)" "" "and nothing is made from it"
echo '{' >"$T/v/vocab.src.0.json"
exits 65 "a torn vocabulary" train "$T/v" --max-updates 16
like "$(cat "$T/err")" "vocab.src.0.json.*; restore .*v/vocab.src.0.json, or remove it" "has the same remedy"
rm "$T/v/vocab.src.0.json"
exits 0 "which helps" train "$T/v" --max-updates 16
exits 0 "undisturbed" train "$T/m" --max-updates 16
same "$T/v/params.00004" "$T/m/params.00004" "and gives the same"

cp -R "$T/m" "$T/c"
printf '\377' | dd of="$T/c/data/corpus" bs=1 seek=1000 conv=notrunc 2>/dev/null
exits 65 "a damaged corpus" train "$T/c" --max-updates 20
like "$(cat "$T/err")" "c/data/corpus: damaged.*; remove it: the next start makes it again from the text" "the remedy is said"
rm "$T/c/data/corpus"
exits 0 "which helps" train "$T/c" --max-updates 20
printf '\377' | dd of="$T/c/data/validation" bs=1 seek=600 conv=notrunc 2>/dev/null
exits 65 "a damaged validation corpus" train "$T/c" --max-updates 24
like "$(cat "$T/err")" "c/data/validation: damaged.*; remove it: the next start" "the remedy is said"
cp "$T/m/data/validation" "$T/c/data/validation"
cp "$T/m/data/validation" "$T/c/data/corpus"
exits 0 "another corpus" train "$T/c" --max-updates 24
like "$(cat "$T/err")" "data/corpus is not the corpus of this run; it is made again from the text" "is not taken"

# --- pipes in place of files --------------------------------------------------------
cp -R "$T/m" "$T/p"
"$BIN/sk-bleu-eval" "$T/p" -c 3 --use-cpu --threads 1 -q >/dev/null
touch "$T/p/interrupted" "$T/p/params.00000"
# piped NAME : the file is a pipe now
piped() {
    mv "$T/p/$1" "$T/file"
    mkfifo "$T/p/$1"
}
restored() {
    rm -f "$T/p/$1"
    mv "$T/file" "$T/p/$1"
}
train "$T/p" --max-updates 20 -q
touch "$T/p/interrupted" "$T/p/params.00000"
for name in $(sed -n 's/^#define SK_MD_[A-Z_]* "\(.*\)"/\1/p' src/modeldir/paths.h); do
    if [ -f "$T/p/$name" ] && [ ! -h "$T/p/$name" ]; then
        piped "$name"
        exits 66 "sk-train-shard: $name is a pipe" timeout 10 "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" \
            -vs "$T/val.src" -vt "$T/val.trg" -o "$T/p" --num-layers 1 --transformer-model-size 8 \
            --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 8 --batch-size 200 \
            --checkpoint-frequency 4 --max-updates 24
        like "$(cat "$T/err")" "p/$name is no plain file" "it is named"
        restored "$name"
    fi
done
for case in params.00005:66 state.00005:65; do
    name=${case%:*}
    piped "$name"
    exits "${case#*:}" "sk-train-shard: $name is a pipe" timeout 10 "$BIN/sk-train-shard" --config "$T/p/args" -o "$T/p" \
        -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" --max-updates 24
    restored "$name"
done
rm "$T/p/interrupted" "$T/p/params.00000"
# COMMAND STATUS NAME... : each of these files in turn
for case in "sk-translate 66 config.json vocab.src.0.json vocab.trg.0.json" "sk-translate 65 params.00005" \
    "sk-bleu-eval 66 validation.src validation.trg eval/00003.json eval/00003.out metrics" "sk-average 66 metrics" \
    "sk-status 65 args progress metrics finished"; do
    # shellcheck disable=SC2086
    set -- $case
    program=$1
    status=$2
    shift 2
    case $program in
        sk-translate) options="-m $T/p -c 5 -i $T/val.src" ;;
        sk-bleu-eval) options="$T/p -c 3" ;;
        sk-average) options="$T/p -o $T/mean" ;;
        *) options=$T/p ;;
    esac
    for name; do
        piped "$name"
        # shellcheck disable=SC2086
        exits "$status" "$program: $name is a pipe" timeout 10 "$BIN/$program" $options
        restored "$name"
    done
done
done_testing
