#!/bin/sh
# The tour of README: every line of it, with a small model, in a folder that
# holds the files it names.
. "$(dirname "$0")/tap.sh"

# Lines of the tour's commands; long ones are joined. What waits for a person
# is left out, sizes are made small.
awk '/^## /{ tour = $0 == "## A tour" || $0 == "## Adapting a model" } /^A job that is preempted/ { tour = 0 }
    /^```/ { code = tour && /sh$/; next } code { printf "%s", $0; if (!sub(/\\$/, "")) print ""; }' README.md |
    sed 's/\\  */ /g' | grep -v '^tail -f' |
    sed 's/ 256 / 16 /; s/ 1024 / 32 /; s/-max-updates 5000/-max-updates 4/; s/-frequency 500/-frequency 2/; s/ 2048 / 400 /; s/-frequency 100/-frequency 2/; s/-updates 1000/-updates 4/' \
        >"$T/tour"
is "$(cut -d ' ' -f 1 "$T/tour" | tr '\n' ' ')" \
    "sk-train-shard sk-status tail sk-bleu-eval sk-bleu-eval sk-translate sk-average sk-translate sk-bleu-eval sk-train-shard " \
    "the tour's commands are read"

awk 'BEGIN { srand(7); for (i = 0; i < 100; i++) { n = 1 + int(5 * rand()); s = ""
    for (k = 0; k < n; k++) s = s " a" int(8 * rand()); print substr(s, 2) } }' >"$T/text"
for part in train dev test new newdev; do
    for side in de en; do
        cp "$T/text" "$T/$part.$side"
    done
done
PATH=$BIN:$PATH
export PATH
cd "$T" || exit 1
n=0
while IFS= read -r line; do
    n=$((n + 1))
    printf '%s\n' "$line" >"$T/line"
    exits 0 "$(printf '%s\n' "$line" | tr -d '\\' | cut -c 1-60)" sh -e "$T/line" </dev/null
    case $line in 'sk-bleu-eval --hyp'*) bleu=$(cat "$T/out") ;; esac
done <"$T/tour"
ok "as many lines as were read" test "$n" -eq 10
like "$bleu" '^BLEU	' "the tour ends with BLEU"
ok "the adapted model is there" [ -e adapted/params.00002 ]

done_testing
