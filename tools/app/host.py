"""Build the Linux stages: `linux` (the host's sockets) and `tap` (our TCP/IP over a TAP device)."""
import os
import shutil

import build as xen_build
import libraries
import toolchain
from manifest import Manifest, Mistake
from toolchain import LIBOS, ROOT

# Host packages' link flags for the libraries a manifest may name.
HOST_LIBRARIES = {"mbedtls": ["-lmbedtls", "-lmbedx509", "-lmbedcrypto"],
                  "sqlite3": ["-lsqlite3", "-lm"], "z": ["-lz"], "m": ["-lm"]}

TAP_SOURCES = ["core/config.c", "core/format.c", "core/poll.c", "core/poller.c",
               "core/sendfile.c", "net/resolver.c", "net/socket.c", "net/stack.c", "net/tcp.c",
               "net/timers.c", "net/udp.c", "tap/netdev.c", "tap/platform.c", "tap/posix.c",
               "tap/resolver.c"]

# The unikernel's resolver: musl's. What these need of musl's own headers is in libos/tap/musl.
MUSL_RESOLVER = ("dn_expand dn_skipname dns_parse freeaddrinfo getaddrinfo gethostbyname gethostbyname2 "
                 "gethostbyname2_r gethostbyname_r lookup_ipliteral lookup_name lookup_serv res_mkquery "
                 "res_msend resolvconf").split()

LWIP_SOURCES = (["core/" + n + ".c" for n in (
    "def inet_chksum init ip mem memp netif pbuf tcp tcp_in tcp_out udp ipv4/dhcp "
    "ipv4/etharp ipv4/icmp ipv4/ip4 ipv4/ip4_addr ipv4/ip4_frag ipv6/ethip6 ipv6/icmp6 "
    "ipv6/inet6 ipv6/ip6 ipv6/ip6_addr ipv6/ip6_frag ipv6/mld6 ipv6/nd6").split()]
    + ["netif/ethernet.c"])


def tap_objects(where, sanitize):
    """The library OS's network part, compiled for the host."""
    toolchain.make("build/arm64/libos/lwip-src")
    lwip = os.path.join(LIBOS, "lwip-src", "src")
    command = (["gcc", "-std=gnu11", "-g", "-O1", "-fno-omit-frame-pointer",
                "-U_FORTIFY_SOURCE", "-D_GNU_SOURCE", "-DLIBOS_TAP_STAGE", f"-I{ROOT}/libos", f"-I{ROOT}/libos/include",
                f"-I{ROOT}/libos/net/lwip", "-isystem", os.path.join(lwip, "include")] + sanitize)
    objects = []
    for name in TAP_SOURCES:
        objects.append(toolchain.compile_c(os.path.join(ROOT, "libos", name),
                                           os.path.join(where, name + ".o"), command, False))
    for name in LWIP_SOURCES:
        objects.append(toolchain.compile_c(os.path.join(lwip, name),
                                           os.path.join(where, "lwip", name + ".o"),
                                           command + ["-w"] + ["-DLWIP_DNS=1"] * name.endswith("dhcp.c"), False))
    toolchain.make("build/arm64/libos/musl-src")
    for name in MUSL_RESOLVER:
        objects.append(toolchain.compile_c(
            os.path.join(LIBOS, "musl-src/src/network", name + ".c"), os.path.join(where, "musl", name + ".o"),
            command[:1] + [f"-I{ROOT}/libos/tap/musl", "-include", f"{ROOT}/libos/tap/musl/prelude.h"]
            + command[1:] + ["-w"], False))
    return objects


SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def tap_link(sanitized, config=None):
    """What turns a Linux program into one on our TCP/IP: objects, and a network configuration.

    For a project that is built elsewhere the configuration is net = dhcp; $LIBOS_NET overrides it.
    """
    shared = os.path.join(toolchain.BUILD, "host", "libos-tap" + ("-san" if sanitized else ""))
    sanitize = SANITIZE if sanitized else []
    archive = os.path.join(shared, "libtap.a")
    objects = tap_objects(shared, sanitize)
    if toolchain.stale(archive, objects, ["ar"] + objects):
        toolchain.run(["rm", "-f", archive])
        toolchain.run(["ar", "rcsD", archive] + objects)
        toolchain.remember(archive, ["ar"] + objects)
    if config is None:
        config = os.path.join(shared, "config.c")
        xen_build.write_if_changed(config, xen_build.generate_config(
            Manifest.of_values(name="program", net="dhcp"), {xen_build.NET_CALL: set()}))
    made = toolchain.compile_c(config, config + ".o",
                               ["gcc", "-g", f"-I{ROOT}/libos/include"] + sanitize, False)
    # All of it: a sanitizer's library has functions of the same names, and would be asked first.
    return [made, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive", "-lpthread"]


def stage_files(manifest, where):
    """The image's files as a folder of the host: the program's root in the stages linux and tap."""
    root = os.path.join(where, "root")
    shutil.rmtree(root, ignore_errors=True)
    os.makedirs(root)
    for folder, at in manifest.file_roots():
        shutil.copytree(os.path.join(manifest.directory, folder), os.path.join(root, at.lstrip("/")),
                        dirs_exist_ok=True)
    return root


def build(manifest, stage, sanitized):
    """Build for the host; returns the program's path."""
    if stage == "tap" and manifest.net == "none":
        raise Mistake(f"{manifest.path}: net = none, so there is nothing to put on a TAP device; "
                      "use -t linux, or say net = dhcp")
    where = xen_build.directory_of(manifest, stage) + ("-san" if sanitized else "")
    sanitize = SANITIZE if sanitized else []
    os.makedirs(where, exist_ok=True)
    stage_files(manifest, where)
    more = []
    if stage == "tap":
        config = os.path.join(where, "config.c")
        xen_build.write_if_changed(config, xen_build.generate_config(
            manifest, {xen_build.NET_CALL: set()}))
        more = tap_link(sanitized, config)
    if manifest.project:
        objects = sum(libraries.build_project(manifest, where, stage, sanitized), [])
    else:
        flags = ["-std=gnu11", "-g", "-O1", "-fno-omit-frame-pointer", "-U_FORTIFY_SOURCE"] + sanitize
        objects = xen_build.compile_sources(manifest, where, "gcc", flags + manifest.cflags)
    output = os.path.join(where, manifest.name)
    libs = [flag for name in manifest.libraries for flag in HOST_LIBRARIES[name]]
    command = (["gcc"] + sanitize + objects + more + libs
               + ["-lpthread", "-Wl,--as-needed", "-lcrypt", "-ldl", "-lm", "-o", output])
    if toolchain.stale(output, objects + [m for m in more if m[0] == "/"], command):
        toolchain.run(command)
        toolchain.remember(output, command)
    return output
