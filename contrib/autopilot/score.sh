# score.sh - results/MODEL.SETTINGS.test: translations of each test set, and their
# scores in three forms.
#
#   NAME.bpe    pieces, as sk-translate writes them     .bpe.bleu       against pieces
#   NAME.tok    words of pre-tokenised text             .tok.bleu       against words
#   NAME.detok  text, if it was raw                     .detok.sacrebleu  as sacreBLEU counts
#
# Raw text is never cut into words here: its words, for .tok.bleu, are those of the
# international tokeniser of mteval-v14.
# shellcheck shell=sh disable=SC2034,SC2154

# each_test COMMAND...: for every test set, its name appended.
each_test() {
    for each in data/bpe/test*.src; do
        each=${each##*/}
        "$@" "${each%.src}"
    done
}

translated() { share=$(lines "$1"); printf 'translated %d of %d lines' "$share" "$2"; }
translate() { # TEST
    out=$results/$model.$settings.$1.bpe
    in=data/bpe/$1.src
    recipe="$(digest "$system/recipes/average.$model" "$in") $(options "$settings" decode | tr '\n' ' ')"
    made "${out##*/}" "$out" "$recipe" && return
    # shellcheck disable=SC2046  # words of our own table
    set -- sk-translate --models "$model_dir" --checkpoints "$model_dir/params.average" $(options "$settings" decode) \
        --input "$in" --quiet
    [ "$gpus" -ne 0 ] || set -- "$@" --use-cpu
    tell "$@" --output "$out"
    progress translated "$out.part" "$(lines "$in")"
    beside "$@" >"$out.part" || {
        died=$?
        rest
        say "sk-translate ended with $died"
        exit "$died"
    }
    rest
    sync "$out.part" 2>/dev/null || sync
    mv "$out.part" "$out"
    done_with "${out##*/}" "$recipe"
}
step_translate() {
    title "Translating"
    mkdir -p "$results"
    [ -e "$system/recipes/average.$model" ] || die 66 "$system/$model_dir has no average yet: the step average makes it"
    each_test translate
}

# evaluate OUT OPTION...: scores, and what they are exactly, in OUT.
evaluate() {
    scored=$1
    shift
    tell sk-bleu-eval "$@"
    sk-bleu-eval "$@" >"$scored.part" 2>&1 || {
        died=$?
        cat "$scored.part" >&2
        exit "$died"
    }
    mv "$scored.part" "$scored"
}
score() { # TEST
    out=$results/$model.$settings.$1
    [ -e "$out.bpe" ] || die 66 "$system/$out.bpe is not there: the step translate makes it"
    recipe=$(digest "$out.bpe" "$text/$1.trg")
    made "${out##*/}.scores" "$out.scores" "$recipe" || {
        evaluate "$out.bpe.bleu" --hypotheses "$out.bpe" --references "data/bpe/$1.trg" --tokenize none
        case $type in
        raw)
            join "$out.bpe" "$out.detok"
            evaluate "$out.tok.bleu" --hypotheses "$out.detok" --references "$text/$1.trg" --tokenize intl
            evaluate "$out.detok.sacrebleu" --hypotheses "$out.detok" --references "$text/$1.trg" --metrics bleu chrf ter
            ;;
        tok | bpe)
            references=$text/$1.trg
            join "$out.bpe" "$out.tok"
            [ $type = tok ] || {
                references=$results/$1.tok.trg
                join "$text/$1.trg" "$references"
            }
            evaluate "$out.tok.bleu" --hypotheses "$out.tok" --references "$references" --tokenize none --metrics bleu chrf ter
            ;;
        esac
        {
            sed -nE "s/^(BLEU|chrF2|TER)$tab/bpe$tab\1$tab/p" "$out.bpe.bleu"
            sed -nE "s/^(BLEU|chrF2|TER)$tab/tok$tab\1$tab/p" "$out.tok.bleu"
            [ $type != raw ] || sed -nE "s/^(BLEU|chrF2|TER)$tab/detok$tab\1$tab/p" "$out.detok.sacrebleu"
        } >"$out.scores.part"
        mv "$out.scores.part" "$out.scores"
        done_with "${out##*/}.scores" "$recipe"
    }
    awk -F '\t' -v name="$1" -v OFS='\t' '{ print name, $0 }' "$out.scores"
}
step_score() {
    title "Scores: of pieces (bpe), of words (tok)$([ "$type" != raw ] || echo ', of text as sacreBLEU counts (detok)')"
    each_test score
}
