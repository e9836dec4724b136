# largest.awk - the CSV of compare.awk -> how far ngspice and theory are apart at the most. Fails
# beyond 1 %, or when a value is missing.
BEGIN { FS = "," }

function size(x) { return x < 0 ? -x : x }

NR > 1 {
    n++
    if ($4 == "" || $7 == "")
        missing++
    if (size($6) > f0)
        f0 = size($6)
    if (size($9) > bw)
        bw = size($9)
}

END {
    printf "%d points; largest deviation from theory: f0 %.3f %%, bandwidth %.3f %%\n", n, f0, bw
    if (missing)
        printf "%d points without a measurement\n", missing
    exit !(n > 0 && !missing && f0 < 1 && bw < 1)
}
