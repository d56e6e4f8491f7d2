#!/bin/sh
# sk-autopilot: two files in one command, kills, downloads (by file:// and by a
# server here), the page.
. "$(dirname "$0")/tap.sh"
unset CUDA_VISIBLE_DEVICES SK_LOCKED SLURM_JOB_GPUS SLURM_STEP_GPUS
export SK_GPUS='' SK_LOCK_DIR="$T/locks" UCX_NET_DEVICES=lo
AUTOPILOT=$ROOT/contrib/autopilot/sk-autopilot
PARTS=$ROOT/contrib/autopilot
PATH=$BIN:$PATH
tab=$(printf '\t')

# --- the command line ------------------------------------------------------------------
exits 0 "--help" "$AUTOPILOT" --help
is "$(awk 'length > 80' "$T/out")$(cat "$T/err")" "" "lines fit on a terminal"
sed -nE 's/^(  -.,|     ) (--[a-z-]+).*/\2/p' "$T/out" >"$T/options"
sed 's/\\-/-/g' "$PARTS/sk-autopilot.1" >"$T/page"
while read -r option; do grep -qE "^\.BR? .*$option( |$|\")" "$T/page" || echo "$option"; done <"$T/options" >"$T/missing"
is "$(cat "$T/missing")" "" "the manual page has all $(grep -c . "$T/options") options"
if command -v mandoc >/dev/null 2>&1; then
    is "$(mandoc -T lint -W warning "$PARTS/sk-autopilot.1" | grep -v 'missing date')" "" "mandoc has nothing to warn of"
else
    skip "mandoc is not installed"
fi
exits 64 "an unknown option" "$AUTOPILOT" --nothing
is "$(wc -l <"$T/err" | tr -d ' ')" 2 "two lines"
exits 64 "nothing to do" "$AUTOPILOT"
exits 64 "one file of two" "$AUTOPILOT" --custom-task x --custom-train a
exits 64 "a model that is none" "$AUTOPILOT" --task x --model big
like "$(cat "$T/err")" "none small transformer gnmt_like" "the choices are shown"

# --- the table ----------------------------------------------------------------------------
"$AUTOPILOT" --list | cut -d ' ' -f 1 >"$T/tasks"
for task in wmt14_de_en wmt14_fr_en wmt14_en_de wmt14_en_fr wmt17_de_en wmt17_fi_en wmt17_lv_en wmt17_tr_en wmt17_en_de \
    wmt17_en_fi wmt17_en_lv wmt17_en_tr wmt18_de_en wmt18_en_de wnmt18_en_de; do
    grep -qx "$task" "$T/tasks" || echo "$task"
done >"$T/missing"
is "$(cat "$T/missing")" "" "all of Sockeye's tasks are there"
is "$(awk -F '\t' '/^(#|$)/ { next } $1 == "file" { file[$2]; if ($4 !~ /^(md5:[0-9a-f]+|sha256:[0-9a-f]+|-)$/ || NF != 5 || $4 != "-" && length($4) != 36 && length($4) != 71) print
      next }
    $1 == "task" { if (NF != 7) print; next }
    { if (NF != 5) print; for (i = 4; i <= 5; i++) { split($i, p, "/"); if (!(p[1] in file)) print $i }
      set[$2] = set[$2] " " $1 }
    END { for (t in set) if (set[t] !~ /train.* dev.* test/) print t }' "$PARTS/tasks")" "" "its lines are whole and fit together"

# The files that sk-train would get of a model are options it knows.
for model in small transformer gnmt_like; do
    # shellcheck disable=SC2046
    sk-train -s x -t x -vs x -vt x -o "$T/none" $(awk -v m=$model '$1 == m && ($2 == "train" || $2 == "test") { $1 = $2 = ""; print }' \
        "$PARTS/models") --use-cpu >"$T/out" 2>&1
    is "$?" 66 "sk-train knows the options of $model"
done

for tool in spm_train spm_encode spm_decode curl unzip flock; do
    command -v $tool >/dev/null 2>&1 || {
        skip "$tool is not installed (contrib/setup tests)"
        done_testing
    }
done

# --- two files, one command ---------------------------------------------------------------
# Text that a page must not believe.
awk -v dir="$T" 'BEGIN {
    srand(5); split("ba ce di fo gu ka le mi no pu ra se ti vo wu za <b> &amp; \"q\" </dd> x\047y", w, " ")
    for (i = 0; i < 600; i++) { n = 2 + int(rand() * 6); s = t = ""
        for (j = 0; j < n; j++) { a = w[1 + int(21 * rand())]; b = w[1 + int(16 * rand())]; s = s " " a b; t = t " " b a }
        print substr(s, 2) > (dir "/text.de"); print substr(t, 2) > (dir "/text.en") }
}'
auto() { "$AUTOPILOT" --workspace "$T/w" --cache "$T/cache" "$@"; }
small="--num-layers 1 --transformer-model-size 16 --transformer-attention-heads 2 --transformer-feed-forward-num-hidden 32 \
--batch-size 200 --max-seq-len 40 --checkpoint-frequency 20 --max-updates 60 --monitor-bleu 10 --threads 1"
custom() {
    # shellcheck disable=SC2086
    auto --custom-task mine --custom-train "$T/text.de" "$T/text.en" -- $small
}
S=$T/w/systems/mine
exits 0 "two files, one command" custom
cp "$T/out" "$T/scores"
is "$(cut -f 1-3 "$T/out" | tr '\t\n' ' ,')" "test bpe BLEU,test tok BLEU,test detok BLEU,test detok chrF2,test detok TER," "scores"
is "$(cut -f 1,2 "$S/data/raw/counts" | tr '\t\n' ' ,' | cut -d , -f 1,2)" "dev 30,test 30" "a twentieth is held out"
cat "$S"/data/raw/*.src | LC_ALL=C sort >"$T/all"
LC_ALL=C sort "$T/text.de" | LC_ALL=C comm -13 - "$T/all" >"$T/new"
is "$(cat "$T/new")" "" "nothing is in the text that was not"
paste "$S/data/raw/test.src" "$S/data/raw/test.trg" >"$T/pairs"
is "$(paste "$T/text.de" "$T/text.en" | grep -cxF -f "$T/pairs")" 30 "pairs stay together"
is "$(grep -cxF -f "$S/data/raw/test.src" "$S/data/raw/train.src")" 0 "no held-out sentence is trained on"
is "$(sed -n "s/^task${tab}mine$tab\([a-z]*\)$tab\([a-z]*\).*/\1 \2/p" "$S/task")" "de en" "languages are those of the suffixes"

cat >"$T/page.py" <<'EOF'
"""A page is well formed, needs nothing else, and shows text as it is."""
import sys, xml.etree.ElementTree as tree
page = open(sys.argv[1], encoding='utf-8').read()
root = tree.fromstring(page)
for element in root.iter():
    assert element.tag in ('html head meta title style body header h1 h2 p b i span ul li div figure figcaption svg line '
                           'text path circle table tr th td dl dt dd details summary pre footer').split(), element.tag
    for name in 'href', 'src', 'action', 'style':
        assert name not in element.attrib, name
assert 'url(' not in page and '@import' not in page and '://' not in page
side = lambda suffix: set(open(f'{sys.argv[2]}.{suffix}', encoding='utf-8').read().split('\n'))
source, target = side('src'), side('trg')
shown = [''.join(d.itertext()) for d in root.iter('dd')]
assert len(shown) == 36 and all(s in source for s in shown[::3]) and all(s in target for s in shown[2::3])
curves = [p for p in root.iter('path') if p.get('class') == 'curve']
for curve in curves:
    numbers = [float(x) for x in curve.get('d').replace('M', ' ').replace('L', ' ').split()]
    assert len(numbers) == 6 and all(0 <= x <= 560 for x in numbers[::2]) and all(0 <= y <= 300 for y in numbers[1::2])
print(len(curves), any('<b>' in s for s in shown), any('&amp;' in s for s in shown))
EOF
is "$(python3 "$T/page.py" "$S/results/small.standard.html" "$S/data/raw/test" 2>&1 | tail -n 1)" "2 True True" \
    "the page is well formed, and needs nothing else"

stamps() { find "$S" -type f ! -name '*.html' ! -name log ! -name lock ! -name progress ! -name seen -printf '%p %T@ %s\n' | LC_ALL=C sort; }
stamps >"$T/before"
exits 0 "again" custom
same "$T/out" "$T/scores" "the same scores"
stamps >"$T/after"
is "$(diff "$T/before" "$T/after")" "" "nothing is made again"
cp -R "$S" "$T/want"
exits 0 "without files" auto --custom-task mine --step score page
exits 0 "the commands it kept" sh -c 'cd "$1" && sh -e commands' - "$S"
like "$(cat "$T/out")" "^BLEU$tab" "do the same"

# --- killed, and gone on ----------------------------------------------------------------------
# All its processes at once, as when a job ends or a machine stops: at the first
# sight of each of these, and then whenever.
rm -r "$S"
killed_at() { # CONDITION...
    setsid "$AUTOPILOT" --workspace "$T/w" --cache "$T/cache" --custom-task mine --custom-train "$T/text.de" "$T/text.en" \
        -- $small >"$T/out" 2>"$T/err" &
    pid=$!
    while kill -0 $pid 2>/dev/null && ! "$@" 2>/dev/null; do sleep 0.01; done
    kill -KILL -- -$pid 2>/dev/null
    wait $pid 2>/dev/null
}
some() { [ -e "$1" ]; }
for file in data/raw.part data/raw model.bpe.part/log model.bpe data/bpe.part/train.src data/bpe model.small/progress \
    model.small/params.00002 model.small/params.average results/small.standard.test.bpe.part \
    results/small.standard.test.bpe results/small.standard.test.detok; do
    killed_at some "$S/$file"
done
for i in 1 2 3 4 5; do killed_at sleep "0.$i"; done
exits 0 "killed at seventeen moments, it ends" custom
same "$T/out" "$T/scores" "with the same scores"
for file in data/raw/train.src data/bpe/train.trg model.bpe/pieces.model model.small/params.average; do
    same "$S/$file" "$T/want/$file" "and the same $file"
done
is "$(find "$S" -name '*.part')" "" "nothing half-made is left"

# What was half-made has no recipe, whatever its name.
rm "$S/recipes/bpe"
: >"$S/data/bpe/train.src"
exits 0 "a result without a recipe" auto --custom-task mine --step bpe
same "$S/data/bpe/train.src" "$T/want/data/bpe/train.src" "is made again"

# Ctrl-C: the signal goes to all processes of the terminal.
cat >"$T/interrupt.py" <<'EOF'
import os, pty, signal, subprocess, sys, threading, time
progress = sys.argv[1]
begun = lambda: open(progress).read() if os.path.exists(progress) else ''
before = begun()
terminal, other = pty.openpty()
p = subprocess.Popen(sys.argv[2:], start_new_session=True, stdout=subprocess.DEVNULL, stderr=other,
                     preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
os.close(other)
said = []
def listen():
    try:
        while True:
            said.append(os.read(terminal, 65536))
    except OSError:
        pass
listener = threading.Thread(target=listen)
listener.start()
while p.poll() is None and begun() == before:
    time.sleep(0.05)
time.sleep(1.5)
os.killpg(p.pid, signal.SIGINT)
status = p.wait()
listener.join(10)
print(b''.join(said).decode().replace('\r', '\n'), file=sys.stderr)
for _ in range(100):
    try:
        os.killpg(p.pid, 0)
        time.sleep(0.1)
    except ProcessLookupError:
        sys.exit(status)
sys.exit('processes are left')
EOF
# shellcheck disable=SC2086
exits 75 "Ctrl-C ends it, and all it started" python3 "$T/interrupt.py" "$S/model.small/progress" \
    "$AUTOPILOT" --workspace "$T/w" --custom-task mine -- $small --max-updates 1000000 --max-seconds 100
like "$(cat "$T/err")" "stopped; the same command goes on" "it says how to go on"
like "$(cat "$T/err")" "update [0-9]+, epoch [0-9]+, [0-9]+ s" "on a terminal it said how far it was"
is "$(grep awk: "$T/err")" "" "without mistakes"
# shellcheck disable=SC2086
setsid "$AUTOPILOT" --workspace "$T/w" --custom-task mine -- $small --max-updates 1000000 --max-seconds 100 >"$T/out" 2>"$T/err" &
pid=$!
before=$(cat "$S/model.small/progress")
while [ "$(cat "$S/model.small/progress")" = "$before" ]; do kill -0 $pid 2>/dev/null || break; sleep 0.05; done
exits 75 "a second one beside it" auto --custom-task mine
like "$(cat "$T/err")" "fuser -v $S/lock" "says where to look"
kill -TERM $pid
wait $pid
is "$?" 75 "TERM: it ends after the trainer"
like "$(sk-status --json "$S/model.small")" '"state":"interrupted"' "which has saved its state"
end=$(($(sed -n "s/^updates$tab//p" "$S/model.small/progress") / 20 * 20 + 40))
exits 0 "and goes on, with other limits" auto --custom-task mine -- $small --max-updates $end
is "$(sed -n "s/^updates$tab//p" "$S/model.small/finished")" $end "as far as that"
cmp -s "$S/model.small/params.average" "$T/want/model.small/params.average" && fail "the average is new" || pass "the average is new"

# --- what is wrong is said ------------------------------------------------------------------------
head -n 500 "$T/text.de" >"$T/other.de"
exits 78 "other files under the same name" auto --custom-task mine --custom-train "$T/other.de" "$T/text.en"
like "$(cat "$T/err")" "other.de" "are named"
exits 65 "files of different lengths" auto --custom-task m2 --custom-train "$T/other.de" "$T/text.en"
like "$(cat "$T/err")" "other.de has 500 lines, .*text.en 600" "both are named"
exits 66 "no such file" auto --custom-task m3 --custom-train "$T/nothing" "$T/text.en"
like "$(cat "$T/err")" "cannot open $T/nothing" "is named"
{ cat "$T/text.de" && printf 'gr\374n\n'; } >"$T/latin.de"
{ cat "$T/text.en" && echo green; } | gzip >"$T/latin.en.gz"
exits 65 "text that is not UTF-8" auto --custom-task m4 --custom-train "$T/latin.de" "$T/latin.en.gz"
like "$(cat "$T/err")" "latin.de, line 601: not UTF-8" "its line is named"
head -n 5 "$T/text.de" >"$T/five"
exits 65 "five pairs" auto --custom-task m5 --custom-train "$T/five" "$T/five"
like "$(cat "$T/err")" "20 is the least" "are too few"
yes "$(head -n 1 "$T/text.de")" | head -n 100 >"$T/same"
exits 65 "always the same" auto --custom-task m6 --custom-train "$T/same" "$T/same"
like "$(cat "$T/err")" "no pair is left for training" "leaves nothing"
mkdir "$T/full"
: >"$T/full/thesis"
exits 78 "a folder of other things" "$AUTOPILOT" --workspace "$T/full" --custom-task m --custom-train "$T/text.de" "$T/text.en"
is "$(ls -A "$T/full")" thesis "is left alone"

# --- words and subwords that others have cut ----------------------------------------------------------
sed 's/b/b@@ /' "$T/text.de" >"$T/cut.de"
sed 's/b/b@@ /' "$T/text.en" >"$T/cut.en"
exits 0 "text cut into subwords, a test of all steps" auto --custom-task cut --custom-text-type bpe --test \
    --custom-train "$T/cut.de" "$T/cut.en" --custom-test "$T/cut.de" "$T/cut.en" "$T/cut.en" "$T/cut.de"
is "$(cut -f 1-3 "$T/out" | tr '\t\n' ' ,')" "test bpe BLEU,test tok BLEU,test tok chrF2,test tok TER," "its scores"
ok "no subwords are learned" test ! -e "$T/w/systems/cut.test/model.bpe"
is "$(sed -n 1p "$T/w/systems/cut.test/results/test.tok.trg")" "$(sed -n 1p "$T/text.en")" "references are joined"
exits 0 "two test sets" auto --custom-task two --model none --custom-text-type tok --custom-train "$T/text.de" "$T/text.en" \
    --custom-test "$T/text.de" "$T/text.en" "$T/text.en" "$T/text.de"
same "$T/w/systems/two/data/tok/test.2.src" "$T/text.en" "each is one of its own"
ok "they are cut" test -s "$T/w/systems/two/data/bpe/test.2.trg"
exits 0 "the recurrent model, in a test" auto --custom-task mine --model gnmt_like --decode-settings gnmt_like --test \
    --custom-train "$T/text.de" "$T/text.en" --custom-lang xx yy --custom-bpe-op 100 --custom-dev "$T/text.de" "$T/text.en"
like "$(cat "$T/w/systems/mine.test/results/gnmt_like.gnmt_like.html")" "<h1>xx" "its page"

# --- downloads -------------------------------------------------------------------------------------------
mkdir -p "$T/site/in"
awk 'NR <= 100 { gsub(/&/, "\\&amp;"); gsub(/</, "\\&lt;"); gsub(/>/, "\\&gt;"); gsub(/"/, "\\&quot;")
    print "<seg id=\"" NR "\">" $0 " </seg>" }' "$T/text.de" >"$T/site/in/dev.de.sgm"
awk 'NR <= 100 { gsub(/&/, "\\&amp;"); gsub(/</, "\\&lt;"); print "<seg id=\"" NR "\"> " $0 "</seg>" }' "$T/text.en" >"$T/site/in/dev.en.sgm"
gzip <"$T/text.de" >"$T/site/in/train.de.gz"
printf 'one\302\240two\342\200\250three\tfour \r\n' >"$T/site/in/test.de"
echo "eins zwei drei vier" >"$T/site/in/test.en"
paste -d '|' "$T/text.de" /dev/null /dev/null "$T/text.en" | head -n 50 >"$T/site/bitext"
tar -czf "$T/site/all.tgz" -C "$T/site" in
cp "$T/text.en" "$T/site/in/train.en"
(cd "$T/site" && python3 -c 'import zipfile; zipfile.ZipFile("all.zip", "w").write("in/train.en")')
md5() { md5sum <"$1" | cut -d ' ' -f 1; }
tasks() { # URL SUM
    cat <<EOF
# a table of the user's own
file	tgz	tar	md5:$2	$1/all.tgz
file	zip	zip	-	$1/all.zip
file	bi	plain	sha256:$(sha256sum <"$T/site/bitext" | cut -d ' ' -f 1)	$1/bitext
task	small_de_en	de	en	300	http://example.org	a small task
train	small_de_en	text	tgz/in/train.de.gz	zip/in/train.en
train	small_de_en	bitext-reverse	bi	bi
dev	small_de_en	sgml	tgz/in/dev.de.sgm	tgz/in/dev.en.sgm
test	small_de_en	text	tgz/in/test.de	tgz/in/test.en
EOF
}
tasks "file://$T/site" "$(md5 "$T/site/all.tgz")" >"$T/table"
fetch() { "$AUTOPILOT" --workspace "$1" --cache "$T/cache" --tasks "$T/table" --task small_de_en --model none; }
sed 's/md5:..../md5:0000/' "$T/table" >"$T/wrong"
exits 65 "a wrong checksum" "$AUTOPILOT" --workspace "$T/w" --cache "$T/cache" --tasks "$T/wrong" --task small_de_en
is "$(grep -c 'its checksum is' "$T/err")" 2 "is given two chances"
ok "nothing is kept of it" test ! -e "$T/cache/tgz/all.tgz" -a ! -e "$T/cache/tgz/all.tgz.part"
exits 65 "a table that is none" "$AUTOPILOT" --tasks "$T/text.de" --list
exits 64 "no such task" "$AUTOPILOT" --workspace "$T/w" --cache "$T/cache" --tasks "$T/table" --task small
rm -r "$T/cache"
mkdir -p "$T/cache/tgz" "$T/cache/bi"
head -c 700 "$T/site/all.tgz" >"$T/cache/tgz/all.tgz.part"
head -c 300 /dev/zero >"$T/cache/bi/bitext.part"
rm -r "$T/w/systems/small_de_en"
exits 0 "a task of a table" fetch "$T/w"
like "$(cat "$T/err")" "tgz: going on after 700 bytes" "a download is gone on with"
like "$(cat "$T/err")" "bi: downloading it once more" "one that was not the same file is begun anew"
like "$(cat "$T/err")" "zip has no checksum in the table; what has come is sha256:$(sha256sum <"$T/site/all.zip" | cut -d ' ' -f 1)" \
    "where there is no checksum it is shown"
D=$T/w/systems/small_de_en/data/raw
{ cat "$T/text.de" && head -n 50 "$T/text.en"; } >"$T/wanted"
same "$D/train.src" "$T/wanted" "plain, packed and from an archive, joined in order"
head -n 100 "$T/text.de" >"$T/wanted"
same "$D/dev.src" "$T/wanted" "SGML"
is "$(cat "$D/test.src")" "one two three four" "white space"
mv "$T/site" "$T/site.gone"
exits 0 "another workspace" fetch "$T/w2"
same "$T/w2/systems/small_de_en/data/raw/train.src" "$D/train.src" "takes what was downloaded"
rm -r "$T/cache/bi"
exits 66 "a file that is gone" fetch "$T/w3"
like "$(cat "$T/err")" "bi cannot be downloaded from file://" "is named"
mv "$T/site.gone" "$T/site"
exits 0 "when it is there again" fetch "$T/w3"

# A server that cannot go on where a download broke off.
cat >"$T/serve.py" <<'EOF'
import http.server, os, sys
os.chdir(sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
print(server.server_port, file=open(sys.argv[2] + '.part', 'w'), flush=True)
os.rename(sys.argv[2] + '.part', sys.argv[2])
server.serve_forever()
EOF
python3 "$T/serve.py" "$T/site" "$T/port" >"$T/log" 2>&1 &
server=$!
until [ -e "$T/port" ] || ! kill -0 $server 2>/dev/null; do sleep 0.05; done
url=http://127.0.0.1:$(cat "$T/port")
tasks "$url" "$(md5 "$T/site/all.tgz")" >"$T/table"
rm -r "$T/cache"
mkdir -p "$T/cache/tgz"
head -c 700 "$T/site/all.tgz" >"$T/cache/tgz/all.tgz.part"
unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
exits 0 "from a server without resume" fetch "$T/w4"
same "$T/cache/tgz/all.tgz" "$T/site/all.tgz" "a download is begun anew"
rm -r "$T/cache/tgz"
kill $server
wait $server 2>/dev/null
exits 75 "a server that is gone" fetch "$T/w5"
like "$(cat "$T/err")" "tgz cannot be downloaded from $url/all.tgz .curl 7" "is named"
sed "s|^\(file${tab}tgz.*\)$url|\1file://$T/nowhere|" "$T/table" >"$T/table2" && mv "$T/table2" "$T/table"
exits 66 "a file that is not there" fetch "$T/w5"

done_testing
