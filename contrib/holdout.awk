# holdout.awk - divides pairs "English TAB translation" into DIR/NAME.en and
# DIR/NAME.LANGUAGE for NAME = train, dev and test.
#
#   sort -u FILE | awk -v dir=DIR -v language=LANGUAGE [-v size=500] -f holdout.awk
#
# Of messages of 4 to 20 words, `size` at equal distances go to dev and as many
# to test. A held-out message must not be known: a pair of which either side
# differs by no more than one word (put in, left out or another one; case,
# digits, punctuation and values to fill in do not count) is left out of
# train.

function words(s) {
    s = tolower(s)
    gsub(/%[-+ #0-9.*$]*[a-z]+/, " ", s)
    gsub(/[^a-z\200-\377]+/, " ", s)
    sub(/^ /, "", s)
    sub(/ $/, "", s)
    return s
}

# keys(s): key[0] is the message, key[i] is it without word i. Two messages
# that share a key differ by one word at most.
function keys(s,    n, w, i, before, after) {
    n = split(s, w, " ")
    key[0] = after = s
    before = ""
    for (i = 1; i <= n; i++) {
        after = i < n ? substr(after, length(w[i]) + 2) : ""
        key[i] = before after
        if (i == n) sub(/ $/, "", key[i])
        before = before w[i] " "
    }
    return n
}

function hold(s,    n, i) {
    n = keys(words(s))
    for (i = 0; i <= n; i++) held[key[i]]
}

function is_known(s,    n, i) {
    n = keys(words(s))
    for (i = 0; i <= n; i++)
        if (key[i] != "" && key[i] in held) return 1
    return 0
}

function put(name, i) {
    print en[i] > (dir "/" name ".en")
    print tr[i] > (dir "/" name "." language)
}

BEGIN { FS = "\t"; if (!size) size = 500 }
{
    en[NR] = $1
    tr[NR] = $2
    n = split(words($1), w, " ")
    if (n >= 4 && n <= 20) candidate[++candidates] = NR
}
END {
    step = candidates / (2 * size)
    if (step < 10) step = 10           # a small corpus keeps most for training
    for (k = 0; int((k + 0.5) * step) + 1 <= candidates && k < 2 * size; k++) {
        i = candidate[int((k + 0.5) * step) + 1]
        if (part[i] == "") part[i] = k % 2 ? "test" : "dev"
        hold(en[i])
        hold(tr[i])
    }
    for (i = 1; i <= NR; i++)
        if (part[i] != "") put(part[i], i)
        else if (!is_known(en[i]) && !is_known(tr[i])) put("train", i)
}
