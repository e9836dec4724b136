# compare.awk - results of the study (CSV) -> CSV with what theory says beside what ngspice measured:
#   resonance f0 = 1 / (2 pi sqrt(L C)),  bandwidth = R / (2 pi L)
BEGIN {
    FS = ","
    OFS = ","
    pi = atan2(0, -1)
    wanted = split("R L C f0 bandwidth", names, " ")
}

NR == 1 {
    for (i = 1; i <= NF; i++)
        column[$i] = i
    for (i = 1; i <= wanted; i++)
        if (!(names[i] in column)) {
            print "compare.awk: no column " names[i] | "cat >&2"
            failed = 1
            exit 1
        }
    print "R", "L", "C", "f0", "f0_theory", "f0_off_percent", "bandwidth", "bandwidth_theory", "bandwidth_off_percent"
    next
}

function off(measured, theory) { return 100 * (measured - theory) / theory }

{
    R = $column["R"]; L = $column["L"]; C = $column["C"]
    f0 = $column["f0"]; bw = $column["bandwidth"]
    f0_theory = 1 / (2 * pi * sqrt(L * C))
    bw_theory = R / (2 * pi * L)
    printf "%s,%s,%s,%s,%.6g,%.4f,%s,%.6g,%.4f\n", R, L, C, f0, f0_theory, off(f0, f0_theory), bw, bw_theory, off(bw, bw_theory)
}
