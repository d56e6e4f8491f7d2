# split.awk - holds out dev and test text of a corpus that has none.
#
#   paste train.src train.trg >PAIRS
#   awk -v dir=DIR -v n=LINES -v dev=1 -v test=1 -f split.awk PAIRS PAIRS
#
# Reads the pairs twice. Of n pairs a twentieth goes to each set that is wanted, at
# most 1,000, at equal distances: the same text is always split in the same way. A
# pair of which either side says the same as a held-out one (case and punctuation do
# not count) is left out of train.

function key(s) {
    s = tolower(s)
    gsub(/[[:punct:] ]+/, " ", s)
    return s
}
# Long ones would say more of the limit on lengths than of the model.
function suits() {
    return $1 != "" && $2 != "" && split($1, word, " ") <= 80 && split($2, word, " ") <= 80 &&
        !(key($1) in held) && !(key($2) in held)
}
function put(name) {
    print $1 > (dir "/" name ".src")
    print $2 > (dir "/" name ".trg")
    count[name]++
}

BEGIN {
    FS = "\t"
    size = int(n / 20)
    if (size > 1000) size = 1000
    wanted = size * ((dev != "") + (test != ""))
}
NR == FNR {
    if (taken < wanted && NR >= int((taken + 0.5) * n / wanted) + 1 && suits()) {
        part[NR] = dev == "" ? "test" : test == "" ? "dev" : taken % 2 ? "test" : "dev"
        taken++
        held[key($1)]
        held[key($2)]
    }
    next
}
FNR in part { put(part[FNR]); next }
key($1) in held || key($2) in held { known++; next }
{ put("train") }
END {
    for (set in count)
        if (set != "train") printf "   %s: %d pairs are held out of the training text\n", set, count[set]
    if (known) printf "   %d pairs that say the same as one of those are left out\n", known
}
