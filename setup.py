"""Build wishpy's extension modules. Everything else is in pyproject.toml.

Switches, from the environment:
  WISHPY_DEBUG=1       -O0 -g3, assertions on
  WISHPY_SANITIZE=...  -fsanitize=..., for example address,undefined
  WISHPY_COVERAGE=1    gcov's counters
  WISHPY_WERROR=1      warnings are errors (the checks build so)
  WISHPY_EXTENSIONS=0  no extension modules: for an editable install of a tree in which they are built already
"""

import os
import shlex
import subprocess
import sys
import sysconfig
from glob import glob

from setuptools import Extension, setup

NEEDED = """
wishpy cannot be built here: {problem}
Install what it needs with one of
  apt install   gcc libc6-dev pkg-config python3-dev libglib2.0-dev libwireshark-dev libpcap-dev
  dnf install   gcc pkgconf-pkg-config python3-devel glib2-devel wireshark-devel libpcap-devel
  brew install  pkgconf python glib wireshark libpcap
  pacman -S     base-devel pkgconf python glib2 wireshark-cli libpcap
"""

WIRESHARK_OLDEST = "3.4"


def stop(problem):
    sys.exit(NEEDED.format(problem=problem))


def run(command, problem, **options):
    """The command's output, or the end of the build with a readable message."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout
    except FileNotFoundError:
        stop(f"there is no {command[0]}.")
    except subprocess.CalledProcessError as error:
        stop(f"{problem}\n\n{error.stderr.strip()}\n")


def pkg_config(*words):
    pkg_config = os.environ.get("PKG_CONFIG", "pkg-config")
    return shlex.split(run([pkg_config, *words], f"{pkg_config} does not know {words[-1]}."))


def require_headers(headers, cflags):
    """A package may be known to pkg-config and its headers be in another one that is not there."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    source = "".join(f"#include <{header}>\n" for header in headers)
    flags = ["-I" + sysconfig.get_path("include"), *shlex.split(os.environ.get("CPPFLAGS", "")), *cflags]
    run([*compiler, *flags, "-E", "-x", "c", "-", "-o", os.devnull], "a header file is missing.", input=source)


def switches():
    compile_args = ["-std=c11", "-Wall", "-Wextra", "-fvisibility=hidden"]
    link_args = []
    env = os.environ.get
    if env("WISHPY_WERROR"):
        compile_args.append("-Werror")
    if env("WISHPY_DEBUG"):
        compile_args += ["-O0", "-g3", "-UNDEBUG"]
    if env("WISHPY_SANITIZE"):
        both = ["-fsanitize=" + env("WISHPY_SANITIZE"), "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g"]
        compile_args += [*both, "-O1", "-UNDEBUG"]
        link_args += both
    if env("WISHPY_COVERAGE"):
        compile_args += ["--coverage", "-O0"]
        link_args.append("--coverage")
    return compile_args, link_args


def extension(name, sources, modules, headers, libraries=(), macros=()):
    cflags = pkg_config("--cflags", *modules)
    require_headers(["Python.h", *headers], cflags)
    compile_args, link_args = switches()
    return Extension(
        name,
        sources=sorted(sources),
        depends=sorted(glob("csrc/*/*.h")),
        define_macros=[("_GNU_SOURCE", "1"), *macros],
        extra_compile_args=[*cflags, *compile_args],
        extra_link_args=[*pkg_config("--libs", *modules), *("-l" + library for library in libraries), *link_args],
    )


def epan_extension(sources):
    pkg_config("--exists", "--print-errors", f"wireshark >= {WIRESHARK_OLDEST}")
    # Wireshark 4.2 and later look for their data beside the running program, which is Python: session start tells
    # them where it really is (csrc/engine/library.c).
    prefix = pkg_config("--variable=prefix", "wireshark")[0]
    plugins = os.path.dirname(pkg_config("--variable=plugindir", "wireshark")[0])
    return extension(
        "wishpy._epan",
        sources,
        modules=["wireshark", "glib-2.0"],
        headers=["glib.h", "epan/epan.h", "wiretap/wtap.h", "wsutil/privileges.h"],
        libraries=["wiretap", "wsutil", "m"],
        macros=[
            ("WISHPY_DATA_DIR", f'"{prefix}/share/wireshark"'),
            ("WISHPY_PLUGIN_DIR", f'"{plugins}"'),
        ],
    )


PCAP_ENGINE = {"csrc/engine/pcap_handle.c", "csrc/engine/source_live.c"}


def extensions():
    if os.environ.get("WISHPY_EXTENSIONS") == "0":
        return []
    common = set(glob("csrc/common/*.c"))
    found = [epan_extension({*glob("csrc/epan/*.c"), *common, *glob("csrc/engine/*.c")} - PCAP_ENGINE)]
    if glob("csrc/pcap/*.c"):
        pcap = {*glob("csrc/pcap/*.c"), *common, *PCAP_ENGINE}
        found.append(extension("wishpy._pcap", pcap, modules=["libpcap"], headers=["pcap/pcap.h"]))
    return found


setup(ext_modules=extensions())
