#!/usr/bin/env python3
"""Every right by every control call, on the machine; prints TAP.

  rights.py [--on bulkhead|IMAGE] [--gic 2|3] [--stays] [--timeout N] [-v]

A board of guests rights.c: one for each right, which holds that and no other, one that holds none,
three that hold what only works together, one that drops what it holds. Each tries every call over
`home`, over which it holds its right, over `other`, over which it does not, over the machine, and
over a domain that it has made, if it could. CALLS says what each call takes, in the words of
docs/configuration.md; it is written from there and not from the hypervisor's tables. Exactly what a
guest's rights allow succeeds; all else is -EPERM, but for what Xen's interface says otherwise.
An operation of abi/xen that is not in CALLS fails the test. --stays also counts the longest stay at
EL2, as callfuzz.py does: among them is the making, and the end, of a domain of 64 vCPUs.
"""
import argparse
import os
import re
import sys
import tempfile

from board import IMAGES, TOP, Board, Domain, boot, hypervisor_path
from callfuzz import longest_stay, stays_plugin

EPERM, ENOENT, ESRCH, EINVAL, ENOSYS, EOPNOTSUPP = -1, -2, -3, -22, -38, -95
# Devices of the board that nobody needs: path, frame of its registers, interrupt.
CLOCK, GPIO, CONFIG = (("/pl031@9010000", 0x9010, 34), ("/pl061@9030000", 0x9030, 39),
                       ("/fw-cfg@9020000", 0x9020, 34))

# One of these is needed over the target.
LOOK, RULE, MAKE = {"inspect", "control"}, {"control"}, {"build"}
CALLS = {
    **{f"domctl.{name}": RULE for name in (
        "pausedomain", "unpausedomain", "setvcpuaffinity", "max_mem", "max_vcpus", "scheduler_op",
        "setdomainhandle", "settimeoffset", "setnodeaffinity", "destroydomain")},
    **{f"domctl.{name}": LOOK for name in (
        "getvcpuinfo", "getvcpuaffinity", "getvcpucontext", "get_address_size", "getnodeaffinity",
        "get_paging_mempool_size")},
    **{f"domctl.{name}": MAKE for name in (
        "set_address_size", "cacheflush", "setvcpucontext", "vuart_op")},
    "domctl.getdomaininfo": LOOK | MAKE | {"store", "console"},
    "domctl.set_paging_mempool_size": RULE,
    "domctl.irq_permission": RULE, "domctl.iomem_permission": RULE,
    "domctl.bind_pt_irq": MAKE, "domctl.memory_mapping": MAKE, "domctl.unbind_pt_irq": RULE,
    "domctl.assign_device": RULE, "domctl.test_assign_device": RULE, "domctl.deassign_device": RULE,
    "domctl.createdomain": MAKE,
    "map_foreign": {"build", "inspect", "emulate"},
    "acquire_resource": MAKE,
    "hvm_get_param": RULE, "hvm_set_param": RULE, "alloc_unbound": RULE, "remote_shutdown": RULE,
    "populate_physmap": MAKE,
    "dm_op.nr_vcpus": {"emulate"},
    **{f"sysctl.{name}": LOOK | {"build", "schedule"} for name in (
        "physinfo", "sched_id", "getcpuinfo", "availheap", "cputopoinfo", "numainfo",
        "getdomaininfolist", "scheduler_op.get", "cpupool_op.info", "cpupool_op.free")},
    "sysctl.readconsole": {"console"}, "sysctl.debug_keys": {"console"},
    **{f"sysctl.{name}": {"schedule"} for name in (
        "scheduler_op.put", "cpupool_op.create", "cpupool_op.destroy")},
    "platform_op.settime64": {"shutdown-host"},
    "hypfs_op.version": {"schedule"},
    "sysctl.tbuf_op": None, "sysctl.pcitopoinfo": None,  # there is no such thing, for who holds any right
}
# Besides, the caller holds the device itself.
DEVICES = {"domctl.irq_permission": "irq", "domctl.bind_pt_irq": "irq",
           "domctl.unbind_pt_irq": "irq", "domctl.iomem_permission": "device",
           "domctl.memory_mapping": "device"}
# What an allowed call says where that is not 0; first, over a domain of the configuration.
CONFIGURED = {"domctl.set_paging_mempool_size": EINVAL,  # that of a configured domain is configured
              "domctl.unbind_pt_irq": ENOENT}  # nor could any be bound, once it ran
ALLOWED = {"domctl.assign_device": EOPNOTSUPP, "domctl.test_assign_device": EOPNOTSUPP,
           "domctl.deassign_device": EOPNOTSUPP, "populate_physmap": 4, "hypfs_op.version": ENOSYS,
           "sysctl.tbuf_op": ENOSYS, "sysctl.pcitopoinfo": ENOSYS}

DEVICE_OF = {"device": CONFIG, "irq": (None, 0x9010, 79), "passer": GPIO}

# Those that are only there to be tried on, as domains 1 to 3; and who holds what.
TARGETS = ("home", "other", "victim")
HOLDERS = {
    "none": [],
    "control": ["control home victim"],
    "inspect": ["inspect home"],
    "emulate": ["emulate home"],
    "build": ["build"],
    "store": ["store"],
    "console": ["console"],
    "device": [f"device {CONFIG[0]}"],
    "irq": ["irq 79"],
    "schedule": ["schedule"],
    "shutdown-host": ["shutdown-host"],
    "passer": ["control home", f"device {GPIO[0]}"],
    "maker": ["build", f"device {CLOCK[0]}"],
    "dropper": ["control home other", "inspect home", "console"],
}


class Holder:
    """A guest and its rights."""

    def __init__(self, number, name, words):
        self.number, self.name, self.words = number, name, words
        self.drops = name == "dropper"
        self.rights = {word.partition(" ")[0]: word.split(" ")[1:] for word in words}

    def holds(self, right, whom):
        """The right, over `whom`."""
        if self.drops or right not in self.rights:
            return False
        if right in ("store", "console", "schedule", "shutdown-host"):
            return True
        if right == "build":
            return whom in ("made", "early", "host")
        if whom == "host":
            return True
        return whom in self.rights[right]

    def allowed(self, call, whom):
        """Does it hold what the call takes?"""
        made = whom in ("early", "made", "runs") and "build" in self.rights
        rights = CALLS[call]
        if rights is None:
            return bool(self.rights) and not self.drops
        may = any(self.holds(right, whom) for right in rights) or \
            (made and bool(rights & {"control"}))  # who makes a domain controls it
        return may and (call not in DEVICES or DEVICES[call] in self.words_of_devices())

    def words_of_devices(self):
        """Which kinds of device it may hand on; naming a device names its interrupt."""
        kinds = {"irq", "device"} if "device" in self.rights else set()
        return kinds | ({"irq"} if "irq" in self.rights else set())

    def answer(self, call, whom):
        """What the call must say."""
        if call == "dm_op.nr_vcpus" and "emulate" not in self.rights:
            return ENOSYS  # as Debian's Xen, which is built without it
        if call == "domctl.getdomaininfo" and not self.allowed(call, whom):
            # It tells of the next one that may be seen; so who may see somebody hears that it is not this.
            return ESRCH if CALLS[call] & set(self.rights) and not self.drops else EPERM
        if not self.allowed(call, whom):
            return EPERM
        if whom in TARGETS and call in CONFIGURED:
            return CONFIGURED[call]
        return ALLOWED.get(call, 0)

    def sees(self):
        """Numbers of the domains that the list has; what it makes comes on top."""
        over = {TARGETS.index(name) + 1 for right in LOOK for name in self.rights.get(right, ())}
        return over | {self.number}


def domains(gic):
    """The board's guests; and who holds what."""
    guests = [Domain(name, image=os.path.join(IMAGES, "idle"), memory=16,
                     extra=f'bulkhead,name = "{name}"; bulkhead,on-crash = "preserve";')
              for name in TARGETS]
    holders = []
    for number, (name, words) in enumerate(HOLDERS.items(), len(TARGETS) + 1):
        holder = Holder(0 if "store" in words else number, name, words)
        rights = ", ".join(f'"{word}"' for word in words)
        _, frame, intid = DEVICE_OF.get(name, CLOCK)
        victim = 3 if any("victim" in word for word in words) else 2
        guests.append(Domain(
            name, image=os.path.join(IMAGES, "rights"), memory=16,
            bootargs=f"me={holder.number} home=1 other=2 victim={victim} drop={int(holder.drops)} "
                     f"frame={frame:#x} intid={intid} vcpus={64 if gic == 3 else 8}",
            extra=f'bulkhead,name = "{name}";' + (f"bulkhead,rights = {rights};" if words else "")))
        guests[-1].share_module = guests[-2].image == guests[-1].image
        holders.append(holder)
    return guests, holders


def unknown_calls():
    """Operations of the interface's headers that no call is tried of."""
    missing = []
    for family in ("domctl", "sysctl"):
        with open(os.path.join(TOP, f"abi/xen/{family}.h"), encoding="ascii") as text:
            names = re.findall(rf"#define XEN_{family.upper()}_([a-z]\w*) \d", text.read())
        missing += [f"{family}.{name}" for name in names
                    if not any(call.startswith(f"{family}.{name}") for call in CALLS)]
    return missing


def judge(holder, said):
    """What is wrong with the answers of one guest, and how many there were."""
    wrong, seen, made = [], set(), 0
    for call, whom, result in said:
        if call == "seen":
            seen.add(int(whom))
        elif call == "domctl.createdomain" and result == 0:
            made = 1
        if call in ("seen", "end") or call.startswith("drop."):
            if call == "drop.control" and result != 0 or call == "drop.rest" and result != 0:
                wrong.append(f"{call}: {result}")
            continue
        over = whom if whom != "victim" or "victim" in " ".join(holder.words) else "other"
        wanted = holder.answer(call, over)
        if result != wanted:
            wrong.append(f"{call} over {whom}: {result}, not {wanted}")
    if seen and seen - {max(seen)} - holder.sees() or (seen and not holder.sees() <= seen):
        wrong.append(f"the list shows {sorted(seen)}, not {sorted(holder.sees())}")
    if ("build" in holder.rights) != bool(made):
        wrong.append("it made no domain" if not made else "it made a domain")
    return wrong


def main():
    """One boot; TAP."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", default="bulkhead")
    parser.add_argument("--gic", type=int, default=3, choices=(2, 3))
    parser.add_argument("--stays", action="store_true")
    parser.add_argument("--timeout", type=int, default=200)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    guests, holders = domains(options.gic)
    left = {str(holder.number) for holder in holders}

    def watch(line):
        if match := re.search(r"try (\d+) end end 0", line):
            left.discard(match[1])
        return not left
    with tempfile.TemporaryDirectory(prefix="bulkhead-rights-") as directory:
        counted = os.path.join(directory, "counted")
        plugin = stays_plugin(hypervisor_path(options.on), counted) if options.stays else None
        transcript = boot(options.on, guests, Board(options.gic, 2, 1024, icount=options.stays),
                          options.timeout, quiet=not options.verbose, watch=watch, plugin=plugin)
        stays = [longest_stay(counted) + ([],)] if options.stays else []
    said = {str(holder.number): [] for holder in holders}
    for line in transcript.raw:
        if match := re.search(r"try (\d+) ([\w.]+) (\w+) (-?\d+)$", line):
            said[match[1]].append((match[2], match[3], int(match[4])))
    bad, full = 0, max((len(lines) for lines in said.values()), default=0)
    results = []
    for holder in holders:
        lines = said[str(holder.number)]
        wrong = judge(holder, lines)
        if str(holder.number) in left:
            wrong.append(f"it did not come to its end ({transcript.ended})")
        allowed = sum(1 for call, _, result in lines if call in CALLS and result >= 0)
        results.append((not wrong, f"{holder.name}: of {len(lines)} answers {allowed} are yes, the "
                        "right ones", wrong))
    tried = {call for lines in said.values() for call, _, _ in lines}
    results.append((full > 100 and set(CALLS) <= tried, "every call was tried",
                    sorted(set(CALLS) - tried)))
    results.append((not unknown_calls(), "every operation of the headers is among them",
                    unknown_calls()))
    refused = [line for line in transcript.raw if "is refused" in line]
    results.append((len(refused) > 10, "refusals are in the log", refused[:5]))
    results += stays
    print(f"1..{len(results)}")
    for number, (good, text, why) in enumerate(results, 1):
        bad += not good
        print(f"{'ok' if good else 'not ok'} {number} - rights: {text}")
        for line in why[:40] if not good else []:
            print(f"#   {line}")
    print(f"# {transcript.seconds:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
