#!/usr/bin/env python3
"""One application source, three stages: a Linux process, a Linux process over our own TCP/IP,
a sealed unikernel.

  app.py configure -t linux|tap|xen NAME    choose the stage for `build` and `run`
  app.py build [-t STAGE] NAME              build it
  app.py run [-t STAGE] NAME [-- BOOTARGS]  run it: as a process, or on stock Xen in QEMU
  app.py report [--symbols] [--why SYMBOL] NAME   what went into the unikernel, and why
  app.py decode NAME [LOG]                  put names to the addresses of a crash report

Manual: man -l tools/app/bulkhead-app.1
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import board
import build
import report
import toolchain
from manifest import Manifest, Mistake


def manifest_of(name):
    """The manifest of apps/NAME, or of a path to an app.conf."""
    if name.endswith("app.conf"):
        return Manifest(name)
    return Manifest(os.path.join(toolchain.ROOT, "apps", build.valid_name(name), "app.conf"))


def stage_file(name):
    """Where `configure` keeps its choice."""
    return os.path.join(toolchain.BUILD, "apps", build.valid_name(name) + ".stage")


def stage_of(given):
    """The stage on the command line, else the configured one, else xen."""
    if given.stage:
        return given.stage
    try:
        with open(stage_file(given.name), encoding="utf-8") as file:
            return file.read().strip()
    except (FileNotFoundError, Mistake):
        return "xen"


def configure(given):
    """Remember the stage."""
    manifest_of(given.name)
    os.makedirs(os.path.dirname(stage_file(given.name)), exist_ok=True)
    with open(stage_file(given.name), "w", encoding="utf-8") as file:
        file.write(given.stage + "\n")
    print(f"{given.name}: stage {given.stage}; now `bulkhead app build {given.name}`")


def build_command(given):
    """Build for one stage."""
    manifest = manifest_of(given.name)
    stage = stage_of(given)
    if stage == "xen":
        build.build_xen(manifest)
        report.print_summary(manifest)
    else:
        import host  # pylint: disable=import-outside-toplevel
        print(host.build(manifest, stage, given.sanitize))


def run_command(given):
    """Build, then run in this terminal."""
    manifest = manifest_of(given.name)
    stage = stage_of(given)
    words = [word for word in given.arguments if word != "--"]
    if stage != "xen":
        import host  # pylint: disable=import-outside-toplevel
        program = host.build(manifest, stage, given.sanitize)
        root = os.path.join(os.path.dirname(program), "root")
        # The program finds its files where they are in the image, seen from this folder.
        words = [root + word if word.startswith("/") and os.path.exists(root + word) else word
                 for word in words or manifest.arguments]
        os.environ["APP_FILES"] = root
        os.chdir(root)
        os.execv(program, [program] + words)
    build.build_xen(manifest)
    report.print_summary(manifest)
    image = os.path.join(build.directory_of(manifest, "xen"), manifest.name)
    if manifest.net != "none" or manifest.disk != "none":
        import dom0  # pylint: disable=import-outside-toplevel
        dom0.run(manifest, image, words)
        return
    os.environ["MEMORY_KIB"] = str(max(manifest.memory, 5 << 20) >> 10)
    os.environ.setdefault("SECONDS_MAX", "0")
    os.execv(sys.executable, [sys.executable, board.__file__, image] + given.arguments)


def report_command(given):
    """Explain the image."""
    report.print_report(manifest_of(given.name), given.symbols, given.why)


def decode_command(given):
    """Symbolise a crash report."""
    report.decode(manifest_of(given.name), given.log)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="bulkhead app", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("configure", help="choose the stage")
    one.add_argument("-t", "--stage", required=True, choices=("linux", "tap", "xen"))
    one.set_defaults(run=configure)
    one.add_argument("name", metavar="NAME")
    one = commands.add_parser("build", help="build")
    one.add_argument("-t", "--stage", choices=("linux", "tap", "xen"))
    one.add_argument("--sanitize", action="store_true",
                     help="stages linux and tap: with address and undefined-behaviour sanitizers")
    one.set_defaults(run=build_command)
    one.add_argument("name", metavar="NAME")
    one = commands.add_parser("run", help="build and run in this terminal")
    one.add_argument("-t", "--stage", choices=("linux", "tap", "xen"))
    one.add_argument("--sanitize", action="store_true",
                     help="stages linux and tap: with address and undefined-behaviour sanitizers")
    one.set_defaults(run=run_command)
    one.add_argument("name", metavar="NAME")
    one.add_argument("arguments", nargs="*", metavar="BOOTARGS")
    one = commands.add_parser("report", help="what went into the unikernel, and why")
    one.add_argument("--symbols", action="store_true", help="every symbol with its size")
    one.add_argument("--why", metavar="SYMBOL", help="the chain of references to SYMBOL")
    one.set_defaults(run=report_command)
    one.add_argument("name", metavar="NAME")
    one = commands.add_parser("decode", help="put names to a crash report")
    one.set_defaults(run=decode_command)
    one.add_argument("name", metavar="NAME")
    one.add_argument("log", nargs="?", help="file with the console's text (default: stdin)")
    return parser.parse_args()


def main():
    """Run one command; 0, or 1 with one sentence on stderr."""
    given = arguments()
    try:
        given.run(given)
    except Mistake as mistake:
        print(f"app: error: {mistake}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
