#!/usr/bin/env python3
"""Boot test guests on a hypervisor and judge what they print.

  run.py [--on bulkhead|xen|bare|PATH]... [options] GUEST...
  run.py --conform [--on ...]     what a guest may rely on, compared with the bare board
  run.py --hostile [--on ...]     each hostile guest beside a neighbour that must not notice
  run.py --deadline [--on ...]    all of them at once beside a real-time guest: how late it wakes

A GUEST is NAME[:key=value,...]: `smoke`, `smoke:vcpus=2,memory=64`. Several
guests given with `+` between them (`sweep+neighbour`) share one board. On
`bare` the guest runs on QEMU's board itself, at EL1, with no hypervisor: the
oracle for "as hardware does".
"""
import argparse
import os
import re

from board import Board, Domain, boot


def tap_of(transcript, domains, label):
    """Print one guest board's results as TAP lines without numbers; returns their count."""
    count = 0
    for domain in domains:
        results = transcript.results(domain.name)
        planned = transcript.plan(domain.name)
        for good, text in results:
            count += 1
            print(f"{'ok' if good else 'not ok'} - {label} {domain.name}: {text}", flush=True)
        if planned is None or planned != len(results):
            count += 1
            print(f"not ok - {label} {domain.name}: finished its plan "
                  f"({transcript.ended}, {len(results)} results, plan {planned})", flush=True)
            for line in transcript.raw[-25:]:
                print(f"#   {line}")
        elif any(not good for good, _ in results):
            for line in transcript.lines[domain.name]:
                if line.startswith("#"):
                    print(f"#   {domain.name}: {line}")
    return count


# Conform guests: name, guest options, host CPUs, GICs, whether the bare board is the oracle.
CONFORM = (("smoke", "vcpus=2", 2, (3, 2), True),
           ("timer", "vcpus=1", 1, (3, 2), True),
           ("psci", "vcpus=2", 2, (3,), False),  # the bare board has no SMCCC: other plan
           ("gic", "vcpus=2", 2, (3, 2), True),
           ("uart", "vcpus=1", 1, (3,), True),
           ("ids", "vcpus=2", 2, (3,), True),
           ("debug", "vcpus=1", 1, (3,), True),
           ("fp", "vcpus=2", 1, (3,), False),
           ("tree", "vcpus=2,bootargs=probe=0x77 cpus=2", 2, (3, 2), False))


def conform(on, options):
    """Each conform guest, its transcript beside the bare board's; returns the number of results."""
    count = 0
    for name, words, cpus, gics, oracle in CONFORM:
        if options.guest and name not in options.guest:
            continue
        for gic in gics:
            board = Board(gic, cpus, 2048, options.cpu)
            domain = Domain.parse(f"{name}:{words}")
            label = f"{os.path.basename(on)} GICv{gic}"
            transcript = boot(on, [domain], board, options.timeout, quiet=not options.verbose)
            count += tap_of(transcript, [domain], label)
            if not oracle or on == "bare":
                continue
            bare = boot("bare", [domain], board, options.timeout)
            mine, theirs = transcript.results(name), bare.results(name)
            same = mine == theirs and bool(mine)
            print(f"{'ok' if same else 'not ok'} - {label} {name}: the bare board's transcript")
            for got, want in zip(mine, theirs):
                if got != want:
                    print(f"#   here: {got}  there: {want}")
            count += 1
    return count


# Each hostile guest, how it is started, and the results it owes.
HOSTILE = ("sweep:bootargs=part=%d", "classes", "gicfuzz", "calls", "hyperfuzz", "storm",
           "tables", "aborts", "aarch32", "hunger", "abuse", "race:vcpus=2")
FAIR_SHARE = 950  # thousandths of the one CPU, less 5 %, to be shared by all vCPUs equally


def hostile(on, board, options):
    """Each hostile guest beside the neighbour, on one CPU; returns the number of results."""
    count, part = 0, 1 if options.full else 8
    board = Board(options.gic, 1, board.memory, board.cpu, board.icount)
    for text in options.guest or HOSTILE:
        guest = Domain.parse(text % part if "%d" in text else text)
        # In a window of only 100 ms, where time slices of 4 ms begin counts as well.
        slices, slice_ms, jitter = (100, 20, 0) if options.full else (12, 10, 25)
        # The attack lasts as long as the neighbour measures.
        guest.bootargs = f"{guest.bootargs} seed={options.seed} ms={slices * slice_ms}".strip()
        neighbour = Domain("neighbour", bootargs=f"slices={slices} us={slice_ms * 1000}")
        transcript = boot(on, [guest, neighbour], board, options.timeout,
                          xen_args=options.xen_args, quiet=not options.verbose)
        label = f"{os.path.basename(on)} seed {options.seed}"
        count += tap_of(transcript, [guest, neighbour], label)
        share = [m for line in transcript.lines["neighbour"]
                 if (m := re.match(r"share (\d+) window (\d+) smallest (\d+) late (\d+)", line))]
        fair = bool(share) and int(share[0][2]) >= FAIR_SHARE // (1 + guest.vcpus) - jitter
        told = f"share {share[0][1]}, in the worst 10 slices {share[0][2]}, in the worst one " \
               f"{share[0][3]}, timer late by at most {share[0][4]} us" if share \
            else "the neighbour did not finish"
        print(f"{'ok' if fair else 'not ok'} - {label} {guest.name}: the neighbour keeps its share")
        print(f"#   {guest.name}: {told}; {transcript.seconds:.0f} s")
        count += 1
    return count


LATEST_NS = 55000  # the longest stay at EL2 that is allowed (hyp/hypercall.h, H1), and a switch


def deadline(on, board, options):
    """The hostile guests, all on one CPU, beside a real-time guest; returns the number of results."""
    board = Board(options.gic, 1, board.memory, board.cpu, board.icount)
    period_us, rounds = 1000, 300
    attackers = [Domain.parse(text % 1 if "%d" in text else text) for text in options.guest or HOSTILE]
    for guest in attackers:  # they go on for as long as it measures
        guest.bootargs = f"{guest.bootargs} seed={options.seed} ms={period_us * rounds // 1000 + 500}".strip()
    timely = Domain("deadline", bootargs=f"rounds={rounds} us={period_us}",
                    extra=f"bulkhead,budget-us = <{period_us // 2}>; bulkhead,period-us = <{period_us}>;")
    transcript = boot(on, attackers + [timely], board, options.timeout, wait_for=["deadline"],
                      xen_args=options.xen_args, quiet=not options.verbose)
    label = f"{os.path.basename(on)} seed {options.seed}"
    count = tap_of(transcript, [timely], label)
    late = [m for line in transcript.lines["deadline"]
            if (m := re.match(r"late by (\d+) ns at most, (\d+) on average", line))]
    good = bool(late) and int(late[0][1]) <= LATEST_NS
    print(f"{'ok' if good else 'not ok'} - {label} deadline: no wake-up is late by more than {LATEST_NS} ns")
    print(f"#   {late[0][0] if late else 'it did not finish'}; {transcript.seconds:.0f} s")
    return count + 1


def main():
    """Run what the command line names; TAP on stdout."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", action="append", help="bulkhead (default), xen, bare, or an image")
    parser.add_argument("--gic", type=int, default=3, choices=(2, 3))
    parser.add_argument("--cpus", type=int, default=2, help="host CPUs (default 2)")
    parser.add_argument("--memory", type=int, default=2048, help="host memory in MiB")
    parser.add_argument("--cpu", default="cortex-a72")
    parser.add_argument("--no-icount", action="store_true", help="host time, CPUs in parallel")
    parser.add_argument("--timeout", type=int, default=120, help="seconds (default 120)")
    parser.add_argument("--xen-args", default="", help="further words of xen,xen-bootargs")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the console")
    parser.add_argument("--hostile", action="store_true",
                        help="each GUEST (default: all hostile ones) beside the neighbour, "
                             "whose share of the one CPU is judged")
    parser.add_argument("--deadline", action="store_true",
                        help="all hostile guests (or those named) at once beside a real-time guest")
    parser.add_argument("--conform", action="store_true",
                        help="the conform guests (or those named) as their makers meant them")
    parser.add_argument("--full", action="store_true", help="with --hostile: the long version")
    parser.add_argument("--seed", type=int, default=1, help="of the hostile guests")
    parser.add_argument("guest", nargs="*")
    options = parser.parse_args()
    board = Board(options.gic, options.cpus, options.memory, options.cpu, not options.no_icount)
    count = 0
    for on in options.on or ["bulkhead"]:
        if options.hostile:
            count += hostile(on, board, options)
            continue
        if options.deadline:
            count += deadline(on, board, options)
            continue
        if options.conform:
            count += conform(on, options)
            continue
        for group in options.guest:
            domains = [Domain.parse(text) for text in group.split("+")]
            transcript = boot(on, domains, board, options.timeout, xen_args=options.xen_args,
                              quiet=not options.verbose)
            count += tap_of(transcript, domains, os.path.basename(on))
    print(f"1..{count}")


if __name__ == "__main__":
    main()
