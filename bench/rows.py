"""The promises: every row of docs/numbers-to-beat.md, and rows added since."""
import collections

# key, text, figure quoted for stock Xen (None: none), budget (None: no promise), unit, set-up
Row = collections.namedtuple("Row", "key text quoted budget unit setup")


def _rows(setup, unit, *rows):
    return [Row(key, text, quoted, budget, unit, setup) for key, text, quoted, budget in rows]


ROWS = _rows(
    "guest", "insns",
    ("null-hypercall", "null hypercall (xen_version)", 425, 120),
    ("unknown-hypercall", "unknown hypercall number", 376, 110),
    ("psci-version", "PSCI_VERSION", 479, 120),
    ("unknown-smccc", "unknown SMCCC function", 1648, 130),
    ("workaround-1", "SMCCC_ARCH_WORKAROUND_1", None, 60),
    ("id-register", "trapped ID register read", 436, 150),
    ("gicd-typer", "GICD_TYPER read", 605, 250),
    ("gicr-typer", "GICR_TYPER read", 606, 250),
    ("mask-unmask-ppi", "mask + unmask one PPI", 1705, 600),
    ("uart-flag", "vPL011 flag register read", 629, 250),
    ("console-char", "console output, per character", 1454, 400),
    ("sgi-self", "SGI to self, taken and completed", 1156, 400),
    ("sgi-16-pending", "16 SGIs pending at once, all taken", 31114, 8000),
    ("sgi-ping-pong", "SGI ping-pong, 2 vCPUs, round trip", 3479, 1200),
    ("timer-now", "virtual timer set to now, until handler", 1104, 400),
    ("wfi-1ms", "WFI for 1 ms: lateness", 4352, 1500),
    ("wfi-20us", "WFI for 20 us: lateness", 37322, 1500),
    ("event-send-masked", "event send, masked", 874, 180),
    ("event-self", "event to self, upcall completed", 1549, 550),
    ("event-ping-pong", "event ping-pong, 2 vCPUs, round trip", 4252, 1400),
    ("event-alloc-bind-close", "event alloc + bind + 2 closes", 4765, 1500),
    ("sched-yield", "SCHEDOP_yield", 2172, 500),
    ("physmap-add-remove", "add + remove a frame (physmap)", 3678, 1400),
    ("decrease-populate", "decrease + populate, one page", 5747, 2000),
    ("grant-map-unmap", "grant map + unmap, one", 5151, 1500),
    ("grant-map-unmap-32", "grant map + unmap, each of 32", 4312, 800),
    ("grant-copy-64", "grant copy, 64 B", 3023, 700),
    ("grant-copy-4096", "grant copy, 4 KiB", 3658, 1300),
    ("grant-copy-unaligned", "grant copy, 4,095 B not aligned, each of 64", 2425, 1700),
    ("psci-cpu-on", "PSCI CPU_ON until the first instruction", 6541, 2500),
) + _rows(
    "switch", "insns",
    ("vcpu-switch", "switch between 2 vCPUs on one CPU", None, 900),
) + _rows(
    "far", "insns",
    # Measured here on stock Xen first; the budget is a third of that (issue 3).
    ("event-far-same-cpu", "event to a domain and back, same CPU", None, None),
    ("event-far-other-cpu", "event to a domain and back, other CPU", None, None),
) + _rows(
    "boot", "insns",
    ("boot-1", "entry to first guest instruction, 1 guest", 41100000, 3000000),
    ("boot-2", "the same, 2 guests", None, None),
    ("boot-4", "the same, 4 guests", None, None),
    ("boot-8", "the same, 8 guests", 139000000, 6000000),
) + _rows(
    "crowd", "insns",
    ("boot-32", "the same, 32 guests of 32 MiB", None, None),
    ("boot-100", "the same, 100 guests of 32 MiB", None, None),
) + _rows(
    "density", "guests",
    ("density-silent", "of 1,000 guests on 4 GiB: silent", None, 0),
) + _rows(
    "density", "KiB",
    # 64 a domain, three stage-2 tables of 4, and a thousandth of the hypervisor's own 20,000.
    ("density-overhead", "all memory beside guests' own, over 1,000", None, 96),
) + _rows(
    "linux", "insns",
    ("linux-el2", "EL2 while one Debian guest boots to init", 21300000, 5000000),
    ("linux-el2-quiet", "the same, booted `quiet`", 2600000, 800000),
) + _rows(
    "image", "bytes",
    ("image-bytes", "image in memory (text + data + bss)", 1269960, 300000),
) + _rows(
    "memory", "KiB",
    ("own-memory", "hypervisor's own memory, 4 GiB machine", 66660, 20000),
    ("domain-overhead", "overhead per small domain, without stage 2", 2164, 64),
) + _rows(
    "lines", "lines",
    ("el2-lines", "lines of C and assembly at EL2, arm64", 201072, 15000),
)

# Rows whose guest key counts several operations at once.
PARTS = {"grant-map-unmap-32": 32, "grant-copy-unaligned": 64}
# Instructions per tick of the 62.5 MHz counter under -icount shift=0.
INSNS_PER_TICK = 16
# Figures that need a minute or more; `--quick` leaves them out.
SLOW_SETUPS = ("linux", "crowd", "density")
