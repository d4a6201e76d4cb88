"""Build wishpy's extension modules. Everything else is in pyproject.toml.

Switches, from the environment:
  WISHPY_DEBUG=1       -O0 -g3, assertions on
  WISHPY_SANITIZE=...  -fsanitize=..., for example address,undefined
  WISHPY_COVERAGE=1    gcov's counters
  WISHPY_WERROR=1      warnings are errors (the checks build so)
"""

import os
import shlex
import subprocess
import sys
from glob import glob

from setuptools import Extension, setup

NEEDED = """
wishpy needs {what} to be built. Install them with one of
  apt install   build-essential pkg-config python3-dev {apt}
  dnf install   gcc pkgconf-pkg-config python3-devel {dnf}
  brew install  pkg-config {brew}
  pacman -S     base-devel pkgconf python {pacman}
"""

WIRESHARK = dict(
    what="the headers of libwireshark, libwiretap and GLib",
    apt="libwireshark-dev libwiretap-dev libwsutil-dev libglib2.0-dev",
    dnf="wireshark-devel glib2-devel",
    brew="wireshark glib",
    pacman="wireshark-cli glib2",
)
PCAP = dict(
    what="the headers of libpcap",
    apt="libpcap-dev",
    dnf="libpcap-devel",
    brew="libpcap",
    pacman="libpcap",
)


def pkg_config(modules, needed):
    """The compiler's and the linker's words for these modules, or the end of the build with a readable message."""
    flags = []
    for option in ("--cflags", "--libs"):
        try:
            text = subprocess.run(
                ["pkg-config", option, *modules], check=True, capture_output=True, text=True
            ).stdout
        except FileNotFoundError:
            sys.exit(NEEDED.format(**{**needed, "what": "pkg-config and " + needed["what"]}))
        except subprocess.CalledProcessError as error:
            sys.exit(error.stderr + NEEDED.format(**needed))
        flags.append(shlex.split(text))
    return flags


def switches():
    compile_args = ["-std=c11", "-Wall", "-Wextra", "-fvisibility=hidden"]
    link_args = []
    env = os.environ.get
    if env("WISHPY_WERROR"):
        compile_args.append("-Werror")
    if env("WISHPY_DEBUG"):
        compile_args += ["-O0", "-g3", "-UNDEBUG"]
    if env("WISHPY_SANITIZE"):
        both = ["-fsanitize=" + env("WISHPY_SANITIZE"), "-fno-omit-frame-pointer", "-g", "-UNDEBUG"]
        compile_args += [*both, "-O1"]
        link_args += both
    if env("WISHPY_COVERAGE"):
        compile_args += ["--coverage", "-O0"]
        link_args.append("--coverage")
    return compile_args, link_args


def extension(name, sources, modules, libraries, needed):
    cflags, libs = pkg_config(modules, needed)
    compile_args, link_args = switches()
    return Extension(
        name,
        sources=sorted(sources),
        depends=glob("csrc/*/*.h"),
        define_macros=[("_GNU_SOURCE", "1")],
        extra_compile_args=[*cflags, *compile_args],
        extra_link_args=[*libs, *("-l" + library for library in libraries), *link_args],
    )


PCAP_ENGINE = ["csrc/engine/pcap_handle.c", "csrc/engine/source_live.c"]

setup(
    ext_modules=[
        extension(
            "wishpy._epan",
            {*glob("csrc/epan/*.c"), *glob("csrc/common/*.c"), *glob("csrc/engine/*.c")} - set(PCAP_ENGINE),
            ["wireshark", "glib-2.0"],
            ["wiretap", "wsutil"],
            WIRESHARK,
        ),
        *(
            [
                extension(
                    "wishpy._pcap", [*glob("csrc/pcap/*.c"), *glob("csrc/common/*.c"), *PCAP_ENGINE], ["libpcap"], [], PCAP
                )
            ]
            if glob("csrc/pcap/*.c")
            else []
        ),
    ]
)
