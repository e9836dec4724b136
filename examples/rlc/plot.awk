# plot.awk - the CSV of compare.awk -> SVG, two panels with logarithmic axes: resonance frequency over
# L C, bandwidth over R / L. Dots are measured, lines are theory.
BEGIN {
    FS = ","
    pi = atan2(0, -1)
}

NR > 1 && $4 != "" && $7 != "" {
    n++
    x[1, n] = $2 * $3
    y[1, n] = $4
    x[2, n] = $1 / $2
    y[2, n] = $7
}

function log10(v) { return log(v) / log(10) }
function floor(v) { return v >= int(v) ? int(v) : int(v) - 1 }
function ceil(v) { return -floor(-v) }
function px(p, v) { return left + (log10(v) - xlo[p]) / (xhi[p] - xlo[p]) * width }
function py(p, v) { return top + height - (log10(v) - ylo[p]) / (yhi[p] - ylo[p]) * height }

function theory(p, v) { return p == 1 ? 1 / (2 * pi * sqrt(v)) : v / (2 * pi) }

function text(px_, py_, anchor, size, words) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\">%s</text>\n", px_, py_, anchor, size, words
}

function bounds(p,   i, lx, ly) {
    for (i = 1; i <= n; i++) {
        lx = log10(x[p, i])
        ly = log10(y[p, i])
        if (i == 1 || lx < xlo[p]) xlo[p] = lx
        if (i == 1 || lx > xhi[p]) xhi[p] = lx
        if (i == 1 || ly < ylo[p]) ylo[p] = ly
        if (i == 1 || ly > yhi[p]) yhi[p] = ly
    }
    xlo[p] = floor(xlo[p] - 0.01); xhi[p] = ceil(xhi[p] + 0.01)
    ylo[p] = floor(ylo[p] - 0.01); yhi[p] = ceil(yhi[p] + 0.01)
}

function panel(p, title, xlabel, ylabel,   i, v) {
    left = 80 + (p - 1) * 480
    bounds(p)
    printf "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#444\"/>\n", left, top, width, height
    for (i = xlo[p]; i <= xhi[p]; i++) {
        v = px(p, 10 ^ i)
        printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#ddd\"/>\n", v, top, v, top + height
        text(v, top + height + 18, "middle", 11, "1e" i)
    }
    for (i = ylo[p]; i <= yhi[p]; i++) {
        v = py(p, 10 ^ i)
        printf "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", left, v, left + width, v
        text(left - 6, v + 4, "end", 11, "1e" i)
    }
    printf "<polyline fill=\"none\" stroke=\"#c33\" stroke-width=\"1.5\" points=\""
    for (i = 0; i <= 100; i++) {
        v = 10 ^ (xlo[p] + (xhi[p] - xlo[p]) * i / 100)
        if (log10(theory(p, v)) >= ylo[p] && log10(theory(p, v)) <= yhi[p])
            printf "%.1f,%.1f ", px(p, v), py(p, theory(p, v))
    }
    print "\"/>"
    for (i = 1; i <= n; i++)
        printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#258\" fill-opacity=\"0.5\"/>\n", px(p, x[p, i]), py(p, y[p, i])
    text(left + width / 2, top - 14, "middle", 15, title)
    text(left + width / 2, top + height + 42, "middle", 13, xlabel)
    printf "<text transform=\"translate(%d,%d) rotate(-90)\" text-anchor=\"middle\" font-size=\"13\">%s</text>\n", left - 48, top + height / 2, ylabel
}

END {
    if (!n)
        exit 1
    top = 60; width = 380; height = 320
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"460\" font-family=\"sans-serif\">"
    print "<rect width=\"960\" height=\"460\" fill=\"white\"/>"
    panel(1, "Resonance frequency", "L C in s&#178;", "f&#8320; in Hz")
    panel(2, "Bandwidth", "R / L in 1/s", "bandwidth in Hz")
    text(480, 24, "middle", 13, n " points: dots measured by ngspice, lines 1/(2&#960;&#8730;(LC)) and R/(2&#960;L)")
    print "</svg>"
}
