#!/usr/bin/env python3
"""Random hypercalls by several guests that die and are born again all the time; prints TAP.

  callfuzz.py [--on IMAGE] [--calls N] [--guests N] [--vcpus N] [--seed N] [--stays] [-v]

Guests callfuzz.c make N calls in all, on two CPUs that run in parallel,
100,000 a life, while a neighbour (neighbour.c) does its work and is judged by
it. Before and after, all of them are destroyed, and the hypervisor says how
much memory is free. --stays also counts how many instructions a CPU was at
EL2 without looking for interrupts, at most: 50,000 are promised (hyp/hypercall.h, H1).
"""
import argparse
import functools
import os
import re
import struct
import subprocess
import tempfile
import time

from board import IMAGES, TOP, Board, Domain, Nudge, command, hypervisor_path
from restarts import Console


def free_after_destroying(console, names):
    """KiB free, and KiB still the domains', once all are gone."""
    for name in names:
        while True:  # refused while the guest is between two lives
            console.send(f"destroy {name}\n")
            if "gone" in console.expect(rf"{name} is gone|Not possible: {name}").group(0):
                break
    console.send("memory\n")
    match = console.expect(r"(\d+) free, (\d+) the")
    return int(match[1]), int(match[2])


def story(console, names, calls):
    """The whole test; returns [(good, text)]."""
    results = []
    console.expect(r"life: \d+ calls")
    console.send("\x14" * (len(names) + 1))
    console.expect("the hypervisor .*has keyboard")
    everybody = names + ["neighbour"]
    first, owned = free_after_destroying(console, everybody)
    results.append((owned == 0, "destroyed guests own no memory"))
    for name in everybody:
        console.send(f"start {name}\n")
        console.expect(f"{name} starts")
    begin, made, good, healthy = console.seen, 0, 0, 0
    while made < calls:
        match = console.expect(r"life: (\d+) calls, (\d+) succeeded|neighbour: 1\.\.\d+")
        if match[1]:
            made, good = made + int(match[1]), good + int(match[2])
        else:
            healthy += 1
    last, owned = free_after_destroying(console, everybody)
    print(f"# {made} calls, {good} of them succeeded; the neighbour finished its work {healthy} times")
    if last != first:
        print(f"# {first} KiB were free, {last} are")
    text = console.text[begin:]
    results.append((owned == 0 and last == first, f"{calls} calls of {len(names)} guests leak nothing"))
    results.append((good > made // 20, "enough of them had an effect"))
    results.append((healthy > 0 and "neighbour: not ok" not in text, "the neighbour kept memory and timer"))
    wrong = re.search(r"check failed|\] warning:.*|crashed|cannot be built|not given back", text)
    if wrong:
        print(f"# {wrong[0]}")
    results.append((not wrong, "the hypervisor complained of nothing"))
    return results


STAY_MAX = 50000
LOAD_ADDRESS = 0x40200000  # where QEMU puts the image


def stays_plugin(image, out):
    """QEMU's argument for the counting plugin of bench/."""
    with open(image, "rb") as file:
        size, = struct.unpack_from("<Q", file.read(64), 16)
    return f"{TOP}/build/host/count.so,el2={LOAD_ADDRESS:#x}-{LOAD_ADDRESS + size:#x},out={out},stays=on"


@functools.lru_cache(maxsize=None)
def symbols():
    """(address, name) of the hypervisor's functions, in order."""
    nm = subprocess.run(["aarch64-linux-gnu-nm", "-n", os.path.join(TOP, "build/arm64/bulkhead.elf")], check=True,
                        stdout=subprocess.PIPE).stdout.decode()
    return [(int(words[0], 16), words[2]) for line in nm.splitlines()
            if len(words := line.split()) == 3 and words[1] in "tT"]


def function_at(address):
    """The function that `address` is in."""
    return max((pair for pair in symbols() if pair[0] <= address), default=(0, hex(address)))[1]


def longest_stay(out):
    """(good, text) of what the plugin wrote."""
    with open(out, encoding="ascii") as text:
        lines = [line.split() for line in text]
    stays = [int(line[1]) for line in lines if line[0] == "longest"]
    print(f"# longest stay at EL2 of each CPU: {stays}")
    good = bool(stays) and all(1000 < insns <= STAY_MAX for insns in stays)
    spent = {}
    for _, cpu, at, insns in (line for line in lines if line[0] == "part" and not good):
        where = (cpu, function_at(int(at, 16)))
        spent[where] = spent.get(where, 0) + int(insns)
    for (cpu, name), insns in sorted(spent.items(), key=lambda item: -item[1])[:16]:
        print(f"#   CPU {cpu}: {insns} in {name}")
    return good, f"no CPU is at EL2 for more than {STAY_MAX} instructions"


def main():
    """Run it; TAP."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", default="bulkhead")
    parser.add_argument("--calls", type=int, default=200000, help="in all (default 200000)")
    parser.add_argument("--life", type=int, default=20000, help="calls of one life (default 20000)")
    parser.add_argument("--guests", type=int, default=3)
    parser.add_argument("--vcpus", type=int, default=2)
    parser.add_argument("--stays", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=300)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    on = options.on if options.on == "bulkhead" else os.path.join(TOP, options.on)
    # In parallel, but for `stays`: who waits for a lock whose holder the host has stopped counts without end.
    board = Board(3, 2, 1024, icount=options.stays)
    names = [f"fuzz{i}" for i in range(1, options.guests + 1)]
    domains = [Domain(name, image=os.path.join(IMAGES, "callfuzz"), vcpus=options.vcpus, memory=16,
                      enhanced="enabled", extra=f'bulkhead,name = "{name}";',
                      bootargs=f"calls={options.life} peers={options.guests} seed={options.seed}")
               for name in names]
    domains.append(Domain("neighbour", memory=16, bootargs="slices=100 us=20000",
                          extra='bulkhead,name = "neighbour"; bulkhead,on-poweroff = "restart";'))
    with tempfile.TemporaryDirectory(prefix="bulkhead-callfuzz-") as directory:
        nudge = Nudge(directory)
        counted = os.path.join(directory, "counted")
        plugin = stays_plugin(hypervisor_path(on), counted) if options.stays else None
        words = command(on, board, domains, directory, plugin=plugin) + nudge.arguments()
        console = Console(words, nudge if options.stays else lambda: None, time.monotonic() + options.timeout, options.verbose)
        try:
            results = story(console, names, options.calls)
        except TimeoutError as error:
            results = [(False, f"the story came to its end: {error}")]
            for line in console.text.splitlines()[-25:]:
                print(f"#   {line}")
        finally:
            console.close()
        if options.stays:
            results.append(longest_stay(counted))
    for number, (good, text) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - callfuzz: {text}")
    print(f"1..{len(results)}")


if __name__ == "__main__":
    main()
