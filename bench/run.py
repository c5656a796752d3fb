#!/usr/bin/env python3
"""Measure Bulkhead and stock Xen by the same programs, and hold the budgets.

  bench/run.py                 everything, on both; the table on stdout
  bench/run.py --quick         Bulkhead only, what takes less than a minute
  bench/run.py --accept        and write the figures to bench/accepted.json
  bench/run.py --only KEY...   some rows;  --on xen: one hypervisor only
  bench/run.py --profile KEY   where the EL2 instructions of one row go

Exit status 1 if a budget is broken, a row is absent that bench/not-yet does
not excuse, or a figure (or its second column: exceptions, system-register
accesses, TLB invalidations, barriers per operation) is more than 2 % worse
than accepted. How each row is measured: docs/bench.md.
"""
import argparse
import glob
import json
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(TOP, "tests/guest"))
sys.path.insert(0, HERE)
import board as guests  # noqa: E402  (tests/guest/board.py)
from rows import INSNS_PER_TICK, PARTS, ROWS, SLOW_SETUPS  # noqa: E402

ACCEPTED = os.path.join(HERE, "accepted.json")
XEN_FIGURES = os.path.join(HERE, "xen.json")
NOT_YET = os.path.join(HERE, "not-yet")
PLUGIN = os.path.join(TOP, "build/host/count.so")
LOAD_ADDRESS = 0x40200000
COUNTERS = ("el2", "other", "exc", "sysreg", "tlbi", "barrier", "cache", "atomic")
COLUMNS = ("exc", "sysreg", "tlbi", "barrier")
TOLERANCE = 1.02


def say(text):
    """One line of progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def image_size(on):
    """Bytes in memory, from the arm64 Image header (Linux, Documentation/arm64/booting.rst)."""
    with open(guests.hypervisor_path(on), "rb") as image:
        return struct.unpack_from("<Q", image.read(64), 16)[0]


class Counted:
    """A run under the counting plugin."""
    last = None
    profile = None  # number of the region whose blocks are counted too

    def __init__(self, on):
        Counted.last = self
        self.file = tempfile.NamedTemporaryFile(prefix="bulkhead-count-")
        end = LOAD_ADDRESS + image_size(on)
        self.plugin = f"{PLUGIN},el2={LOAD_ADDRESS:#x}-{end:#x},out={self.file.name}"
        if Counted.profile is not None:
            self.plugin += f",profile={Counted.profile}"

    def lines(self, word):
        """The plugin's lines that begin with `word`, as lists of numbers."""
        with open(self.file.name, encoding="ascii") as text:
            return [line.split()[1:] for line in text if line.startswith(word + " ")]

    def regions(self):
        """Counters of each bracketed region, in order."""
        return [dict(zip(COUNTERS, map(int, line[1:]))) for line in self.lines("region")]

    def boot(self):
        """Counters from power-on to the first guest instruction."""
        return dict(zip(COUNTERS, map(int, self.lines("boot")[0])))

    def total(self):
        """Counters since power-on."""
        return dict(zip(COUNTERS, map(int, self.lines("total")[0])))


def per_operation(counters, count):
    """The second column of a row."""
    return {name: round(counters[name] / count, 2) for name in COLUMNS}


def rows_of(transcript, names, counted):
    """Figures from the guests' `row` and `absent` lines, second column from the plugin."""
    figures, regions = {}, counted.regions()
    lines = [line.split() for name in names for line in transcript.lines[name]]
    measured = [words for words in lines if words[0] == "row"]
    for index, (_, key, count, elapsed) in enumerate(measured):
        count = int(count) * PARTS.get(key, 1)
        figures[key] = {"value": round(int(elapsed) * INSNS_PER_TICK / count, 1)}
        if index < len(regions):
            figures[key].update(per_operation(regions[index], count))
    for words in lines:
        if words[0] == "absent":
            figures[words[1]] = {"absent": " ".join(words[2:])}
    if transcript.ended != "done":
        say(f"the bench guest did not finish ({transcript.ended}); last lines of the console:")
        for line in transcript.raw[-12:]:
            print("    " + line, file=sys.stderr)
    return figures


def setup_guest(on):
    """All rows of one guest: 2 vCPUs, 128 MiB, on 2 CPUs and 4 GiB."""
    counted = Counted(on)
    domain = guests.Domain("bench", vcpus=2, memory=128)
    transcript = guests.boot(on, [domain], guests.Board(cpus=2, memory=4096), timeout=300,
                             plugin=counted.plugin)
    return rows_of(transcript, ["bench"], counted)


def setup_switch(on):
    """Two vCPUs that yield to each other on one CPU."""
    counted = Counted(on)
    domain = guests.Domain("bench", vcpus=2, memory=128, bootargs="rows=1")
    transcript = guests.boot(on, [domain], guests.Board(cpus=1, memory=4096), timeout=200,
                             plugin=counted.plugin)
    return rows_of(transcript, ["bench"], counted)


def setup_far(on, where=(1, 0)):
    """Events between two domains, on one CPU and on two."""
    figures = {}
    for same in where:
        counted = Counted(on)
        pair = [guests.Domain("bench", memory=128, bootargs=f"rows={3 - i} peer={i} same={same}")
                for i in (1, 2)]
        pair[0].bootargs = f"rows=2 peer=2 same={same}"
        pair[1].bootargs = f"rows=3 peer=1 same={same}"
        transcript = guests.boot(on, pair, guests.Board(cpus=2 - same, memory=4096), timeout=200,
                                 plugin=counted.plugin, xen_args="xsm=dummy")
        figures.update(rows_of(transcript, ["bench"], counted))
    key = figures.pop("event-far", None)
    if key:
        figures.setdefault("event-far-same-cpu", key)
        figures.setdefault("event-far-other-cpu", key)
    return figures


def setup_boot(on):
    """From the hypervisor's entry to the first guest instruction, 128 MiB guests, one CPU."""
    return boot_cost(on, (1, 2, 4, 8), 128)


def setup_crowd(on):
    """The same with many guests, which share one image."""
    return boot_cost(on, (32, 100), 32)


def boot_cost(on, counts, memory):
    """Row boot-N for each N of `counts`."""
    figures = {}
    for count in counts:
        counted = Counted(on)
        domains = [guests.Domain("smoke", memory=memory) for _ in range(count)]
        for domain in domains:
            domain.share_module = count > 8
        guests.boot(on, domains, guests.Board(cpus=1, memory=4096), timeout=200 + 2 * count,
                    plugin=counted.plugin, wait_for=["smoke"])
        boot = counted.lines("boot")
        if boot and int(boot[0][0]):
            figures[f"boot-{count}"] = {"value": int(boot[0][0])}
    return figures


def setup_linux(on):
    """Instructions at EL2 until Debian's kernel runs init, with and without `quiet`."""
    import linux  # builds an initramfs; not needed by the quick rows
    figures = {}
    for key, words in (("linux-el2", ""), ("linux-el2-quiet", " quiet")):
        counted = Counted(on)
        domain = linux.domain(words)
        board = guests.Board(cpus=1, memory=4096)
        transcript = guests.boot(on, [domain], board, timeout=900, plugin=counted.plugin,
                                 wait_for=["never"], watch=lambda line: linux.MARK in line)
        if transcript.ended == "watched":
            total, before = counted.total(), counted.boot()
            since = {name: total[name] - before[name] for name in COUNTERS}
            figures[key] = {"value": since["el2"], **{name: since[name] for name in COLUMNS}}
        else:
            say(f"Linux did not reach init ({transcript.ended}):")
            print("\n".join("    " + line for line in transcript.raw[-12:]), file=sys.stderr)
    return figures


def setup_image(on):
    """What the image occupies once loaded."""
    return {"image-bytes": {"value": image_size(on)}}


def setup_memory(on):
    """Memory that is neither free nor a guest's, from the hypervisor's own console."""
    import heap
    answers = [heap.free_kib(on, count) for count in (1, 2)]
    if None in answers:
        return {}
    (one, _), (two, stage2) = answers
    domain = one - two - heap.GUEST_KIB
    return {"own-memory": {"value": heap.MACHINE_KIB - one - heap.GUEST_KIB - domain},
            "domain-overhead": {"value": domain - stage2}}


def setup_density(on):
    """A board of 4 GiB full of small guests, each asked for an answer (tests/guest/density.py)."""
    if on == "xen":
        return {}
    import density
    result = density.measure(on, 1000, say)
    silent = 1000 - result["answered"]
    figures = {"density-silent": {"value": silent}}
    if result["free_kib"]:
        used = 4096 * 1024 - result["free_kib"] - 1000 * density.GUEST_MIB * 1024
        figures["density-overhead"] = {"value": round(used / 1000, 1)}
    return figures


def setup_lines(on):
    """Code lines of what the image is built from, by cloc; stock Xen's figure is quoted."""
    if on == "xen":
        return {"el2-lines": {"value": 201072}}
    files = set()
    for path in glob.glob(os.path.join(TOP, "build/arm64/obj/**/*.d"), recursive=True):
        with open(path, encoding="utf-8") as text:
            words = text.read().replace("\\\n", " ").split()
        files.update(os.path.normpath(os.path.join(TOP, word)) for word in words
                     if word.endswith((".c", ".h", ".S")) and not word.startswith("/"))
    files = sorted(f for f in files if f.startswith(TOP) and "/build/" not in f and
                   os.path.exists(f))
    try:
        out = subprocess.run(["cloc", "--json", "--quiet"] + files,
                             check=True, stdout=subprocess.PIPE).stdout
    except FileNotFoundError:
        return {"el2-lines": {"absent": "cloc is not installed; run make setup"}}
    counts = json.loads(out or b"{}")
    return {"el2-lines": {"value": sum(entry["code"] for name, entry in counts.items()
                                       if name in ("C", "C/C++ Header", "Assembly"))}}


SETUPS = {"guest": setup_guest, "switch": setup_switch, "far": setup_far, "boot": setup_boot,
          "crowd": setup_crowd, "density": setup_density, "linux": setup_linux,
          "image": setup_image, "memory": setup_memory, "lines": setup_lines}


def measure(on, setups):
    """All figures of one hypervisor."""
    figures = {}
    for name in setups:
        say(f"{on}: {SETUPS[name].__doc__.splitlines()[0]}")
        figures.update(SETUPS[name](on))
    return figures


def load(path):
    """A JSON file, or nothing."""
    try:
        with open(path, encoding="utf-8") as text:
            return json.load(text)
    except FileNotFoundError:
        return {}


def store(path, figures):
    """Write JSON so that a difference reads well."""
    with open(path, "w", encoding="utf-8") as text:
        lines = (f"  {json.dumps(key)}: {json.dumps(figures[key])}" for key in sorted(figures))
        text.write("{\n" + ",\n".join(lines) + "\n}\n")


def excuses():
    """Rows that may be absent or over budget, with what they wait for."""
    result = {}
    if os.path.exists(NOT_YET):
        with open(NOT_YET, encoding="utf-8") as text:
            for line in text:
                words = line.split("#")[0].split(None, 1)
                if words:
                    result[words[0]] = words[1].strip() if len(words) > 1 else "no reason given"
    return result


def budget_of(row, xen):
    """The row's promise; a third of stock Xen's figure for events between domains."""
    if row.budget is None and row.setup == "far" and "value" in xen.get(row.key, {}):
        return round(xen[row.key]["value"] / 3)
    return row.budget


def verdict(row, ours, xen, accepted, excused):
    """(word for the table, whether it counts as broken)."""
    budget = budget_of(row, xen)
    waits = f"not yet: {excused[row.key]}" if row.key in excused else None
    if "value" not in ours:
        return (waits, False) if waits else (f"ABSENT {ours.get('absent', '')}".strip(), True)
    over = budget is not None and ours["value"] > budget
    if over and not waits:
        return ("OVER BUDGET", True)
    before = accepted.get(row.key, {})
    # Two instructions more or less are the compiler's mood; sizes are held by their budgets alone.
    worse = [name for name in ("value",) + COLUMNS if name in before and name in ours and
             row.setup not in ("lines", "image") and
             ours[name] > max(before[name] * TOLERANCE, before[name] + (2 if name == "value" else 0.05))]
    if worse:
        return ("WORSE: " + ", ".join(f"{n} {before[n]:g} -> {ours[n]:g}" for n in worse), True)
    if waits and not over and budget is not None:
        return ("ok: take it off bench/not-yet", False)
    return (f"over, {waits}" if over else "ok" if budget is not None else "", False)


def number(value):
    """Short enough for a column, long enough to compare."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 or value == int(value) else f"{value:.1f}"


def table(rows, xen, ours, accepted):
    """Print the table; returns the number of broken promises."""
    excused, broken = excuses(), 0
    columns = " ".join(f"{name:>8}" for name in COLUMNS)
    print(f"{'':42} {'Xen':>12} {'budget':>11} {'Bulkhead':>11}  {columns}")
    for row in rows:
        theirs, mine = xen.get(row.key, {}), ours.get(row.key, {})
        word, bad = verdict(row, mine, xen, accepted, excused) if ours else ("", False)
        broken += bad
        source = mine if ours else theirs
        second = " ".join(f"{source[name]:>8,.8g}" if name in source else f"{'':8}"
                          for name in COLUMNS)
        print(f"{row.text:42} {number(theirs.get('value')):>12} "
              f"{number(budget_of(row, xen)):>11} {number(mine.get('value')):>11}  {second}  {word}"
              .rstrip())
    return broken


def profile(on, key):
    """Instructions of one row by function, from the blocks the plugin counted."""
    setup = next(row.setup for row in ROWS if row.key == key)
    order = [row.key for row in ROWS if row.setup == "guest"]
    Counted.profile = measure_order(on, order).index(key) if setup == "guest" else 0
    if setup == "far":
        setup_far(on, [int(key == "event-far-same-cpu")])
    else:
        SETUPS[setup](on)
    counted = Counted.last
    elf = os.path.join(TOP, "build/arm64/bulkhead.elf")
    symbols = []
    if on == "bulkhead" and os.path.exists(elf):
        out = subprocess.run(["aarch64-linux-gnu-nm", "-n", elf], check=True,
                             stdout=subprocess.PIPE).stdout.decode()
        symbols = [(int(w[0], 16), w[2]) for w in map(str.split, out.splitlines())
                   if len(w) == 3 and w[1] in "tTwW"]
    cost = {}
    blocks = [(int(a, 16), int(n), int(r)) for a, n, r in counted.lines("block")]
    for address, insns, runs in blocks:
        cost_name = name_of(address, symbols)
        cost[cost_name] = cost.get(cost_name, 0) + insns * runs
    total = sum(cost.values()) or 1
    for name, insns in sorted(cost.items(), key=lambda item: -item[1])[:40]:
        print(f"{insns:>12,} {100 * insns / total:5.1f} %  {name}")


def measure_order(on, order):
    """The keys in the order of the guest's regions (absent rows have none)."""
    figures = setup_guest(on)
    return [key for key in order if "value" in figures.get(key, {})]


def name_of(address, symbols):
    """The function an address lies in; offsets from the link address are tried too."""
    if symbols:
        base = symbols[0][0]
        for candidate in (address, base + (address & 0x1fffff), base + address - LOAD_ADDRESS):
            if symbols[0][0] <= candidate <= symbols[-1][0] + 0x1000:
                low, high = 0, len(symbols)
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if symbols[middle][0] <= candidate else (low, middle)
                return symbols[low][1]
    return f"{address:#x}"


def main():
    """Exit status 0 only if every promise holds."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--accept", action="store_true")
    parser.add_argument("--tap", action="store_true", help="print TAP after the table")
    parser.add_argument("--only", nargs="+", metavar="KEY", default=[])
    parser.add_argument("--on", choices=("bulkhead", "xen"))
    parser.add_argument("--profile", metavar="KEY")
    options = parser.parse_args()
    if options.profile:
        profile(options.on or "bulkhead", options.profile)
        return 0
    rows = [row for row in ROWS if (not options.only or row.key in options.only) and
            not (options.quick and row.setup in SLOW_SETUPS)]
    setups = list(dict.fromkeys(row.setup for row in rows))
    xen = load(XEN_FIGURES)
    if options.on == "xen" or not (options.quick or options.on):
        fresh = measure("xen", setups)
        xen.update(fresh)
        store(XEN_FIGURES, xen)
    ours = {} if options.on == "xen" else measure("bulkhead", setups)
    accepted = load(ACCEPTED)
    broken = table(rows, xen, ours, accepted)
    if options.accept and ours:
        accepted.update({key: value for key, value in ours.items() if "value" in value})
        store(ACCEPTED, accepted)
        say(f"wrote {os.path.relpath(ACCEPTED)}")
    if options.tap:
        excused = excuses()
        for row in rows:
            word, bad = verdict(row, ours.get(row.key, {}), xen, accepted, excused)
            print(f"{'not ok' if bad else 'ok'} - bench {row.key}: {word or 'measured'}")
        print(f"1..{len(rows)}")
    elif ours:
        waiting = sum(row.key in excuses() for row in rows)
        print(f"{broken} broken, {waiting} excused by bench/not-yet" if broken or waiting
              else "every promise holds")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
