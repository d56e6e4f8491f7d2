# toy.sh - a small model that says b1 for a1, b2 for a2, ..., and b3 c3 for a3, for
# tests of translating. Source it after tap.sh.
# shellcheck shell=sh

# toy_model SEED: trains $T/model on lines that SEED decides, $T/src and $T/trg.
toy_model() {
    awk -v seed="$1" -v src="$T/src" -v trg="$T/trg" 'BEGIN { srand(seed); for (i = 0; i < 400; i++) {
        n = 2 + int(6 * rand()); s = t = ""
        for (k = 0; k < n; k++) { w = int(8 * rand()); s = s " a" w; t = t " b" w; if (w == 3) t = t " c" w }
        print substr(s, 2) >src; print substr(t, 2) >trg } }'
    head -n 20 "$T/src" >"$T/val.src"
    head -n 20 "$T/trg" >"$T/val.trg"
    ok "a model is trained" "$BIN/sk-train-shard" --source "$T/src" --target "$T/trg" \
        --validation-source "$T/val.src" --validation-target "$T/val.trg" --output "$T/model" --use-cpu --num-layers 1 \
        --transformer-model-size 16 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 \
        --batch-size 400 --initial-learning-rate 0.01 --checkpoint-frequency 50 --threads 1 --max-updates 150 \
        --max-seq-len 30
}
translate() { "$BIN/sk-translate" -m "$T/model" --use-cpu --threads 1 "$@" 2>"$T/err"; }
