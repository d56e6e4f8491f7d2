#!/bin/sh
# The options of sk-vocab.
. "$(dirname "$0")/tap.sh"

printf 'a a a b b c d\n' >"$T/one"
printf 'b b c e\n' >"$T/two"
words() { grep -oE '"[^"]+": [0-9]+' "$1" | tr -d '":' | cut -d ' ' -f 1 | tr '\n' ' '; }
exits 0 "sk-vocab" "$BIN/sk-vocab" -i "$T/one" -o "$T/v"
is "$(words "$T/v")" "<pad> <unk> <s> </s> a b d c " "most frequent words first"
exits 0 "--inputs, --output" "$BIN/sk-vocab" --inputs "$T/one" "$T/two" --output "$T/v"
is "$(words "$T/v")" "<pad> <unk> <s> </s> b a c e d " "several files are counted together"
exits 0 "--num-words" "$BIN/sk-vocab" -i "$T/one" "$T/two" -o "$T/v" --num-words 2
is "$(words "$T/v")" "<pad> <unk> <s> </s> b a " "no more than that"
exits 0 "--word-min-count" "$BIN/sk-vocab" -i "$T/one" "$T/two" -o "$T/v" --word-min-count 2
is "$(words "$T/v")" "<pad> <unk> <s> </s> b a c " "no rarer ones"
exits 0 "--pad-vocab-to-multiple-of" "$BIN/sk-vocab" -i "$T/one" -o "$T/v" --pad-vocab-to-multiple-of 16
is "$(words "$T/v" | wc -w | tr -d ' ')" 16 "filled up"
printf 'a \377\n' >"$T/bad"
exits 65 "invalid UTF-8" "$BIN/sk-vocab" -i "$T/bad" -o "$T/v"
exits 0 "--replace-invalid, --quiet" "$BIN/sk-vocab" -i "$T/bad" -o "$T/v" --replace-invalid --quiet
is "$(words "$T/v" | wc -w | tr -d ' ') $(cat "$T/err")" "6 " "it is replaced, and nothing said"
exits 0 "without --quiet" "$BIN/sk-vocab" -i "$T/one" -o "$T/v"
like "$(cat "$T/err")" "types" "the counts are said"
done_testing
