"""Where compilers, Debian's archives and our own come from; running commands."""
import hashlib
import json
import os
import subprocess
import sys

from manifest import Mistake

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
LIBOS = os.path.join(BUILD, "arm64", "libos")
MUSL = os.path.join(LIBOS, "musl")
CROSS = "aarch64-linux-gnu-"


def run(command, cwd=None, env=None):
    """Run a command; its stdout, or a Mistake with what it said."""
    try:
        result = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    except FileNotFoundError as error:
        raise Mistake(f"{command[0]} is not installed; run `make setup`") from error
    errors = result.stderr.decode("utf-8", "replace")
    if result.returncode:
        raise Mistake(f"`{' '.join(command[:4])} ...` failed:\n{errors.strip()}")
    if errors.strip():
        print(errors.strip(), file=sys.stderr)
    return result.stdout.decode("utf-8", "replace")


def make(*targets):
    """Bring targets of the project's own makefile up to date."""
    run(["make", "--no-print-directory", "-s", "-C", ROOT] + list(targets))


def remembered(key, make_path):
    """The path `make_path` gave for `key` last time, if it still exists; else its answer now.

    Asking tools/debian.py reads package lists under a lock that builds share; the answer
    changes only when Debian does, so `make clean` is often enough to ask again.
    """
    store = os.path.join(BUILD, "apps", "paths.json")
    known = {}
    if os.path.exists(store):
        with open(store, encoding="utf-8") as file:
            known = json.load(file)
    if not os.path.exists(known.get(key, "")):
        known[key] = make_path()
        os.makedirs(os.path.dirname(store), exist_ok=True)
        with open(store + f".{os.getpid()}", "w", encoding="utf-8") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        os.rename(store + f".{os.getpid()}", store)
    return known[key]


def debian(*arguments):
    """The path that tools/debian.py prints first."""
    return remembered(" ".join(arguments), lambda: run(
        [sys.executable, os.path.join(ROOT, "tools", "debian.py")] + list(arguments)
    ).strip().split("\n")[0])


def musl_include():
    """musl's headers."""
    return os.path.join(MUSL, "usr/include/aarch64-linux-musl")


def musl_library(name):
    """One of musl's archives or start files."""
    return os.path.join(MUSL, "usr/lib/aarch64-linux-musl", name)


def gcc_file(name):
    """A file that belongs to the cross compiler, such as libgcc.a."""
    return run([CROSS + "gcc", f"-print-file-name={name}"]).strip()


def target_cflags():
    """Flags that make the cross compiler see musl's headers and produce what an image needs."""
    return ["-nostdinc", "-isystem", musl_include(), "-isystem", gcc_file("include"), "-fPIE",
            "-ffunction-sections", "-fdata-sections", "-fno-omit-frame-pointer", "-momit-leaf-frame-pointer",
            "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables",
            "-fno-ident", "-U_FORTIFY_SOURCE", "-DBULKHEAD_LIBOS=1", "-mno-outline-atomics",
            f"-ffile-prefix-map={ROOT}=."]


def stale(output, inputs, command):
    """True unless `output` is newer than all inputs and was made by this same command."""
    stamp = output + ".cmd"
    text = json.dumps(command)
    if not os.path.exists(output) or not os.path.exists(stamp):
        return True
    with open(stamp, encoding="utf-8") as file:
        if file.read() != text:
            return True
    newest = os.path.getmtime(output)
    return any(not os.path.exists(path) or os.path.getmtime(path) > newest for path in inputs)


def remember(output, command):
    """Note the command that made `output`."""
    with open(output + ".cmd", "w", encoding="utf-8") as file:
        file.write(json.dumps(command))


def depends(path):
    """Inputs named in a compiler's dependency file."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    return [os.path.join(ROOT, word) for word in text.partition(":")[2].split()]


def compile_c(source, output, command, progress=True):
    """Compile one file if it is out of date. `command` lacks only -c, source and -o."""
    full = command + ["-MD", "-MF", output + ".dep", "-c", source, "-o", output]
    if stale(output, [source] + depends(output + ".dep"), full):
        os.makedirs(os.path.dirname(output), exist_ok=True)
        if progress:
            print(f"  CC      {os.path.relpath(source, ROOT)}", file=sys.stderr, flush=True)
        run(full, cwd=ROOT)
        remember(output, full)
    return output


def file_digest(path):
    """SHA-256 of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
