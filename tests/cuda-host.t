#!/bin/sh
# The programs with the cuda backend, whole, on the stand-in for CUDA: device
# memory that the host cannot touch, work that is done as late as it may be. What
# they compute is what the CPU computes; hosts without driver or GPU; errors.
. "$(dirname "$0")/tap.sh"

# SK_TEST_PLUGIN: another plug-in, for a GPU (tests/gpu/check).
plugin=${SK_TEST_PLUGIN:-$PRELOAD/sk-cuda-host.so}
[ -f "$plugin" ] || skip_all "the stand-in for CUDA was not built: the C++ compiler is missing (Debian package g++)"
export SK_PLUGIN_CUDA="$plugin"
export SK_CUDA_HOST=lazy

# Words backwards.
awk -v train="$T/train" -v val="$T/val" 'BEGIN {
    srand(1)
    for (i = 0; i < 220; i++) {
        n = 1 + int(9 * rand()); forward = back = ""
        for (k = 0; k < n; k++) {
            c = substr("abcdefgh", 1 + int(8 * rand()), 1)
            forward = forward " " c; back = c " " back
        }
        print substr(forward, 2) > (i < 200 ? train ".src" : val ".src")
        print back > (i < 200 ? train ".trg" : val ".trg")
    }
}'

# train MODEL OPTION... : a few updates, what was said into $T/MODEL.log
train() {
    model=$1
    shift
    "$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/$model" \
        --batch-type word --batch-size 100 --max-updates 6 --checkpoint-frequency 3 --threads 1 --seed 3 \
        --loglevel DEBUG "$@" >"$T/$model.log" 2>&1
}
transformer() {
    train "$@" --num-layers 1 --transformer-model-size 32 --transformer-attention-heads 2 \
        --transformer-feed-forward-num-hidden 32
}
rnn() {
    train "$@" --encoder rnn --decoder rnn --num-layers 1 --rnn-num-hidden 16 --num-embed 16 --rnn-attention-type mlp
}

# losses MODEL : of each update; close A B [SHARE] : equal but for rounding
losses() { sed -n 's/.*Update \[\([0-9]*\)\].*loss=\([0-9.]*\).*gradient-norm=\([0-9.]*\).*/\1 \2 \3/p' "$T/$1.log"; }
share=$([ -n "${SK_TEST_PLUGIN-}" ] && echo 1e-3 || echo 3e-5)
close() {
    losses "$1" >"$T/a"
    losses "$2" >"$T/b"
    paste -d' ' "$T/a" "$T/b" | awk -v share="${3:-$share}" '
        function far(a, b) { return (a - b) * (a - b) > share * share * b * b }
        { if (far($2, $5) || far($3, $6) || $1 != $4) bad++ }
        END { exit NR != 6 || bad }'
}
# alike A B : the same lines; on a GPU, whose sums come in another order, nearly all
alike() {
    paste -d'\t' "$1" "$2" | awk -F'\t' -v some="${SK_TEST_PLUGIN:+1}" '
        $1 != $2 { bad++ } END { exit NR != 20 || bad > 2 * some }'
}

for kind in transformer rnn; do
    for dtype in float32 bfloat16; do
        name=$kind-$dtype
        ok "$name: trains" "$kind" "$name" --dtype $dtype
        like "$(cat "$T/$name.log")" "Training Device\(s\): cuda: .*$dtype" "$name: on the device"
        ok "$name: trains on the CPU" "$kind" "$name-cpu" --dtype $dtype --use-cpu
        like "$(cat "$T/$name-cpu.log")" "Training Device\(s\): cpu: " "$name: --use-cpu decides"
        # There bfloat16 is also what stands between the Transformer's products, and the
        # gradient of logits; SK_CUDA_ROWS=float32 forbids the first.
        ok "$name: losses and gradients are the CPU's" close "$name" "$name-cpu" \
            "$([ $dtype = float32 ] || echo 1e-2)"
    done
    name=$kind-float32
    "$BIN/sk-translate" -m "$T/$name" -i "$T/val.src" --beam-size 3 >"$T/there" 2>"$T/err"
    like "$(cat "$T/err")" 'on cuda: ' "$kind: translates on the device"
    "$BIN/sk-translate" -m "$T/$name" -i "$T/val.src" --beam-size 3 --use-cpu >"$T/here" 2>"$T/err"
    ok "$kind: as the CPU does" alike "$T/there" "$T/here"
    for c in a b c d e f g h; do printf '%s %s -1\n%s a -2\n' $c $c $c; done >"$T/table"
    "$BIN/sk-lexicon" -i "$T/table" -o "$T/$name.lex" -m "$T/$name" -k 2 2>"$T/err"
    for how in "--json-input" "--restrict-lexicon $T/$name.lex" "--json-input --restrict-lexicon $T/$name.lex" \
        "--sample --seed 2" "--sample 3" "--sample --restrict-lexicon $T/$name.lex"; do
        input=$T/val.src
        case $how in *json*)
            input=$T/asked
            awk '{ print "{\"text\": \"" $0 "\", \"avoid\": [\"a b\", \"c\"]" (NR % 3 ? ", \"constraints\": [\"d e\", \"f\"]" : "") \
                (NR % 2 ? ", \"target_prefix\": \"h\"" : "") "}" }' "$T/val.src" >"$input" ;;
        esac
        # shellcheck disable=SC2086  # several options
        "$BIN/sk-translate" -m "$T/$name" -i "$input" --beam-size 4 $how >"$T/there" 2>"$T/err"
        # shellcheck disable=SC2086
        "$BIN/sk-translate" -m "$T/$name" -i "$input" --beam-size 4 $how --use-cpu >"$T/here" 2>"$T/err"
        ok "$kind, $(echo "$how" | sed "s| ${T}[^ ]*||g"): as the CPU does" alike "$T/there" "$T/here"
    done
done

# Source factors (the words themselves), and an average that is validated.
factored() {
    transformer "$@" --dtype float32 --source-factors "$T/train.src" --validation-source-factors "$T/val.src" \
        --source-factors-num-embed 4 --transformer-model-size 28:32 --ema 0.8
}
perplexity() { sed -n 's/.*perplexity-val=\([^	]*\).*/\1/p' "$T/$1/metrics" | tail -n 1; }
ok "source factors and an average: trains" factored factored
ok "and on the CPU" factored factored-cpu --use-cpu
ok "losses and gradients are the CPU's" close factored factored-cpu
ok "so is the average" awk -v a="$(perplexity factored)" -v b="$(perplexity factored-cpu)" \
    'BEGIN { exit !(a / b > 0.999 && a / b < 1.001) }'
ok "ended after three updates" factored factored-parts --max-updates 3
ok "and taken up again" factored factored-parts
ok "it has the same bits" cmp "$T/factored/params.00002" "$T/factored-parts/params.00002"

SK_CUDA_ROWS=float32 transformer wide --dtype bfloat16
ok "bfloat16 with float32 between products is the CPU's" close wide transformer-bfloat16-cpu 1e-3
ok "tf32: trains" transformer tf32 --dtype tf32
like "$(cat "$T/tf32.log")" "Training Device\(s\): cuda: .*tf32" "on the device"
ok "tf32: losses and gradients are nearly those of float32" close tf32 transformer-float32 3e-2
status=0
close tf32 transformer-float32 1e-7 || status=$?
is "$status" 1 "but not the same"
# What --dtype is, where it is not given: that of the run, or the device's.
transformer default
like "$(cat "$T/default/args")" '^dtype	bfloat16$' "a new run on a GPU: bfloat16"
ok "it has the bits of bfloat16" cmp "$T/default/params.00002" "$T/transformer-bfloat16/params.00002"
transformer default-cpu --use-cpu
like "$(cat "$T/default-cpu/args")" '^dtype	float32$' "on a CPU: float32"
# Ended after three updates, and taken up again; its --dtype need not be said again.
transformer parts --max-updates 3 --dtype float32
ok "resumed" transformer parts
ok "a resumed training ends with the bits of the other" cmp "$T/parts/params.00002" "$T/transformer-float32/params.00002"
transformer again --dtype float32
ok "so does another" cmp "$T/again/params.00002" "$T/transformer-float32/params.00002"
SK_CUDA_UNFUSED=1 transformer unfused --dtype float32
ok "biases added apart from products give the same" close unfused transformer-float32
# Two processes, each with a device of its own.
transformer pair --dtype float32 --num-shards 2 --shard 0 &
other=$!
"$BIN/sk-train-shard" -s "$T/train.src" -t "$T/train.trg" -vs "$T/val.src" -vt "$T/val.trg" -o "$T/pair" \
    --batch-type word --batch-size 100 --max-updates 6 --checkpoint-frequency 3 --threads 1 --seed 3 --num-layers 1 \
    --transformer-model-size 32 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 --num-shards 2 \
    --dtype float32 --shard 1 >"$T/pair1.log" 2>&1 || cat "$T/pair1.log"
wait "$other" || cat "$T/pair.log"
ok "two shards train the same model" cmp "$T/pair/params.00002" "$T/transformer-float32/params.00002"
like "$(cat "$T/pair.log" "$T/pair1.log")" 'shards 0 [(].*, 1 [(]' "together"
"$BIN/sk-bleu-eval" "$T/parts" --checkpoint 2 >"$T/out" 2>"$T/err"
like "$(cat "$T/err")" 'translating on cuda: ' "sk-bleu-eval evaluates there"
like "$(cat "$T/out")" '^BLEU	' "and gives a score"
"$BIN/sk-translate" -m "$T/parts" "$T/again" -i "$T/val.src" >"$T/there" 2>"$T/err"
"$BIN/sk-translate" -m "$T/parts" "$T/again" -i "$T/val.src" --use-cpu >"$T/here" 2>"$T/err"
ok "an ensemble translates as on the CPU" alike "$T/there" "$T/here"
"$BIN/sk-score" -m "$T/parts" --source "$T/val.src" --target "$T/val.trg" >"$T/there" 2>"$T/err"
like "$(cat "$T/err")" 'cuda: ' "sk-score scores there"
is "$(wc -l <"$T/there")" 20 "all pairs"

[ -z "${SK_TEST_PLUGIN-}" ] || { done_testing; exit; }
# --- what may be missing ------------------------------------------------------------
# shellcheck disable=SC2120  # options come by way of ok
translate() { "$BIN/sk-translate" -m "$T/parts" -i "$T/val.src" "$@" >"$T/out" 2>"$T/err"; }
for error in 35 100; do
    SK_CUDA_HOST_ERROR=$error ok "CUDA error $error: the CPU translates" translate
    like "$(cat "$T/err")" "^No GPU: .*CUDA error $error.; the CPU computes" "and that is said"
done
status=0
SK_CUDA_HOST_ERROR=46 translate || status=$?
is "$status" 75 "another error may pass"
like "$(cat "$T/err")" 'the GPU cannot be used: .*46.*--use-cpu' "and is named, with what can be done"
status=0
SK_GPU_NEEDED=1 SK_CUDA_HOST_ERROR=100 translate || status=$?
is "$status" 75 "no falling back to the CPU where sk-train gave a GPU"
SK_CUDA_HOST_ERROR=46 ok "--use-cpu asks for no GPU" translate --use-cpu
status=0
SK_PLUGIN_CUDA=$T/val.src translate || status=$?
is "$status" 1 "a plug-in that is none"
like "$(cat "$T/err")" 'plug-in for GPUs cannot be used: .*val.src' "is named"
SK_PLUGIN_CUDA='' ok "no plug-in is wanted" translate
like "$(cat "$T/err")" ' on cpu: ' "then the CPU translates"
like "$(SK_PLUGIN_CUDA='' "$BIN/sk-translate" --version)" '^backends: cpu$' "--version: backends without it"
like "$("$BIN/sk-translate" --version)" '^backends: cpu cuda$' "--version: backends with it"

status=0
SK_CUDA_HOST_MEMORY=40000000 transformer small || status=$?
is "$status" 1 "training that needs more memory than the GPU has"
like "$(cat "$T/small.log")" 'needs about [0-9]+ MB of the GPU.s memory, and 40 MB are free .*: no --batch-size fits' \
    "says how much, and what to do"
SK_CUDA_HOST_MEMORY=94000000 transformer small --batch-size 1000
fits=$(sed -n 's/.*--batch-size \([0-9]*\) fits.*/\1/p' "$T/small.log")
like "$fits" '^[1-9]' "says which size fits"
SK_CUDA_HOST_MEMORY=94000000 ok "and so it does" transformer small --batch-size "$fits"
status=0
SK_CUDA_HOST_MEMORY=30000 translate || status=$?
is "$status" 1 "translating with too little"
like "$(cat "$T/err")" 'has no memory for .* more: .*--beam-size' "too"
transformer dry --dry-run
like "$(cat "$T/dry.log")" '^gpu-memory	[0-9]+$' "--dry-run predicts the GPU's memory"

done_testing
