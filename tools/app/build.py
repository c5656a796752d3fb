"""Build an application for one of its three stages."""
import json
import os
import re
import sys

import archive
import image
import libraries
import scan
import toolchain
from manifest import Mistake
from toolchain import CROSS, LIBOS, ROOT

SYSCALL_LIST = os.path.join(ROOT, "libos/core/syscalls.list")
NET_CALL = 198   # socket
OPEN_CALL = 56   # openat
RESOLVER = "__get_resolv_conf"  # musl's reader of RESOLVER_FILE
RESOLVER_FILE = "/etc/resolv.conf"


def say(text):
    """One line of progress."""
    print(f"app: {text}", file=sys.stderr, flush=True)


def directory_of(manifest, target):
    """Where everything made for this stage lies."""
    where = {"xen": "arm64/apps", "tap": "host/apps-tap", "linux": "host/apps-linux"}[target]
    return os.path.join(toolchain.BUILD, where, manifest.name)


def c_string(text):
    """A C string literal."""
    return '"' + "".join(c if c.isalnum() or c in " _-./:,=+@%*()[]{}<>!#&;|~^'" else
                         "".join(f"\\{b:03o}" for b in c.encode()) for c in text) + '"'


def network_pairs(net, ipv6):
    """Configuration values for the network stack; boot arguments may override them."""
    pairs = {"ip": net.split(",")[0], "gateway": "", "dns": ""} | ({"ip6": ""} if ipv6 else {})
    for part in net.split(",")[1:]:
        key, _, value = part.partition("=")
        if key not in pairs:
            raise Mistake(f"net: unknown option {key}; there are {'=, '.join(list(pairs)[1:])}=")
        pairs[key] = value
    return pairs


def generate_config(manifest, calls, resolves=False):
    """The C file with everything that the manifest decides; `resolves`: show the resolver its file."""
    wants_net = manifest.net != "none"
    wants_disk = manifest.disk != "none" and OPEN_CALL in calls
    if NET_CALL in calls and not wants_net:
        say(f"note: {manifest.name} uses sockets but its manifest says net = none")
    wants_net = wants_net and NET_CALL in calls
    arguments = ", ".join(c_string(a) for a in [manifest.name] + manifest.arguments)
    pairs = network_pairs(manifest.net, manifest.ipv6) if wants_net else {}
    lines = ["/* Generated from the manifest by tools/app. */",
             '#include "libos/config.h"', '#include "libos/devices.h"', "",
             f"const char config_name[] = {c_string(manifest.name)};",
             f"const char *const config_arguments[] = {{{arguments}, NULL}};",
             f"const size_t config_stack_size = {manifest.stack};",
             f"const bool config_seal = {'true' if manifest.seal else 'false'};",
             "struct config_pair { const char *name; const char *value; };",
             "extern struct config_pair config_pairs[];",
             "struct config_pair config_pairs[] = {"]
    lines += [f"    {{{c_string(k)}, {c_string(v)}}}," for k, v in pairs.items()]
    lines += ["    {NULL, NULL},", "};", "", "void config_start_devices(void)", "{"]
    if OPEN_CALL in calls:
        lines.append("    files_start();")
    if wants_disk:
        lines.append(f"    disk_start({c_string(manifest.disk)});")
    if manifest.scratch != "none" and OPEN_CALL in calls:
        lines.append(f"    scratch_start({c_string(manifest.scratch)});")
    if wants_net and resolves:
        lines.append("    resolver_start();")
    if wants_net:
        lines.append("    net_start();")
    lines += ["}", ""]
    return "\n".join(lines)


def generate_syscalls(calls, known):
    """The C file with the dispatcher: one case per call that the program can make."""
    lines = ["/* Generated: the system calls this program can make. */",
             '#include "libos/syscall.h"', ""]
    handlers = sorted({known[n][1] for n in calls if n in known})
    lines += [f"long sys_{h}(struct syscall_frame *f);" for h in handlers]
    lines += ["", "long libos_syscall(long a0, long a1, long a2, long a3, long a4, long a5,",
              "                   long number, struct syscall_frame *f)", "{",
              "    switch (number) {"]
    for number in sorted(calls):
        if number in known:
            lines += [f"    case {number}: /* {known[number][0]} */",
                      f"        return sys_{known[number][1]}(f);"]
    lines += ["    default:", "        return syscall_missing(number);", "    }", "}", ""]
    return "\n".join(lines)


def write_if_changed(path, content):
    """Keep the time of a file whose content stays."""
    data = content if isinstance(content, bytes) else content.encode()
    if os.path.exists(path):
        with open(path, "rb") as file:
            if file.read() == data:
                return
    with open(path, "wb") as file:
        file.write(data)


def libos_cflags():
    """Flags for generated files, which belong to the library OS."""
    return [CROSS + "gcc", "-std=gnu11", "-Os", "-fPIE",
            "-mgeneral-regs-only", "-fno-omit-frame-pointer", "-ffunction-sections",
            "-fdata-sections", "-fno-stack-protector", "-fno-asynchronous-unwind-tables",
            "-fno-ident", "-nostdinc", "-isystem", toolchain.musl_include(), "-isystem",
            toolchain.gcc_file("include"), f"-I{ROOT}/libos", f"-I{ROOT}/libos/include",
            "-include", f"{ROOT}/libos/include/libos/prelude.h", f"-ffile-prefix-map={ROOT}=."]


def compile_sources(manifest, where, compiler, flags):
    """Objects of the application's own sources."""
    objects = []
    for source in manifest.sources:
        path = os.path.join(manifest.directory, source)
        output = os.path.join(where, "obj", source.replace("../", "_up_") + ".o")
        objects.append(toolchain.compile_c(path, output, [compiler] + flags))
    return objects


def link_linux_static(objects, libs, output):
    """First link: a plain static Linux program, unreachable code collected."""
    toolchain.run([CROSS + "gcc", "-nostdlib", "-static", "-Wl,--gc-sections",
                   "-Wl,--build-id=none", toolchain.musl_library("crt1.o"),
                   toolchain.musl_library("crti.o")] + objects
                  + ["-Wl,--start-group"] + libs
                  + [toolchain.musl_library("libc.a"), toolchain.gcc_file("libgcc.a"),
                     "-Wl,--end-group", toolchain.musl_library("crtn.o"), "-o", output])


def link_image(objects, libs, network, output, map_path):
    """Second link: the same program on top of the library OS, for any address."""
    toolchain.run([CROSS + "gcc", "-nostdlib", "-static-pie", "-Wl,--no-dynamic-linker",
                   "-Wl,--gc-sections", "-Wl,-z,norelro", "-Wl,-z,noexecstack",
                   "-Wl,--build-id=none", "-Wl,-Bsymbolic", "-Wl,--orphan-handling=error",
                   "-Wl,--no-warn-rwx-segments", f"-Wl,-Map={map_path}",
                   f"-Wl,-T,{ROOT}/libos/arch/arm64/image.lds",
                   os.path.join(LIBOS, "arch/arm64/start.S.o")] + objects
                  + ["-Wl,--start-group"] + libs
                  + [os.path.join(LIBOS, "libos.a"), network, toolchain.musl_library("libc.a"),
                     toolchain.gcc_file("libgcc.a"), "-Wl,--end-group", "-o", output])


def build_xen(manifest):
    """Build the unikernel; returns the report's data."""
    where = directory_of(manifest, "xen")
    os.makedirs(where, exist_ok=True)
    network = os.path.join(LIBOS, "net.a" if manifest.ipv6 else "net4.a")
    toolchain.make(*(f"build/arm64/libos/{a}.a" for a in ("libos", "net", "net4", "compat")))
    if manifest.project:
        objects, libs = libraries.build_project(manifest, where)
    else:
        include, libs = libraries.target_libraries(manifest.libraries)
        flags = ["-std=gnu11", "-g", "-Os"] + toolchain.target_cflags() + include
        objects = compile_sources(manifest, where, CROSS + "gcc", flags + manifest.cflags)
    roots = [(os.path.join(manifest.directory, name), at) for name, at in manifest.file_roots()]
    files = archive.collect(roots)
    libs = libs + [os.path.join(LIBOS, "compat.a")]
    known = scan.read_list(SYSCALL_LIST)
    names = {number: name for number, (name, _) in known.items()}
    first = os.path.join(where, "first.elf")
    link_linux_static(objects, libs, first)
    calls = scan.scan(first, names)
    resolves = RESOLVER_FILE not in files and any(name == RESOLVER for name, *_ in scan.Elf(first).symbols())
    generated = generate(manifest, where, calls, known, files, resolves)
    if resolves:
        generated.append(os.path.join(network[:-len(".a")], "names.o"))
    elf = os.path.join(where, manifest.name + ".elf")
    link_image(objects + generated, libs, network, elf, os.path.join(where, "link.map"))
    missed = set(scan.scan(elf, names)) - set(calls)
    if missed:
        raise Mistake(f"the final link makes system calls {sorted(missed)} that the first did "
                      "not; report this")
    sizes = image.make_image(elf, os.path.join(where, manifest.name))
    write_outputs(manifest, where)
    report = {"name": manifest.name, "sizes": sizes,
              "calls": {n: sorted(f) for n, f in sorted(calls.items())},
              "refused": sorted(n for n in calls if n not in known)}
    with open(os.path.join(where, "report.json"), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1, sort_keys=True)
    return report


def generate(manifest, where, calls, known, files, resolves):
    """Compile what is generated: dispatcher, configuration, archive."""
    made = []
    texts = {"syscalls": generate_syscalls(calls, known),
             "config": generate_config(manifest, calls, resolves)}
    for name, text in texts.items():
        path = os.path.join(where, f"{name}.c")
        write_if_changed(path, text)
        made.append(toolchain.compile_c(path, os.path.join(where, f"{name}.o"), libos_cflags(),
                                        progress=False))
    if OPEN_CALL in calls:
        packed = os.path.join(where, "files.archive")
        write_if_changed(packed, archive.pack(files))
        source = os.path.join(where, "archive.S")
        write_if_changed(source, '        .section .archive, "a"\n        .balign 16\n'
                         "        .global archive_start, archive_end\narchive_start:\n"
                         f'        .incbin "{os.path.relpath(packed, ROOT)}"\narchive_end:\n')
        output = os.path.join(where, "archive.o")
        command = [CROSS + "gcc", "-c", source, "-o", output]
        if toolchain.stale(output, [source, packed], command):
            toolchain.run(command, cwd=ROOT)
            toolchain.remember(output, command)
        made.append(output)
    return made


def write_outputs(manifest, where):
    """What a user needs to start the image: xl.cfg and a dom0less fragment."""
    mib = max(1, manifest.memory + (1 << 20) - 1 >> 20)
    lines = [f'name = "{manifest.name}"', f'kernel = "{manifest.name}"', f"memory = {mib}",
             "vcpus = 1", 'on_crash = "destroy"', 'on_poweroff = "destroy"', "acpi = 0"]
    if manifest.net != "none":
        lines.append('vif = [ "bridge=xenbr0" ]')
    if manifest.disk != "none":
        lines.append('disk = [ "format=raw,vdev=xvda,access=rw,target=disk.img" ]')
    write_if_changed(os.path.join(where, "xl.cfg"), "\n".join(lines) + "\n")
    node = f"""/* Under /chosen; put the image at ADDRESS (SIZE bytes) and say so in reg.
 * Binding: Xen, docs/misc/arm/device-tree/booting.txt, "Creating Multiple Domains". */
domain-{manifest.name} {{
    compatible = "xen,domain";
    #address-cells = <2>;
    #size-cells = <2>;
    cpus = <1>;
    memory = <0 {manifest.memory >> 10}>; /* KiB */
    vpl011;
    module@ADDRESS {{
        compatible = "multiboot,kernel", "multiboot,module";
        reg = <0 0xADDRESS 0 {os.path.getsize(os.path.join(where, manifest.name)):#x}>;
        bootargs = "";
    }};
}};
"""
    write_if_changed(os.path.join(where, "domain.dtsi"), node)


def valid_name(name):
    """Applications are found by name below apps/."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise Mistake(f"`{name}` is not the name of an application (a-z, 0-9, -)")
    return name
