# chart.awk - a curve of a model directory's metrics, as SVG to stand in a page.
#
#   awk -v name=perplexity-val -v frequency=N -v last=CHECKPOINT -v updates=N \
#       [-v second=perplexity-train] [-v log_scale=1] [-v factor=100] [-v least=1] \
#       -f chart.awk metrics
#
# `last` is the checkpoint at which training ended, after `updates`. Below the
# updates stands the time at which they had been made. least: the smallest value is
# the best one. Colours are those of page.css.

function number(x) {   # 12345 as 12,345
    x = sprintf("%d", x)
    while (x ~ /[0-9][0-9][0-9][0-9]/) sub(/[0-9][0-9][0-9]($|,)/, ",&", x)
    return x
}
function duration(s) {
    if (s < 90) return int(s + 0.5) " s"
    if (s < 5400) return int(s / 60 + 0.5) " min"
    if (s < 172800) return sprintf("%.1f h", s / 3600)
    return sprintf("%.1f d", s / 86400)
}
function short(v) { return v >= 1000 ? number(v + 0.5) : v >= 100 ? sprintf("%.0f", v) : v >= 10 ? sprintf("%.1f", v) : sprintf("%.2f", v) }
function tick(v) { return v >= 1000 ? number(v + 0.5) : sprintf("%.6g", v) }
function scale(v) { return log_scale ? log(v) : v }
function x_of(u) { return left + (width - left - right) * u / end }
function y_of(v) { return top + (height - top - bottom) * (scale(high) - scale(v)) / (scale(high) - scale(low)) }
function value(metric) {
    if (!match($0, "\t" metric "=[^\t]*")) return ""
    return substr($0, RSTART + length(metric) + 2, RLENGTH - length(metric) - 2)
}
function stretch(v) {
    if (low == "" || v < low) low = v
    if (high == "" || v > high) high = v
}
# A step of 1, 2 or 5 times a power of ten, so that about `n` fit into `span`.
function step_for(span, n,    s) {
    s = exp(int(log(span / n) / log(10) + (span < n ? -1 : 0)) * log(10))
    while (span / s > n) s *= span / (2 * s) <= n ? 2 : span / (5 * s) <= n ? 5 : 10
    return s
}
function horizontal(v,    y) {
    y = y_of(v)
    if (last_y != "" && last_y - y < 24) return
    last_y = y
    printf "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", left, width - right, y, y
    printf "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left - 8, y + 4, tick(v)
}
# Where a decade is too much, more of its lines.
function logarithmic(    level, set, n, m, k, p, v, count) {
    split("1|1 2 5|1 1.5 2 3 5 7|1 1.1 1.2 1.4 1.6 1.8 2 2.3 2.6 3 3.5 4 4.5 5 5.5 6 6.5 7 7.5 8 8.5 9 9.5", set, "|")
    for (level = 1; level <= 4; level++) {
        n = split(set[level], m, " ")
        count = 0
        for (p = -3; p < 9; p++)
            for (k = 1; k <= n; k++) {
                v = m[k] * 10 ^ p
                if (v >= low * 0.999999 && v <= high * 1.000001) at[++count] = v
            }
        if (count >= 4) break
    }
    for (k = 1; k <= count; k++) horizontal(at[k])
}
function linear(    s, v) {
    s = step_for(high - low, 5)
    for (v = int(low / s) * s; v <= high + s / 1000; v += s)
        if (v >= low - s / 1000) horizontal(v)
}
# The time at update u, between the checkpoints around it.
function time_at(u,    i) {
    if (u <= at_update[1]) return time[1] * u / at_update[1]
    for (i = 2; i <= n; i++)
        if (u <= at_update[i] || i == n)
            return time[i - 1] + (time[i] - time[i - 1]) * (u - at_update[i - 1]) / (at_update[i] - at_update[i - 1])
    return time[1]
}
function path(class, v,    i, d) {
    for (i = 1; i <= n; i++)
        if (v[i] != "") d = d (d == "" ? "M" : "L") sprintf("%.1f %.1f", x_of(at_update[i]), y_of(v[i]))
    if (d != "") printf "<path class=\"%s\" d=\"%s\"/>\n", class, d
}

BEGIN {
    width = 560; height = 300
    left = 56; right = 22; top = 22; bottom = 46
    if (!factor) factor = 1
}
value(name) != "" || (second != "" && value(second) != "") {
    n++
    at_update[n] = $1 == last ? updates : $1 * frequency
    time[n] = value("time-elapsed")
    number_of[n] = $1
    main[n] = value(name)
    if (main[n] != "") {
        main[n] *= factor
        stretch(main[n])
        if (best == "" || (least ? main[n] < main[best] : main[n] > main[best])) best = n
    }
    other[n] = second == "" ? "" : value(second)
    if (other[n] != "") stretch(other[n] += 0)
}
END {
    if (best == "") { print "<p class=\"note\">There is no value yet.</p>"; exit }
    end = at_update[n]
    if (log_scale) { high *= 1.08; low /= 1.08 }
    else { if (low > 0) low = 0; high = high > 0 ? high * 1.08 : 1 }
    printf "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s over updates\">\n", width, height, name
    if (log_scale) logarithmic(); else linear()
    s = step_for(end, 5)
    for (u = 0; u <= end + s / 1000; u += s) {
        printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", x_of(u), height - bottom + 20, number(u)
        if (u > 0) printf "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x_of(u), height - bottom + 37, duration(time_at(u))
    }
    path("curve second", other)
    path("curve", main)
    for (i = 1; i <= n; i++) {
        if (main[i] == "") continue
        printf "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>checkpoint %d, update %s, %s: %s</title></circle>\n",
            i == best ? "best" : "dot", x_of(at_update[i]), y_of(main[i]), i == best ? 4.5 : (n > 60 ? 1.2 : 2.2),
            number_of[i], number(at_update[i]), duration(time[i]), short(main[i])
    }
    x = x_of(at_update[best]); y = y_of(main[best])
    printf "<text class=\"value\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n</svg>\n",
        x, y - 11, (x > width - 60 ? "end" : "middle"), short(main[best])
}
