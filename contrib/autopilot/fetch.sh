# fetch.sh - downloads, once for all workspaces: CACHE/NAME/FILE.
#
# FILE.part grows and is resumed; FILE is complete and was compared with its
# checksum; FILE.sum says with which, and where it came from.
# shellcheck shell=sh disable=SC2034,SC2154

# The file's name, from its URL.
url_base() {
    url_base=${1%%#*}
    printf %s "${url_base##*/}"
}
# sum_of KIND FILE
sum_of() {
    case $1 in
    md5) md5sum <"$2" | cut -d ' ' -f 1 ;;
    *) sha256sum <"$2" | cut -d ' ' -f 1 ;;
    esac
}
# right FILE CHECKSUM: - is always right.
right() { [ "$2" = - ] || [ "$(sum_of "${2%%:*}" "$1")" = "${2#*:}" ]; }

# transfer URL PART: goes on where PART ends. What a server cannot resume is begun
# anew; what a network breaks off stays for the next time.
transfer() {
    [ -t 2 ] && how=--progress-bar || how=-sS
    status=0
    beside curl -fL $how --retry 3 --connect-timeout 30 -C - -o "$2" "$1" || status=$?
    case $status in
    22 | 33 | 36)
        [ -s "$2" ] || return $status
        rm -f "$2"
        status=0
        beside curl -fL $how --retry 3 --connect-timeout 30 -o "$2" "$1" || status=$?
        ;;
    esac
    return $status
}
# get NAME CHECKSUM URL
get() {
    name=$1 sum=$2 url=$3
    file=$cache/$name/$(url_base "$url")
    mkdir -p "$cache/$name" || die 74 "cannot make $cache/$name"
    exec 8>>"$cache/$name/lock"
    flock -n 8 || {
        say "waiting for another one that downloads $name"
        flock 8
    }
    if [ -e "$file" ]; then
        # Known as what the table says, or from there if the table says nothing.
        ! grep -qsxF -e "$sum $url" "$file.sum" || return 0
        [ "$sum" = - ] || ! right "$file" "$sum" || {
            finish_get
            return 0
        }
        rm -f "$file" "$file.sum"
    fi
    attempt=1
    while :; do
        [ ! -s "$file.part" ] || say "$name: going on after $(wc -c <"$file.part") bytes"
        [ "$attempt" = 2 ] || say "$name: $url"
        transfer "$url" "$file.part" || {
            status=$?
            say "$name cannot be downloaded from $url (curl $status)"
            case $status in
            3 | 22 | 37) die 66 "the file is not there: see the line of $name in the table of tasks" ;;
            23) die 74 "cannot write $file.part" ;;
            *) die 75 "what has come is kept; the same command goes on from there" ;;
            esac
        }
        ! right "$file.part" "$sum" || break
        got=$(sum_of "${sum%%:*}" "$file.part")
        rm -f "$file.part"
        say "$name: its checksum is ${sum%%:*}:$got, the table says $sum"
        [ "$attempt" = 1 ] || die 65 "$url is not the file that the table means"
        say "$name: downloading it once more, from its beginning"
        attempt=2
    done
    sync "$file.part" 2>/dev/null || sync
    mv "$file.part" "$file"
    finish_get
}
finish_get() {
    [ "$sum" != - ] || say "$name has no checksum in the table; what has come is sha256:$(sum_of sha256 "$file")"
    printf '%s %s\n' "$sum" "$url" >"$file.sum.part"
    mv "$file.sum.part" "$file.sum"
}

step_fetch() {
    grep -q "^file$tab" "$system/task" || return 0
    title "Downloads, kept in $cache for all workspaces"
    need curl curl
    # Not behind a pipe: who reads is to get the signals.
    while IFS=$tab read -r kind name _ sum url <&3; do
        [ "$kind" != file ] || get "$name" "$sum" "$url"
    done 3<"$system/task"
}
