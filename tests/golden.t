#!/bin/sh
# The golden Transformer and RNN of Sockeye 1.18.115, driven through the command
# line: golden parameters and vocabularies, three updates with Adam.
# sanitized
. "$(dirname "$0")/tap.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"

# train DIR OPTION...
train() {
    out=$1
    shift
    # shellcheck disable=SC2046,SC2086
    "$BIN/sk-train-shard" -s "$T/$model/source.txt" -t "$T/$model/target.txt" \
        -vs "$T/$model/source.txt" -vt "$T/$model/target.txt" -o "$out" \
        $(tests/golden.py args "$golden") $shared \
        --source-vocab "$T/$model/source.json" --target-vocab "$T/$model/target.json" --params "$T/$model/params.in" \
        --transformer-dropout-attention 0 --transformer-dropout-act 0 --transformer-dropout-prepost 0 \
        --rnn-decoder-hidden-dropout 0 \
        --batch-type sentence --batch-size 3 --optimizer adam --initial-learning-rate 0.01 \
        --metrics perplexity accuracy --checkpoint-frequency 1 --max-updates 3 --use-cpu --quiet "$@"
}
for model in transformer_pre_n_post_dr_tied rnn_gnmt_like_3x3_dot_upper; do
    golden=tests/data/$model.json
    tests/golden.py make "$golden" "$T/$model"
    shared=
    cmp -s "$T/$model/source.json" "$T/$model/target.json" && shared=--shared-vocab
    for case in label_smoothing=0,norm=valid label_smoothing=0.1,norm=valid; do
        smoothing=${case#label_smoothing=}
        smoothing=${smoothing%%,*}
        exits 0 "$model, $case: trains" train "$T/$model-$case" --label-smoothing "$smoothing"
        tests/golden.py check "$golden" "$case" "$T/$model-$case" >"$T/checks"
        while read -r good text; do
            is "$good" 1 "$text"
        done <"$T/checks"
    done
    exits 0 "eight threads, one leaf" train "$T/$model-threads" --label-smoothing 0.1 --threads 8 --virtual-shards 1
    tests/golden.py check "$golden" "label_smoothing=0.1,norm=valid" "$T/$model-threads" >"$T/checks"
    is "$(grep -vc ^1 "$T/checks")" 0 "agree as well"

    # Numbers of 8 bits are off by 2^-9 of their size at most; over these models'
    # depth that came to about 2e-3 of loss and norm. Adam's first steps are as
    # large for small gradients as for large ones: a few parameters move otherwise.
    for dtype in bfloat16-amx bfloat16; do
        exits 0 "$model, $dtype: trains" train "$T/$model-$dtype" --label-smoothing 0.1 --dtype $dtype
        tests/golden.py check "$golden" "label_smoothing=0.1,norm=valid" "$T/$model-$dtype" 20 >"$T/checks"
        while read -r good text; do
            is "$good" 1 "$dtype: $text"
        done <"$T/checks"
    done
    ok "and is not float32" sh -c "! cmp -s '$T/$model-bfloat16/params.00001' '$T/$model-$case/params.00001'"
done
exits 78 "a run goes on with the numbers it began with" train "$T/$model-bfloat16" --label-smoothing 0.1 --max-updates 4 \
    --dtype float32
like "$(cat "$T/err")" "dtype.*bfloat16" "and the option is named"
done_testing
