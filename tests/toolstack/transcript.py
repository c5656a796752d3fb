#!/usr/bin/env python3
"""Debian's unmodified xl on Bulkhead and on stock Xen 4.17, the same script on both: what differs? TAP.

  transcript.py [--script NAME] [--on HYPERVISOR]... [--show] [-v]

Runs tests/toolstack/inside/NAME (default: transcript) in the control domain
of each, side by side, in this run: no answer of Xen's is stored. Each command's output and
status are compared after what must differ (times, free memory, build
dates) is taken out; what differs for a reason is in EXPLAINED, with the
reason. --show only prints the normalised transcript of one hypervisor
(--on xen, or a file); -v shows the consoles.
"""
import concurrent.futures
import difflib
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
# pylint: disable=wrong-import-position
from machine import OURS, Failed, Machine, guest_ramdisk, parser
import control
import debian

# (command, text, what stands there instead): what may differ from run to run or machine to machine.
NORMAL = [
    (r"xl info", r"^(free_memory|xen_(extra|version|changeset|commandline)|cc_\w+|build_id) .*",
     r"\1 : VALUE"),
    (r"xl (list|vcpu-list|claims)", r"\b\d+\.\d(?= |$)", "T"),
    (r"xl (list|claims)", r"([ \t])[r-][b-]([-p][-s][-c][-d])(?=[ \t])", r"\1??\2"),
    (r"xl vcpu-list", r"^(\S+ +\d+ +\d+ +)\d+ +[r-][b-]- +", r"\1CPU ??- "),
    (r"xl uptime", r"\d+:\d\d:\d\d$", "TIME"),
    (r".*xl dmesg", r"(?s)^.+$", "TEXT"),
    (r"xentop", r"(?m)^( *\S+) [-a-z]{6}.*", r"\1 ..."),
    (r"virsh (dominfo|vcpuinfo)", r"^(CPU time:|CPU:) .*", r"\1 VALUE"),
    (r"virsh vcpuinfo", r"^State: .*", "State: VALUE"),
    (r"", r"\[pid \d+\]", "[pid N]"),
    (r"xl list -[lv]", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
]
# Packages that a script needs besides xen-utils.
PACKAGES = {"virsh": control.LIBVIRT}
# (command, line that differs, why): not a fault of ours. Matched against lines only one side has.
EXPLAINED = [
    (r"xl info", r"^platform_params", "where hypercall pages would be, on a machine without any"),
    (r"xl info", r"^total_memory", "without what the boot modules and the hypervisor occupy"),
    (r"xl info", r"^virt_caps", "grants of version 2 here, a virtual PMU there"),
    (r"xl info -n", r"pci_topology|device topology|^device node|device topology data",
     "the board's PCI bus is dom0's there, and nobody's here"),
    (r"xl info -n", r"^ *0: \d{4} \d+ 20$", "as total_memory"),
    (r"virsh nodeinfo", r"^Memory size:", "without what the boot modules and the hypervisor occupy"),
    (r"virsh (dominfo|dommemstat)", r"^(Used memory:|actual) ",
     "the page that the guest hides behind its shared_info is given back here, and lost there"),
    (r"xl sched-credit2", r"ratelimit=", "no rate limit is needed: wake-ups have a bound of their own"),
]


def clean(text):
    """The console's text without what the hypervisors and the kernel say in between."""
    text = re.sub(r"\x1b\[2m.*?\x1b\[22m", "", text, flags=re.DOTALL)
    text = re.sub(r"[^\n]*\x1b\[2K|\x1b\[[0-9;]*m", "", text)
    return "\n".join(line for line in text.split("\n")
                     if not re.match(r"\(XEN\)|--- |\[ *\d+\.\d+\] |\(\w+\) ", line))


def normal(command, output):
    """Output of a command without what may differ."""
    for which, what, instead in NORMAL:
        if re.match(which, command):
            output = re.sub(what, instead, output, flags=re.M)
    return [re.sub(r" +", " ", line).rstrip() for line in output.split("\n") if line.strip()]


def entries(text):
    """[(command, lines, status)] of a console's text."""
    found = []
    for match in re.finditer(r"^@@ (?![=!])(.*)\n((?:(?!@@ =).*\n)*)@@ = (\d+)", clean(text), re.M):
        found.append((match[1], normal(match[1], match[2]), int(match[3])))
    return found


def differences(command, theirs, ours):
    """Lines that only one side has, but for those that have an explanation; and the explanations."""
    lines, reasons = [], []
    for line in difflib.ndiff(theirs, ours):
        if line[0] not in "+-":
            continue
        why = [reason for which, what, reason in EXPLAINED
               if re.match(which, command) and re.search(what, line[2:])]
        if why:
            reasons += why[:1]
        else:
            lines.append(("Xen:  " if line[0] == "-" else "here: ") + line[2:])
    return lines, sorted(set(reasons))


def play(name, hypervisor, script, seconds, verbose):
    """Run the script in a control domain; its console's text, and whether it came to its end."""
    guest = guest_ramdisk()
    with Machine(f"{script}-{name}", hypervisor, run=f"start,{script}", guest=guest,
                 packages=PACKAGES.get(script, ())) as machine:
        ended = True
        try:
            machine.wait(rf"(?m)^run {script}: exit \d+", seconds)
        except Failed as failure:
            ended = False
            print("# " + str(failure).replace("\n", "\n# "))
        print(f"# {script} on {name}: {machine.elapsed():.0f} s", flush=True)
        if verbose:
            print(machine.text)
        return machine.text, ended


def compare(theirs, ours, ended):
    """TAP lines for two transcripts; true if both `ended` and nothing unexplained differs."""
    print(f"1..{len(theirs) + 1}")
    good = all(ended.values()) and bool(theirs) and len(theirs) == len(ours)
    print(f"{'ok' if good else 'not ok'} {len(theirs) + 1} - {len(theirs)} commands on stock Xen, "
          f"{len(ours)} here; came to the end: "
          + (", ".join(name for name, whether in ended.items() if whether) or "none"))
    for number, (command, lines, status) in enumerate(theirs, 1):
        if number > len(ours):
            print(f"not ok {number} - {command}: never came to that here")
            good = False
            continue
        wrong, reasons = differences(command, lines, ours[number - 1][1])
        if ours[number - 1][0] != command or ours[number - 1][2] != status:
            wrong.append(f"{ours[number - 1][0]} ended with status {ours[number - 1][2]}, "
                         f"on Xen with {status}")
        good = good and not wrong
        note = f" (differs: {'; '.join(reasons)})" if reasons else ""
        print(f"{'not ok' if wrong else 'ok'} {number} - {command}: as on stock Xen{note}")
        for line in wrong:
            print(f"#   {line}")
    return good


def main():
    """Both transcripts, compared; or one shown."""
    words = parser(__doc__)
    words.add_argument("--script", default="transcript", metavar="NAME")
    words.add_argument("--on", default=OURS, metavar="FILE", help="instead of build/arm64/bulkhead")
    words.add_argument("--show", action="store_true", help="only that one's transcript")
    words.add_argument("--seconds", type=int, default=200, help="on an idle machine (200)")
    given = words.parse_args()
    try:
        where = {"xen": "xen"} if given.on == "xen" else {"bulkhead": given.on}
        if not given.show:
            where["xen"] = "xen"
        with concurrent.futures.ThreadPoolExecutor() as pool:
            plays = {name: pool.submit(play, name, image, given.script, given.seconds,
                                       given.verbose) for name, image in where.items()}
            found = {name: entries(one.result()[0]) for name, one in plays.items()}
            ended = {name: one.result()[1] for name, one in plays.items()}
        if not given.show:
            return 0 if compare(found["xen"], found["bulkhead"], ended) else 1
        for command, lines, status in next(iter(found.values())):
            print("\n".join([f"> {command}"] + lines + [f"= {status}"]))
        return 0
    except debian.Failure as failure:
        print(f"1..1\nnot ok 1 - cannot prepare it: {failure}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
