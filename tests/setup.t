#!/bin/sh
# contrib/setup on machines that lack things: stubs stand for apt-get and sudo.
. "$(dirname "$0")/tap.sh"

# A PATH with next to nothing on it.
mkdir "$T/bin"
for tool in sh sed tr id mktemp tail rm env cat; do
    ln -s "$(command -v "$tool")" "$T/bin/$tool"
done
stub() { # NAME TEXT
    printf '#!/bin/sh\n%s\n' "$2" >"$T/bin/$1"
    chmod +x "$T/bin/$1"
}
setup() { env PATH="$T/bin" TMPDIR="$T" CC=gcc sh contrib/setup "$@" </dev/null; }

exits 64 "an unknown argument" setup --nothing
is "$(wc -l <"$T/err" | tr -d ' ')" 2 "two lines"
exits 0 "--help" setup --help
like "$(cat "$T/out")" "contrib/setup --check" "shows the usage"

exits 1 "--check where nothing is" setup --check
like "$(cat "$T/err")" "missing packages: gcc libc6-dev make zlib1g-dev" "names the packages"
setup --check quickstart 2>"$T/err"
like "$(cat "$T/err")" "gettext sentencepiece" "also those of quickstart"
setup --check autopilot 2>"$T/err"
like "$(cat "$T/err")" "sentencepiece curl unzip" "and those of sk-autopilot"
setup --check sentencepiece 2>"$T/err"
like "$(cat "$T/err")" "g\+\+ libsentencepiece-dev" "and those of sk-translate --sentencepiece"
exits 1 "no apt-get" setup
like "$(cat "$T/err")" "install these, under the names your system has for them: gcc" "says what to install"

# An apt-get whose first lists are old: it works after an update. What it
# installs is there afterwards.
# shellcheck disable=SC2016
stub apt-get 'echo "$*" >>'"$T"'/calls
case "$*" in
update) : >'"$T"'/updated ;;
*install*) [ -e '"$T"'/updated ] || { echo "E: 404"; exit 100; }
    for tool in gcc make; do printf "#!/bin/sh\nexit 0\n" >'"$T"'/bin/$tool; /bin/chmod +x '"$T"'/bin/$tool; done ;;
esac'
if [ "$(id -u)" -eq 0 ]; then
    rm "$T/bin/id"
    stub id 'echo 1000'
fi
exits 1 "no root and no sudo" setup
like "$(cat "$T/err")" "^sudo apt-get update && sudo apt-get install -y --no-install-recommends gcc" "prints the command"
ok "and does nothing" test ! -e "$T/calls"
# shellcheck disable=SC2016
stub sudo 'echo sudo >>'"$T"'/sudo; [ "$1" != -n ] || shift; exec "$@"'
stub true 'exit 0'
exits 0 "with sudo" setup
like "$(cat "$T/err")" "setup: installing gcc libc6-dev make" "it says what it installs"
is "$(cut -d ' ' -f 1 "$T/calls" | tr '\n' ' ')" "install update install " "lists are made new when they will not do"
ok "by sudo" test -s "$T/sudo"
: >"$T/calls"
exits 0 "again" setup
is "$(cat "$T/calls" "$T/err")" "" "there is nothing to do"

done_testing
