# text.sh - data/raw (or tok, bpe): train, dev and test as parallel lines of plain
# UTF-8, out of downloads or of the user's files.
# shellcheck shell=sh disable=SC2034,SC2154

# unpack SPEC OUT: a file of the cache, FILE or FILE/MEMBER, or the path of a user's.
unpack() {
    case $1 in
    /*) from=$1 kind=plain member= ;;
    *)
        packed=${1%%/*} member=${1#*/}
        line=$(grep "^file$tab$packed$tab" "$system/task")
        kind=$(printf '%s\n' "$line" | cut -f 3)
        from=$cache/$packed/$(url_base "$(printf '%s\n' "$line" | cut -f 5)")
        [ -e "$from" ] || die 66 "$from is not there: the step fetch brings it"
        ;;
    esac
    case $kind in
    plain) ln -s "$from" "$2.packed" ;;
    tar) tar -xOf "$from" -- "$member" >"$2.packed" 2>"$2.err" ;;
    zip) unzip -p "$from" "$member" >"$2.packed" 2>"$2.err" ;;
    *) die 65 "the table calls $packed a '$kind': plain, tar or zip are known" ;;
    esac || {
        tail -n 2 "$2.err" >&2
        die 65 "cannot unpack $member of $from"
    }
    # Copies what is not packed.
    gzip -dcf <"$2.packed" >"$2" || die 65 "cannot unpack $from"
    rm -f "$2.packed" "$2.err"
}
# sides FORMAT SIDE: text of a file of that format, SIDE being src or trg.
sides() {
    case $1-$2 in
    sgml-*) LC_ALL=C awk '
        match($0, /<seg[^>]*>/) {
            s = substr($0, RSTART + RLENGTH)
            sub(/<\/seg>.*/, "", s)
            gsub(/&lt;/, "<", s); gsub(/&gt;/, ">", s); gsub(/&quot;/, "\"", s); gsub(/&apos;/, "\047", s)
            gsub(/&amp;/, "\\&", s)
            print s
        }' ;;
    bitext-src | bitext-reverse-trg) LC_ALL=C awk '{ i = index($0, "|||"); print substr($0, 1, i - 1) }' ;;
    bitext-*) LC_ALL=C awk '{ i = index($0, "|||"); print substr($0, i + 3) }' ;;
    *) cat ;;
    esac
}
# Every white space of Unicode becomes one blank, none is at the ends: only line
# feeds end lines.
blanks() {
    LC_ALL=C awk '{
        gsub(/\302[\205\240]|\341\232\200|\342\200[\200-\212\250\251\257]|\342\201\237|\343\200\200|\357\273\277/, " ")
        gsub(/[\001-\037 ]+/, " ")
        sub(/^ /, ""); sub(/ $/, "")
        print }'
}
# utf8 FILE NAME: names the line that is not.
utf8() {
    at=$(iconv -f UTF-8 -t UTF-8 "$1" 2>&1 >/dev/null) && return
    at=$(printf '%s\n' "$at" | sed -n 's/.*position \([0-9]*\).*/\1/p')
    die 65 "$2, line $(($(head -c "${at:-0}" "$1" | wc -l) + 1)): not UTF-8; iconv converts other encodings"
}

# add SET DIR: the lines of the task for SET, appended to DIR/SET.src and .trg; of
# each with EACH, to DIR/SET.1, .2 and so on.
add() { # SET DIR [EACH]
    count=$(grep -c "^$1$tab" "$system/task") || :
    k=0
    while IFS=$tab read -r set _ format source target _ <&3; do
        [ "$set" = "$1" ] || continue
        k=$((k + 1)) name=$set
        [ -z "${3-}" ] || [ "$count" -eq 1 ] || name=$set.$k
        progress share_of "$2/.text" "$source" "$set: unpacking $source"
        for side in src trg; do
            [ $side = src ] && spec=$source || spec=$target
            unpack "$spec" "$2/.text"
            utf8 "$2/.text" "$spec"
            sides "$format" $side <"$2/.text" | blanks >"$2/.$side"
        done
        rest
        [ "$(lines "$2/.src")" -eq "$(lines "$2/.trg")" ] ||
            die 65 "$source has $(lines "$2/.src") lines, $target $(lines "$2/.trg"): they must be translations line by line"
        cat "$2/.src" >>"$2/$name.src"
        cat "$2/.trg" >>"$2/$name.trg"
    done 3<"$system/task"
}
# What has no dev or no test set gives some of its pairs.
split() { # DIR
    dev='' test=''
    [ -e "$1/dev.src" ] || dev=1
    set -- "$1" "$1"/test*.src
    [ -e "$2" ] || test=1
    [ -n "$dev$test" ] || return 0
    paste "$1/train.src" "$1/train.trg" >"$1/.pairs"
    n=$(lines "$1/.pairs")
    [ "$n" -ge 20 ] || die 65 "$n pairs of training text are too few to hold some of them out: 20 is the least"
    : >"$1/train.src"
    : >"$1/train.trg"
    LC_ALL=C awk -v dir="$1" -v n="$n" -v dev=$dev -v test=$test -f "$here/split.awk" "$1/.pairs" "$1/.pairs" >&2
    [ -s "$1/train.src" ] || die 65 "no pair is left for training: the text repeats itself; give --custom-dev and --custom-test"
}
# Empty lines teach nothing; in dev and test they stay where they are.
drop_empty() { # DIR
    paste "$1/train.src" "$1/train.trg" >"$1/.pairs"
    LC_ALL=C awk -F '\t' -v dir="$1" '
        $1 != "" && $2 != "" { print $1 > (dir "/train.src"); print $2 > (dir "/train.trg"); next }
        { empty++ }
        END { if (empty) printf "   %d pairs with an empty side are left out\n", empty
              exit empty == NR }' "$1/.pairs" >&2 || die 65 "there is no pair of training text"
}
populate() { # DIR
    if [ -n "$test_mode" ] && grep -q "^test$tab" "$system/task"; then
        add test "$1"
        mv "$1/test.src" "$1/train.src"
        mv "$1/test.trg" "$1/train.trg"
    else
        add train "$1"
        [ -n "$test_mode" ] || {
            add dev "$1"
            add test "$1" each
        }
    fi
    drop_empty "$1"
    if [ -n "$test_mode" ]; then
        for side in src trg; do
            head -n 1 "$1/train.$side" >"$1/dev.$side"
            head -n 1 "$1/train.$side" >"$1/test.$side"
            head -n 1000 "$1/train.$side" >"$1/.$side"
            [ -n "$custom" ] && ! grep -q "^test$tab" "$system/task" || continue
            mv "$1/.$side" "$1/train.$side"
        done
    else
        split "$1"
    fi
    rm -f "$1"/.[!.]*
    for file in "$1"/*.src; do
        set=${file##*/} set=${set%.src}
        printf '%s\t%s\t%s\t%s\n' "$set" "$(lines "$file")" "$(wc -w <"$file")" "$(wc -w <"$1/$set.trg")"
    done >"$1/counts"
}
step_raw() {
    title "Text: $system/$text"
    recipe=$(substance "$system/task" | cksum)
    made raw "$text" "$recipe" || {
        rm -rf "$text.part"
        mkdir -p "$text.part"
        populate "$text.part"
        settle "$text"
        done_with raw "$recipe"
    }
    awk -F '\t' '{ printf "   %-7s %9d pairs, %d and %d words\n", $1, $2, $3, $4 }' "$text/counts" >&2
}
