"""Turns the JSON lines of a run into Markdown: python3 bench/tables.py LINES COMMAND COMMIT"""

import json
import platform
import sys
from statistics import median

lines = [json.loads(line) for line in open(sys.argv[1])]
facts = [line for line in lines if "fact" in line]
phases = [line for line in lines if "connections" in line]


def fact(name, of):
    values = [f["value"] for f in facts if f["fact"] == name and f["name"] == of]
    return median(values) if values else None


def figure(name, op, connections, key):
    values = [p[key] for p in phases if (p["name"], p["op"], p["connections"]) == (name, op, connections)]
    return median(values) if values else None


def ratio(ours, limit):
    return f"{ours / limit:.2f}" if limit else "–"


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def cpu_model():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


print(f"\n`{sys.argv[2].strip()}` at {sys.argv[3]}; {cpu_model()}, Linux {platform.release()}; medians of the turns\n")

connections = sorted({p["connections"] for p in phases if p["name"] == "ours"})
rows = []
for op in ["enroll", "challenge", "verify"]:
    for c in connections:
        mine = {k: figure("ours", op, c, k) for k in ["rate_per_s", "p50_ms", "p99_ms", "cpu_us_per_op", "sync_us"]}
        least = {k: figure("limit", op, c, k) for k in mine}
        if None in mine.values() or None in least.values():
            continue
        rows.append([
            op, c, f"{mine['rate_per_s']:.0f}", f"{least['rate_per_s']:.0f}",
            ratio(mine["rate_per_s"], least["rate_per_s"]),
            f"{mine['p50_ms']:.2f}", f"{mine['p99_ms']:.2f}", f"{least['p99_ms']:.2f}",
            ratio(mine["p99_ms"], least["p99_ms"]),
            f"{mine['cpu_us_per_op']:.0f}", f"{least['cpu_us_per_op']:.0f}",
            f"{mine['sync_us']:.0f} / {least['sync_us']:.0f}",
        ])
if rows:
    table(["request", "connections", "ours/s", "limit/s", "ratio", "p50 ms", "p99 ms", "limit p99 ms", "p99 ratio",
           "CPU µs", "limit CPU µs", "sync µs, ours / limit"], rows)

rows = []
for op in ["enroll", "challenge", "verify"]:
    for c in [1, 16, 64]:
        keys = ["rate_per_s", "p50_ms", "p99_ms", "cpu_us_per_op", "database_cpu_us_per_op", "sync_us"]
        mine, single = ({k: figure(name, op, c, k) for k in keys} for name in ["pg", "single"])
        if None in mine.values() or None in single.values():
            continue
        bare = figure("bare", op, c, "rate_per_s")
        rows.append([
            op, c, f"{mine['rate_per_s']:.0f}", f"{single['rate_per_s']:.0f}",
            ratio(mine["rate_per_s"], single["rate_per_s"]),
            f"{bare:.0f}" if bare else "–", ratio(mine["rate_per_s"], bare) if bare else "–",
            f"{mine['p50_ms']:.2f}", f"{mine['p99_ms']:.2f}", f"{single['p99_ms']:.2f}",
            f"{mine['cpu_us_per_op']:.0f}", f"{mine['database_cpu_us_per_op']:.0f}",
            f"{single['cpu_us_per_op']:.0f}", f"{single['database_cpu_us_per_op']:.0f}", f"{mine['sync_us']:.0f}",
        ])
if rows:
    table(["PostgreSQL: request", "connections", "ours/s", "a transaction each/s", "ratio", "bare statements/s", "ratio",
           "p50 ms", "p99 ms", "each: p99 ms", "CPU µs", "PostgreSQL's", "each: CPU µs", "each: PostgreSQL's", "sync µs"],
          rows)

rows = []
for name in ["bare", "bare-no-trail"]:
    for c in [1, 16, 64]:
        keys = ["rate_per_s", "p50_ms", "p99_ms", "per_batch", "commit_ms", "cpu_us_per_op", "database_cpu_us_per_op"]
        its = [figure(name, "verify", c, k) for k in keys]
        if None not in its:
            rows.append([name, c, f"{its[0]:.0f}", *(f"{v:.2f}" for v in its[1:3]), f"{its[3]:.1f}", f"{its[4]:.2f}",
                         *(f"{v:.0f}" for v in its[5:])])
if rows:
    table(["bare statements of a verify", "callers", "verify/s", "p50 ms", "p99 ms", "in a transaction", "commit ms",
           "CPU µs", "PostgreSQL's"], rows)

small = []
for name in ["ours", "limit"]:
    peak = [p["peak_rss_kib"] for p in phases if p["name"] == name]
    idle, start, size = fact("rss_idle_kib", name), fact("start_ms", name), fact("binary_bytes", name)
    small.append([
        name, f"{idle / 1024:.1f}" if idle else "–", f"{max(peak) / 1024:.1f}" if peak else "–",
        f"{start:.0f}" if start else "–", f"{size / 1e6:.1f}",
    ])
if fact("rss_idle_kib", "ours"):
    table(["", "resident idle, MiB", "peak under load, MiB", "start on an existing store, ms", "binary, MB"], small)

sizes = sorted({p["name"] for p in phases if p["name"].startswith("size ")}, key=lambda n: int(n.split()[1]))
if sizes:
    first = figure(sizes[0], "verify", 64, "rate_per_s")
    rows = []
    for name in sizes:
        rate, cpu = figure(name, "verify", 64, "rate_per_s"), figure(name, "verify", 64, "cpu_us_per_op")
        rows.append([name.split()[1], f"{rate:.0f}", ratio(rate, first), f"{cpu:.0f}"])
    table(["factors in the store", "verify/s", "of the smallest", "CPU µs"], rows)

rows = []
for store in ["sqlite", "postgres"]:
    named = {p["name"] for p in phases if p["name"].startswith(f"scale {store} ")}
    for state in ["", " purging"]:
        counts = sorted(int(n.split()[2]) for n in named if n.endswith(" purging") == bool(state))
        for count in counts:
            names = [f"scale {store} {count}{state}", f"scale {store} {counts[0]}{state}"]
            for op in ["challenge", "verify"]:
                rate, cpu, theirs, p99 = (figure(names[0], op, 64, k) for k in
                                          ["rate_per_s", "cpu_us_per_op", "database_cpu_us_per_op", "p99_ms"])
                rows.append([store, count, "being removed" if state else "kept", op, f"{rate:.0f}",
                             ratio(rate, figure(names[1], op, 64, "rate_per_s")), f"{p99:.2f}", f"{cpu:.0f}",
                             f"{theirs:.0f}"])
if rows:
    table(["store", "factors", "old challenges", "request", "rate/s", "of the small one", "p99 ms", "CPU µs",
           "PostgreSQL's"], rows)
    rows = [[s, fact("scale_mib", s), fact("purged_per_s", s)] for s in ["sqlite", "postgres"] if fact("scale_mib", s)]
    table(["store", "disk of the large one, MiB", "challenges removed/s, nothing else to do"], rows)

rows = []
for p in (line for line in lines if line.get("op", "").startswith("open ")):
    rows.append([
        p["op"].removeprefix("open "), p["sockets"], f"{p['peak_per_s']:.0f}",
        f"{p['offered_per_s'] / p['peak_per_s']:.1f} / {p['sent_per_s'] / p['peak_per_s']:.1f}", f"{p['good_of_peak']:.2f}",
        f"{p['served_p50_ms']:.0f} / {p['served_p99_ms']:.0f}", p["refused"],
        f"{p['refusal_p50_ms']:.1f} / {p['refusal_p99_ms']:.1f}", p["broken"], f"{p['normal_after_s']:.2f}",
        f"{p['generator_cpu_pct']:.0f}",
    ])
if rows:
    table(["overload of", "connections", "peak/s", "offered / sent, times the peak", "goodput, of the peak",
           "served p50 / p99 ms", "refused", "refusal p50 / p99 ms", "broken", "normal again, s", "generator CPU %"], rows)

trouble = [p for p in phases if p["refused"] or p["broken"]]
if trouble:
    print("**Not clean:** " + "; ".join(f"{p['name']} {p['op']} at {p['connections']}: refused {p['refused']}, "
                                        f"broken {p['broken']}" for p in trouble))
    sys.exit(1)
