"""Free memory as the hypervisor itself counts it, asked on its console."""
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/guest"))
import board as guests  # noqa: E402  (tests/guest/board.py)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
from child import dies_with_parent  # noqa: E402  (tests/lib/child.py)

MACHINE_KIB = 4096 * 1024
GUEST_KIB = 128 * 1024

def read_until(process, pattern, seconds):
    """Console output up to a match of `pattern`, or None."""
    os.set_blocking(process.stdout.fileno(), False)
    text, end = "", time.monotonic() + seconds
    while time.monotonic() < end:
        text += (process.stdout.read(65536) or b"").decode("latin-1")
        if re.search(pattern, text):
            return text
        time.sleep(0.1)
    return None


def ask_xen(process):
    """Xen's key handler 'm', once its console has the input."""
    for _ in range(8):
        process.stdin.write(b"\x01\x01\x01")
        process.stdin.flush()
        text = read_until(process, r"Serial input to (\w+)", 20)
        if text and "Serial input to Xen" in text:
            break
    process.stdin.write(b"m")
    process.stdin.flush()
    text = read_until(process, r"Dom heap: \d+kB free", 20)
    return (int(re.search(r"Dom heap: (\d+)kB free", text)[1]), 0) if text else None


def ask_bulkhead(process):
    """Bulkhead's console command `memory`; Ctrl-T goes round all consoles, the hypervisor's last."""
    for _ in range(100):
        process.stdin.write(b"\x14")
        process.stdin.flush()
        text = read_until(process, r"--- (\S+|the hypervisor).* has keyboard", 20)
        if not text or "the hypervisor" in text:
            break
    process.stdin.write(b"memory\r")
    process.stdin.flush()
    pattern = r"(?s)KiB of memory; (\d+) free.* NAME\s+\d+ +\d+ +\d+ +(\d+) +\d+ "
    text = read_until(process, pattern, 20)
    return tuple(map(int, re.search(pattern, text).groups())) if text else None


def free_kib(on, count):
    """Free KiB of a 4 GiB machine with `count` domains of 128 MiB that have finished, and what the
    stage-2 tables of one of them take (0 on Xen, which does not say)."""
    board = guests.Board(cpus=1, memory=4096, icount=False)
    with tempfile.TemporaryDirectory(prefix="bulkhead-heap-") as directory:
        domains = [guests.Domain("idle", memory=128) for _ in range(count)]
        process = subprocess.Popen(guests.command(on, board, domains, directory),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL,
                                   preexec_fn=dies_with_parent)
        try:
            if not read_until(process, r"(?s)(idle: waiting.*?){%d}" % count, 60):
                return None
            return (ask_xen if on == "xen" else ask_bulkhead)(process)
        finally:
            process.terminate()
            process.wait()
