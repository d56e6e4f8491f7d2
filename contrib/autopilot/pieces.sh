# pieces.sh - subwords by sentencepiece: model.bpe/ learns them of the training
# text of both sides, data/bpe is the text cut into them.
# shellcheck shell=sh disable=SC2034,SC2154

# Size of the vocabulary: what was asked for, or by the size of the text.
vocabulary_size() {
    case $(of_task 5) in
    auto) awk -F '\t' '$1 == "train" { v = int(30 * sqrt($2)); print (v > 32000 ? 32000 : v < 200 ? 200 : v) }' "$text/counts" ;;
    *) of_task 5 ;;
    esac
}
# learn DIR SIZE: as few pieces as there are may be too few for the characters of the
# text; sentencepiece says how many it needs.
learn() {
    tell spm_train "--input=$text/train.src,$text/train.trg" "--model_prefix=${1%.part}/pieces" "--vocab_size=$2" \
        --model_type=bpe --character_coverage=0.9995 --normalization_rule_name=identity --hard_vocab_limit=false \
        --input_sentence_size=10000000 --random_seed=1
    progress tail -n 1 "$1/log"
    status=0
    beside spm_train "--input=$text/train.src,$text/train.trg" "--model_prefix=$1/pieces" "--vocab_size=$2" \
        --model_type=bpe --character_coverage=0.9995 --normalization_rule_name=identity --hard_vocab_limit=false \
        --input_sentence_size=10000000 --random_seed=1 >"$1/log" 2>&1 || status=$?
    rest
    return $status
}
step_codes() {
    title "Subwords, learned by sentencepiece"
    size=$(vocabulary_size)
    recipe="$(cat "$system/recipes/raw") $size"
    made codes "$codes" "$recipe" || {
        rm -rf "$codes.part"
        mkdir -p "$codes.part"
        learn "$codes.part" "$size" || {
            needed=$(sed -n 's/.*smaller than required_chars\. [0-9]* vs \([0-9]*\).*/\1/p' "$codes.part/log")
            [ -n "$needed" ] && learn "$codes.part" $((needed + size)) || {
                tail -n 3 "$codes.part/log" >&2
                die 65 "spm_train failed; all it said is in $system/$codes.part/log"
            }
        }
        settle "$codes"
        done_with codes "$recipe"
    }
    say "$(lines "$codes/pieces.vocab") pieces"
}
step_bpe() {
    title "Text cut into subwords: $system/data/bpe"
    recipe=$(digest "$system/recipes/codes")
    made bpe data/bpe "$recipe" && return
    into=data/bpe.part
    rm -rf "$into"
    mkdir -p "$into"
    for file in "$text"/*.src "$text"/*.trg; do
        name=${file##*/}
        progress share_of "$into/$name" "$file" "$name"
        tell spm_encode "--model=$codes/pieces.model" "--output=data/bpe/$name" "$file"
        beside spm_encode "--model=$codes/pieces.model" "--output=$into/$name" "$file" 2>>"$system/logs/spm_encode.log" || {
            tail -n 3 "$system/logs/spm_encode.log" >&2
            die 74 "spm_encode cannot cut $file"
        }
        rest
        [ "$(lines "$into/$name")" -eq "$(lines "$file")" ] || die 74 "spm_encode lost lines of $file"
    done
    settle data/bpe
    done_with bpe "$recipe"
}
# join FILE OUT: words again; OUT gets its name when it is complete.
join() {
    case $type in
    bpe) sed 's/@@ //g; s/@@$//' "$1" >"$2.part" ;;
    *)
        tell spm_decode "--model=$codes/pieces.model" "--output=$2" "$1"
        spm_decode "--model=$codes/pieces.model" "--output=$2.part" "$1" 2>>"$system/logs/spm_decode.log"
        ;;
    esac || die 74 "cannot join the pieces of $1"
    [ "$(lines "$2.part")" -eq "$(lines "$1")" ] || die 74 "$2.part has not all lines of $1"
    mv "$2.part" "$2"
}
