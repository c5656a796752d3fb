#!/usr/bin/env python3
"""Boot test guests on a hypervisor and judge what they print.

  run.py [--on bulkhead|xen|bare|PATH]... [options] GUEST...

A GUEST is NAME[:key=value,...]: `smoke`, `smoke:vcpus=2,memory=64`. Several
guests given with `+` between them (`sweep+neighbour`) share one board. On
`bare` the guest runs on QEMU's board itself, at EL1, with no hypervisor: the
oracle for "as hardware does".
"""
import argparse
import os

from board import Board, Domain, boot


def tap_of(transcript, domains, label, known=()):
    """Print one guest board's results as TAP lines without numbers; returns their count."""
    count = 0
    for domain in domains:
        results = transcript.results(domain.name)
        planned = transcript.plan(domain.name)
        for good, text in results:
            count += 1
            name = f"{label} {domain.name}: {text}"
            todo = "" if good or f"{domain.name}: {text}" not in known else " # TODO known"
            print(f"{'ok' if good else 'not ok'} - {name}{todo}", flush=True)
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
    parser.add_argument("guest", nargs="+")
    options = parser.parse_args()
    board = Board(options.gic, options.cpus, options.memory, options.cpu, not options.no_icount)
    count = 0
    for on in options.on or ["bulkhead"]:
        for group in options.guest:
            domains = [Domain.parse(text) for text in group.split("+")]
            transcript = boot(on, domains, board, options.timeout, xen_args=options.xen_args,
                              quiet=not options.verbose)
            count += tap_of(transcript, domains, os.path.basename(on))
    print(f"1..{count}")


if __name__ == "__main__":
    main()
