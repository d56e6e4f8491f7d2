#!/bin/sh
# average.sh - tries the ways to average a model's checkpoints, keeps the best.
#
#   average.sh MODEL_DIR [N [option of sk-translate...]]
#
# Averages the N (4) best, last and longest-lived checkpoints, translates the
# model's validation text with each of these and with the best checkpoint alone,
# prints their BLEU, and leaves the winner as MODEL_DIR.average, for
#
#   sk-translate -m MODEL_DIR -c MODEL_DIR.average
set -eu
[ $# -gt 0 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 64; }

model=${1%/} n=${2:-4}
shift
[ $# -eq 0 ] || shift
work=$(mktemp -d "$model.average.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 75' HUP INT TERM

for strategy in best last lifespan; do
    sk-average "$model" -n "$n" --strategy $strategy -q -o "$work/$strategy"
done
cp "$model/params.best" "$work/single"
for way in single best last lifespan; do
    sk-translate -m "$model" -c "$work/$way" "$@" -q -i "$model/validation.src" -o "$work/out"
    bleu=$(sk-bleu-eval --hypotheses "$work/out" --references "$model/validation.trg" --tokenize none 2>"$work/signature" |
        sed -n 's/^BLEU	//p')
    printf '%s\t%s\n' "$bleu" "$way"
done >"$work/table"
cat "$work/table"
winner=$(sort -k 1,1gr -s "$work/table" | sed -n '1s/.*	//p')
mv "$work/$winner" "$model.average"
echo "average.sh: $model.average is '$winner'" >&2
