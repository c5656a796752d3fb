"""Libraries and projects an application may ask for: Debian's, never copied into the tree."""
import os

import toolchain
from manifest import Mistake

MBEDTLS_BUILD = "build/arm64/libos/mbedtls.a"


def debian_archive(package, *names):
    """Debian's prebuilt archives of a development package, and its headers."""
    where = toolchain.debian("fetch", package)
    folder = os.path.join(where, "usr/lib/aarch64-linux-gnu")
    return (["-isystem", os.path.join(where, "usr/include")],
            [os.path.join(folder, f"lib{name}.a") for name in names])


def mbedtls():
    """mbedTLS from Debian's source, with a configuration that leaves out what no server needs."""
    toolchain.make(MBEDTLS_BUILD)
    return (["-isystem", os.path.join(toolchain.LIBOS, "mbedtls-src/include"),
             f"-I{toolchain.ROOT}/libos/mbedtls",
             '-DMBEDTLS_CONFIG_FILE="mbedtls_config.h"'],
            [os.path.join(toolchain.ROOT, MBEDTLS_BUILD)])


KNOWN = {
    "m": lambda: ([], []),  # musl's libc has it
    "sqlite3": lambda: debian_archive("libsqlite3-dev", "sqlite3"),
    "z": lambda: debian_archive("zlib1g-dev", "z"),
    "mbedtls": mbedtls,
}


def target_libraries(names):
    """(compiler flags, archives) for the unikernel."""
    flags, archives = [], []
    for name in names:
        if name not in KNOWN:
            raise Mistake(f"no library `{name}`; there are {', '.join(sorted(KNOWN))}")
        more_flags, more_archives = KNOWN[name]()
        flags += more_flags
        archives += more_archives
    return flags, archives


def build_project(manifest, where, stage="xen", sanitized=False):
    """Build an existing project with our compiler driver.

    The recipe is a shell script beside the manifest. It runs in `where`/project with CC, AR
    ... and BULKHEAD_HOST, for configure's --host, set, and leaves there `objects`, a file with one
    object or archive per line, relative. Returns objects and archives.
    """
    place = os.path.join(where, "project")
    recipe = os.path.join(manifest.directory, manifest.project)
    driver = os.path.join(toolchain.ROOT, "tools/app/cc")
    stamp = os.path.join(place, "objects")
    os.makedirs(place, exist_ok=True)
    command = ["sh", "-e", recipe]
    roots = [os.path.join(manifest.directory, name) for name, _ in manifest.file_roots()]
    sources = [os.path.join(folder, name) for folder, _, names in os.walk(manifest.directory) for name in names
               if name != os.path.basename(manifest.path) and not any(folder.startswith(r) for r in roots)]
    if toolchain.stale(stamp, sources, command):
        print(f"  PROJECT {manifest.name} (a few minutes at first)", flush=True)
        cross = toolchain.CROSS if stage == "xen" else ""
        environment = dict(os.environ, CC=driver, AR=cross + "ar", RANLIB=cross + "ranlib",
                           STRIP="true", BULKHEAD_ROOT=toolchain.ROOT, BULKHEAD_STAGE=stage,
                           BULKHEAD_SANITIZE="yes" if sanitized else "", PYTHON="/usr/bin/python3",
                           ASAN_OPTIONS="detect_leaks=0", # of the programs that configure tries
                           BULKHEAD_HOST="aarch64-linux-musl" if stage == "xen" else
                           toolchain.run(["gcc", "-dumpmachine"]).strip())
        toolchain.run(command, cwd=place, env=environment)
        toolchain.remember(stamp, command)
    with open(stamp, encoding="utf-8") as file:
        names = [os.path.join(place, line.strip()) for line in file if line.strip()]
    objects = [name for name in names if not name.endswith(".a")]
    return objects, [name for name in names if name.endswith(".a")]
