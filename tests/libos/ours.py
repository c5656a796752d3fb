"""A Bulkhead board with a stock Linux as store and back end, and unikernels beside it."""
import os
import re
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests/lib"), os.path.join(ROOT, "tools/app")]

# pylint: disable=wrong-import-position
from child import dies_with_parent
import toolchain

SECONDS = 400  # of wall time, on a loaded machine; 25 on an idle one


def back_end(name, script, modules, words=""):
    """The domain file's text of a Linux with the store and the board's first virtio device."""
    ramdisk = toolchain.run([
        sys.executable, os.path.join(ROOT, "tools/initramfs.py"), "--kernel", "arm64",
        "--file", f"{script}=/tests/{os.path.basename(script)}", "--program",
        "xen-utils-4.17:xenstored"] + [w for p in ("write", "read", "chmod", "ls", "watch")
                                       for w in ("--program", f"xenstore-utils:xenstore-{p}")]
        + [w for m in ("virtio_mmio", "xen-evtchn", "xen-gntdev", "xen-privcmd", "xenfs") + modules
           for w in ("--module", m)]).strip().split("\n")[-1]
    kernel = toolchain.debian("kernel", "arm64", "--print", "image")
    return (f'name = "{name}"\nmemory = 192\nkernel = "{kernel}"\nramdisk = "{ramdisk}"\n'
            f'extra = "console=ttyAMA0 quiet bulkhead.name={name} '
            f'bulkhead.run={os.path.basename(script)} {words}"\n'
            'vuart = "sbsa_uart"\nrights = [ "store" ]\nxen_enhanced = "enabled"\n'
            'direct_map = 1\nassign = [ "/virtio_mmio@a000000" ]\n')


def unikernel(name, memory_mib, words=""):
    """The domain file's text of an image."""
    return (f'name = "{name}"\nmemory = {memory_mib}\n'
            f'kernel = "{ROOT}/build/arm64/apps/{name}/{name}"\nextra = "{words}"\n'
            'xen_enhanced = "enabled"\n')


class Machine:
    """QEMU with Bulkhead and domain files (texts, or paths); its console as text."""

    def __init__(self, domains, options, seconds=SECONDS, tool=()):
        self.text = ""
        self.changed = threading.Condition()
        self.folder = tempfile.TemporaryDirectory(prefix="bulkhead-test-")
        files = []
        for number, domain in enumerate(domains):
            files.append(domain)
            if "\n" in domain:
                files[-1] = os.path.join(self.folder.name, f"{number}.cfg")
                with open(files[-1], "w", encoding="utf-8") as file:
                    file.write(domain)
        self.process = subprocess.Popen(
            ["build/host/bulkhead", "run", "--quiet"] + list(tool) + files + ["--"] + options, cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=dies_with_parent)
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        self.limit = threading.Timer(seconds, os.killpg, (self.process.pid, 9))
        self.limit.daemon = True
        self.limit.start()

    def _read(self, process):
        while chunk := os.read(process.stdout.fileno(), 65536):
            if os.environ.get("LIBOS_CONSOLE"):
                sys.stderr.write(chunk.decode("utf-8", "replace"))
            with self.changed:
                self.text += chunk.decode("utf-8", "replace").replace("\r", "")
                self.changed.notify_all()
        with self.changed:
            self.process = None
            self.changed.notify_all()

    def expect(self, pattern, seconds=None):
        """Wait until the console shows it; None if the board ends first."""
        with self.changed:
            self.changed.wait_for(lambda: not self.process or re.search(pattern, self.text),
                                  seconds)
            return re.search(pattern, self.text)

    def stop(self):
        """End the board at once, wherever it is: host tool and QEMU are a process group."""
        process = self.process
        if process:
            os.killpg(process.pid, 9)
            process.wait()
        self.limit.cancel()
        self.folder.cleanup()
