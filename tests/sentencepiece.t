#!/bin/sh
# sk-translate --sentencepiece: the pieces and the text of spm_encode and spm_decode.
. "$(dirname "$0")/tap.sh"

# Without the plug-in: what is missing, and where it is to be had.
SK_PLUGIN_SENTENCEPIECE='' exits 1 "no plug-in" "$BIN/sk-translate" -m nowhere --use-cpu --sentencepiece nothing </dev/null
like "$(cat "$T/err")" "libsk-sentencepiece.so.*make.*libsentencepiece-dev.*contrib/setup sentencepiece" "what is needed is named"

[ -e "${SK_PLUGIN_SENTENCEPIECE-bin/libsk-sentencepiece.so}" ] || skip_all "libsentencepiece-dev or g++ is not installed"
command -v spm_train >/dev/null || skip_all "sentencepiece is not installed"

awk 'BEGIN { srand(7); for (i = 0; i < 500; i++) { n = 2 + int(5 * rand()); s = t = ""
    for (k = 0; k < n; k++) { w = int(9 * rand()); s = s " stra\303\237e" w; t = t " rue" w "!" }
    print substr(s, 2) "\t" substr(t, 2) } }' >"$T/pairs"
cut -f1 "$T/pairs" >"$T/src"
cut -f2 "$T/pairs" >"$T/trg"
for side in src trg; do
    spm_train --input="$T/$side" --model_prefix="$T/$side" --vocab_size=40 --hard_vocab_limit=false >/dev/null 2>&1
    spm_encode --model="$T/$side.model" <"$T/$side" >"$T/$side.pieces"
done
head -n 10 "$T/src.pieces" >"$T/val.src"
head -n 10 "$T/trg.pieces" >"$T/val.trg"
m=$T/model
ok "a model is trained on pieces" "$BIN/sk-train-shard" --source "$T/src.pieces" --target "$T/trg.pieces" \
    --validation-source "$T/val.src" --validation-target "$T/val.trg" --output "$m" --use-cpu --num-layers 1 \
    --transformer-model-size 16 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 \
    --batch-size 600 --initial-learning-rate 0.01 --checkpoint-frequency 50 --threads 1 --max-updates 100
translate() { "$BIN/sk-translate" -m "$m" --use-cpu --threads 1 "$@" 2>"$T/err"; }
pair=$T/src.model:$T/trg.model

{ head -n 40 "$T/src"; printf '  stra\303\237e1   stra\303\237e2\t\n\n\357\274\241 \342\200\223 unseen \360\237\231\202\n'; } >"$T/in"
spm_encode --model="$T/src.model" <"$T/in" >"$T/in.pieces"
translate <"$T/in.pieces" >"$T/out.pieces"
spm_decode --model="$T/trg.model" <"$T/out.pieces" >"$T/want"
translate --sentencepiece "$pair" <"$T/in" >"$T/got"
same "$T/got" "$T/want" "the text that spm_encode, sk-translate and spm_decode make"
is "$(wc -l <"$T/got" | tr -d ' ')" 43 "a line for each"
ok "it is text" grep -q 'rue[0-9]!' "$T/got"
translate --sentencepiece "$pair" --output-type score <"$T/in" >"$T/got"
translate --output-type score <"$T/in.pieces" >"$T/want"
same "$T/got" "$T/want" "with the scores of the pieces"
translate --sentencepiece "$pair" --batch-size 1 --threads 2 <"$T/in" >"$T/got"
spm_decode --model="$T/trg.model" <"$T/out.pieces" >"$T/want"
same "$T/got" "$T/want" "the same with other batches and threads"
translate --sentencepiece "$T/trg.model" <"$T/in" >"$T/got"
spm_encode --model="$T/trg.model" <"$T/in" | translate | spm_decode --model="$T/trg.model" >"$T/want"
same "$T/got" "$T/want" "one model for both sides"

# Wishes are text, too.
if command -v python3 >/dev/null; then
    python3 -c 'import json, sys
for line in list(open(sys.argv[1]))[:20]: print(json.dumps({"text": line.rstrip("\n"), "constraints": ["rue7! rue8!"], "avoid": ["rue3!"]}))' \
        "$T/src" >"$T/asked"
    translate --json-input --sentencepiece "$pair" <"$T/asked" >"$T/got"
    is "$(grep -c 'rue7! rue8!' "$T/got") $(grep -c 'rue3!' "$T/got")" "20 0" "phrases that must be there are, those that must not are not"
    echo '{"text": "stra\u00dfe1 stra\u00dfe2", "target_prefix": "rue5! rue5!", "keep_target_prefix": false}' >"$T/asked"
    translate --json-input --output-type json --nbest-size 2 --sentencepiece "$pair" <"$T/asked" >"$T/got"
    is "$(python3 -c 'import json, sys; o = json.load(sys.stdin); print(len(o["translations"]), o["translations"][0] == o["translation"], "\u2581" in str(o))' <"$T/got")" \
        "2 True False" "n best are text, and what follows a prefix"
else
    skip "python3 is not installed"
fi

exits 66 "no such model" "$BIN/sk-translate" -m "$m" --use-cpu --sentencepiece "$T/absent" </dev/null
like "$(cat "$T/err")" "$T/absent" "it is named"
exits 65 "a file that is none" "$BIN/sk-translate" -m "$m" --use-cpu --sentencepiece "$T/src" </dev/null
like "$(cat "$T/err")" "$T/src is no model of sentencepiece" "it is named"
done_testing
