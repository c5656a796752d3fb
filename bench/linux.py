"""A Debian kernel with an init of three system calls, to count what EL2 does while it boots."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(TOP, "tests/guest"))
import board as guests  # noqa: E402  (tests/guest/board.py)

MARK = "bulkhead-bench: init runs"
OUT = os.path.join(TOP, "build/bench")


def archive():
    """An initramfs of the newc format (Linux, Documentation/driver-api/early-userspace)."""
    os.makedirs(OUT, exist_ok=True)
    binary, path = os.path.join(OUT, "init"), os.path.join(OUT, "initramfs")
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", "-o", binary,
                    os.path.join(HERE, "guest/init.S")], check=True)
    with open(binary, "rb") as image:
        init = image.read()
    data = b""
    for index, (name, mode, device, body) in enumerate((
            ("dev", 0o040755, (0, 0), b""), ("dev/console", 0o020600, (5, 1), b""),
            ("init", 0o100755, (0, 0), init), ("TRAILER!!!", 0, (0, 0), b""))):
        fields = (index + 1, mode, 0, 0, 1, 0, len(body), 0, 0, *device, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        data += head + b"\0" * (-len(head) % 4) + body + b"\0" * (-len(body) % 4)
    with open(path, "wb") as out:
        out.write(data)
    return path


def domain(words):
    """One guest of 256 MiB and one vCPU with its console on the virtual PL011."""
    out = subprocess.run([sys.executable, os.path.join(TOP, "tools/debian.py"), "kernel", "arm64",
                          "--print", "image"], check=True, stdout=subprocess.PIPE)
    return guests.Domain("linux", image=out.stdout.decode().strip(), memory=256,
                         bootargs="console=ttyAMA0 panic=1" + words, ramdisk=archive())
