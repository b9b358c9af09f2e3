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

small = []
for name in ["ours", "limit"]:
    peak = [p["peak_rss_kib"] for p in phases if p["name"] == name]
    idle, start, size = fact("rss_idle_kib", name), fact("start_ms", name), fact("binary_bytes", name)
    small.append([
        name, f"{idle / 1024:.1f}" if idle else "–", f"{max(peak) / 1024:.1f}" if peak else "–",
        f"{start:.0f}" if start else "–", f"{size / 1e6:.1f}",
    ])
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
