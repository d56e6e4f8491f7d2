#!/bin/sh
# quickstart and its parts, without a network: packages made here stand for
# Debian's, the mirror is a stub.
. "$(dirname "$0")/tap.sh"

tab=$(printf '\t')

# --- messages out of a catalogue ---------------------------------------------------
cat >"$T/messages" <<'EOF'
msgid ""
msgstr "Project-Id-Version: x\n"

msgid "Save _As..."
msgstr "Speichern _unter…"

msgctxt "menu"
msgid "&Open the file \"%s\"\n"
msgstr "Die Datei »%s« ö&ffnen\n"

msgid "~Close"
msgstr "S~chließen"

msgid "keep snake_case_names here"
msgstr "behalte snake_case_names hier"

msgid "two lines\nof text"
msgstr "zwei Zeilen\nText"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

msgid "<b>bold</b> text"
msgstr "<b>fetter</b> Text"

msgid "lost %s value"
msgstr "verlorener Wert"

msgid "same text"
msgstr "same text"

msgid "See https://example.org/ for more"
msgstr "Siehe https://example.org/"

msgid "not translated"
msgstr ""

msgid "123 %"
msgstr "123 % x"
EOF
awk -f contrib/catalogue.awk "$T/messages" >"$T/pairs"
is "$(cat "$T/pairs")" "Save As...${tab}Speichern unter...
Open the file \"%s\"${tab}Die Datei »%s« öffnen
Close${tab}Schließen
keep snake_case_names here${tab}behalte snake_case_names hier" "messages worth learning from"

# --- held-out messages ----------------------------------------------------------------
# Texts of a small grammar: many differ by one word only.
awk 'BEGIN { srand(3)
    split("open close save read find move copy print delete check", verb, " ")
    split("oeffne schliesse sichere lies suche bewege kopiere drucke loesche pruefe", verb_de, " ")
    for (i = 0; i < 2500; i++) {
        n = 2 + int(6 * rand()); en = verb[v = 1 + int(10 * rand())]; de = verb_de[v]
        for (k = 0; k < n; k++) { w = int(26 * rand()); en = en sprintf(" the%c", 97 + w); de = de sprintf(" die%c", 97 + w) }
        if (rand() < 0.2) { en = en " %s"; de = de " %s" }
        print en "\t" de
        if (rand() < 0.2) { sub(/^./, "X", en); print en ": 7\t" de " zusatz" }
    } }' | LC_ALL=C sort -u -t "$tab" -k 1,1 >"$T/grammar"
hold() { mkdir -p "$1" && LC_ALL=C awk -v dir="$1" -v language=de -v size=100 -f contrib/holdout.awk "$T/grammar"; }
hold "$T/split"
hold "$T/again"
for part in dev test; do
    is "$(wc -l <"$T/split/$part.en" | tr -d ' ')" 100 "$part has the size wanted"
done
same "$T/split/train.en" "$T/again/train.en" "the same text is divided in the same way"
is "$(paste "$T/split/dev.en" "$T/split/dev.de" | grep -vxF -f "$T/grammar")" "" "pairs stay together"
# Another way to see it: the edit distance of words, pair by pair.
cat >"$T/near.py" <<'EOF'
import re, sys
def words(s):
    return re.sub(r'[^a-z]+', ' ', re.sub(r'%s', ' ', s.lower())).split()
def near(a, b):
    if abs(len(a) - len(b)) > 1:
        return False
    i = 0
    while i < min(len(a), len(b)) and a[i] == b[i]:
        i += 1
    return a[i + (len(a) >= len(b)):] == b[i + (len(b) >= len(a)):]
found = kept = 0
for side in 'en', 'de':
    read = lambda part: [words(l) for l in open(f'{sys.argv[1]}/{part}.{side}')]
    held, train = read('dev') + read('test'), read('train')
    kept = len(train)
    found += sum(near(h, t) for t in train for h in held)
print(found, kept > 1500)
EOF
is "$(python3 "$T/near.py" "$T/split")" "0 True" "no message of train is within a word of a held-out one"
left=$(($(wc -l <"$T/grammar") - $(cat "$T"/split/*.en | wc -l)))
ok "some were, and were left out ($left)" test "$left" -gt 30

# --- packages --------------------------------------------------------------------------------
for tool in msgfmt msgunfmt msgconv dpkg-deb; do
    command -v "$tool" >/dev/null 2>&1 || {
        skip "$tool is not installed"
        done_testing
    }
done
mirror=$T/mirror
mkdir -p "$mirror" "$T/bin"
# package NAME LANGUAGE FOLDER CHARSET FIRST LAST: a .deb with lines of text
package() {
    rm -rf "$T/deb"
    mkdir -p "$T/deb/DEBIAN" "$T/deb/$3/$2/LC_MESSAGES"
    printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n' "$1" >"$T/deb/DEBIAN/control"
    {
        printf 'msgid ""\nmsgstr "Content-Type: text/plain; charset=%s\\n"\n\n' "$4"
        sed -n "$5,$6p" "$T/words" | awk -F '\t' '{ printf "msgid \"%s\"\nmsgstr \"%s\"\n\n", $1, $2 }' | iconv -f UTF-8 -t "$4"
    } >"$T/deb.po"
    msgfmt -o "$T/deb/$3/$2/LC_MESSAGES/$1.mo" "$T/deb.po" && dpkg-deb -b "$T/deb" "$mirror/$1_1_all.deb" >/dev/null
}
# Words of random syllables, the same on both sides but for the vowels.
awk 'BEGIN { srand(5); split("ba ce di fo gu ka le mi no pu ra se ti vo wu za", s, " ")
    for (i = 0; i < 900; i++) { w[i] = ""; n = 1 + int(3 * rand()); for (k = 0; k <= n; k++) w[i] = w[i] s[1 + int(16 * rand())] }
    for (i = 0; i < 2600; i++) { n = 2 + int(7 * rand()); en = de = ""
        for (k = 0; k < n; k++) { x = w[int(900 * rand() * rand())]; en = en " " x; gsub(/a/, "ä", x); gsub(/o/, "ei", x); de = de " " x }
        print substr(en, 2) "\t" substr(de, 2) } }' | LC_ALL=C sort -u -t "$tab" -k 1,1 >"$T/words"
package coreutils xx usr/share/locale UTF-8 1 900
package gcc-13-locales xx usr/share/locale ISO-8859-1 901 1800
package libreoffice-l10n-xx xx usr/lib/libreoffice/program/resource UTF-8 1801 2600
package libreoffice-l10n-yy yy usr/lib/libreoffice/program/resource UTF-8 1 100
package git xx usr/share/locale UTF-8 1 10
cat >"$T/bin/apt-cache" <<EOF
#!/bin/sh
for name; do :; done
ls "$mirror/\$name"_*.deb
EOF
cat >"$T/bin/apt-get" <<EOF
#!/bin/sh
for verb; do [ "\$verb" != update ] || { echo update >>"$T/downloads"; exit 0; }; done
while [ "\$1" != download ]; do shift; done
shift
for name; do
    [ "\$name" != git ] || { echo "E: git is broken here" >&2; exit 100; }
    cp "$mirror/\$name"_*.deb .
    echo "\$name" >>"$T/downloads"
done
EOF
chmod +x "$T/bin/apt-cache" "$T/bin/apt-get"
PATH=$T/bin:$PATH
export PATH

exits 0 "catalogues" contrib/catalogues xx "$T/c" "$T/packages"
like "$(cat "$T/err")" "catalogues: dpkg cannot be had; going on without" "a package that is not there is passed over"
like "$(cat "$T/err")" "git cannot be had; going on without" "so is one that cannot be downloaded"
is "$(grep -c update "$T/downloads")" 1 "but first the lists are made new"
like "$(cat "$T/downloads")" '^gcc-13-locales$' "of several names the first that is there is taken"
all=$(wc -l <"$T/words")
ok "all messages are found" test "$(cat "$T"/c/*.en | wc -l)" -gt $((all * 9 / 10))
is "$(cat "$T"/c/*.xx | grep -c 'ä')" "$(cat "$T"/c/*.en | grep -c a)" "also those of other character sets"
cat "$T/c/train.xx" "$T/c/dev.xx" "$T/c/test.xx" | LC_ALL=C sort >"$T/got"
cut -f 2 "$T/words" | LC_ALL=C sort >"$T/wanted"
is "$(LC_ALL=C comm -23 "$T/got" "$T/wanted" | wc -l | tr -d ' ')" 0 "as they were written"
: >"$T/downloads"
exits 0 "again" contrib/catalogues xx "$T/c2" "$T/packages"
is "$(cat "$T/downloads")" "" "nothing is downloaded twice"
same "$T/c/train.xx" "$T/c2/train.xx" "with the same result"
exits 65 "a language without messages" contrib/catalogues yy "$T/c3" "$T/packages"
like "$(cat "$T/err")" "language 'yy': too few" "is named"
exits 64 "a language that is none" contrib/catalogues ../x "$T/c3"
exits 64 "no arguments" contrib/catalogues

# --- all of it -----------------------------------------------------------------------------------
if ! command -v spm_train >/dev/null 2>&1; then
    skip "sentencepiece is not installed"
    done_testing
fi
quickstart() { QUICKSTART_LANG=xx QUICKSTART_UPDATES=$1 QUICKSTART_PIECES=300 contrib/quickstart "$T/q"; }
# What was made, and when.
made() {
    find "$T/q/xx" -type f \( -name 'train.*' -o -name 'pieces.*' -o -name 'params.*' \) -printf '%p %T+\n' | sort
}
mkdir -p "$T/q" && cp -R "$T/packages" "$T/q/packages"
exits 0 "quickstart" quickstart 10
like "$(cat "$T/out")" "^BLEU${tab}[0-9]" "ends with BLEU"
like "$(cat "$T/out")" "^translation " "after some translations"
like "$(cat "$T/err")" "update +10 +validation perplexity" "and the curve"
cp "$T/out" "$T/first"
is "$(wc -l <"$T/q/xx/translations")" "$(wc -l <"$T/q/xx/corpus/test.en")" "each message has a translation"
made >"$T/before"
exits 0 "a second run" quickstart 10
same "$T/out" "$T/first" "says the same"
made >"$T/after"
same "$T/before" "$T/after" "and makes nothing again"
ok "the commands it kept do the same" sh -c 'PATH="$1:$PATH"; export PATH; sh -e "$2/commands"' - "$BIN" "$T/q/xx"

# Ctrl-C while it trains: the signal goes to all processes of the terminal.
cat >"$T/interrupt.py" <<'EOF'
import os, signal, subprocess, sys, time
p = subprocess.Popen(['contrib/quickstart', sys.argv[1]], start_new_session=True, stdout=subprocess.DEVNULL,
                     stderr=open(sys.argv[2], 'w'), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
while p.poll() is None and not os.path.exists(sys.argv[1] + '/xx/model/progress'):
    time.sleep(0.05)
os.killpg(p.pid, signal.SIGINT)
status = p.wait()
for _ in range(100):
    try:
        os.killpg(p.pid, 0)
        time.sleep(0.1)
    except ProcessLookupError:
        print(status)
        break
else:
    print('processes are left')
EOF
rm -rf "$T/q/xx/model"
is "$(QUICKSTART_LANG=xx QUICKSTART_UPDATES=100000 QUICKSTART_PIECES=300 python3 "$T/interrupt.py" "$T/q" "$T/err")" 75 \
    "Ctrl-C ends it, and all it started"
like "$(cat "$T/err")" "quickstart: stopped; the same command goes on" "it says how to go on"
exits 0 "it goes on" quickstart 10

done_testing
