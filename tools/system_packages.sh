#!/bin/sh
# Usage: tools/system_packages.sh build|test
#
# Looks for what the build (or the test suite) needs from the system, and installs with apt what is missing, nothing
# else. Where there is no apt it says what to install, and fails. Each thing is looked for itself, not its package: a
# Python or a Wireshark of your own counts. PYTHON names the interpreter (default: python3).
set -eu

purpose=${1:?usage: $0 build|test}
PYTHON=${PYTHON:-python3}
CC=${CC:-cc}
apt='' dnf='' brew='' pacman='' missing=''

# want WHAT APT DNF BREW PACMAN: note that WHAT is missing; "-" where a system has it anyway
want() {
    missing="$missing
  $1"
    [ "$2" = - ] || apt="$apt $2"
    [ "$3" = - ] || dnf="$dnf $3"
    [ "$4" = - ] || brew="$brew $4"
    [ "$5" = - ] || pacman="$pacman $5"
}

have() { command -v "$1" >/dev/null 2>&1; }

# True where PYTHON is the system's own, whose headers and modules are packages of the system.
python_is_the_systems() { case $(command -v "$PYTHON") in /usr/bin/* | /bin/*) true ;; *) false ;; esac; }

own_python() {
    echo "$(command -v "$PYTHON") $1" >&2
    echo "It is no package of this system: install it anew with its development files, or name another: make PYTHON=/usr/bin/python3" >&2
    exit 1
}

look_for_python() {
    if ! have "$PYTHON"; then
        if [ "$PYTHON" != python3 ]; then
            echo "There is no $PYTHON here (PYTHON names it)." >&2
            exit 1
        fi
        want "Python 3.10 or later" "python3 python3-dev python3-venv" "python3 python3-devel" python python
        return
    fi
    if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        echo "$(command -v "$PYTHON") is $("$PYTHON" -V 2>&1); wishpy needs Python 3.10 or later. Name another: make PYTHON=..." >&2
        exit 1
    fi
    if ! "$PYTHON" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'; then
        python_is_the_systems || own_python "has no header files (Python.h)."
        want "Python's headers" python3-dev python3-devel python python
    fi
    if ! "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null; then
        python_is_the_systems || own_python "cannot make virtual environments (no module venv or ensurepip)."
        want "Python's venv and ensurepip" python3-venv python3-pip python python
    fi
}

# has_header FLAGS HEADER: does the compiler find it
has_header() { echo "#include <$2>" | "$CC" $1 -E -x c - >/dev/null 2>&1; }

# has_library MODULE HEADER...: does pkg-config know the module and the compiler each header
has_library() {
    have pkg-config && have "$CC" && pkg-config --exists "$1" || return 1
    flags=$(pkg-config --cflags "$1")
    shift
    for header; do has_header "$flags" "$header" || return 1; done
}

look_for_libraries() {
    have "$CC" && has_header '' stdlib.h || want "a C compiler" "gcc libc6-dev" gcc gcc base-devel
    have pkg-config || want pkg-config pkg-config pkgconf-pkg-config pkgconf pkgconf
    has_library glib-2.0 glib.h || want "GLib's headers" libglib2.0-dev glib2-devel glib glib2
    has_library wireshark epan/epan.h wiretap/wtap.h wsutil/privileges.h ||
        want "Wireshark's headers" libwireshark-dev wireshark-devel wireshark wireshark-cli
    if [ -d csrc/pcap ]; then
        has_library libpcap pcap/pcap.h || want "libpcap's headers" libpcap-dev libpcap-devel libpcap libpcap
    fi
}

look_for_test_tools() {
    have tshark || want "tshark, which says what is right" tshark wireshark-cli - -
    have zstd || want "zstd, for compressed captures" zstd zstd zstd zstd
    have lz4 || want "lz4, likewise" lz4 lz4 lz4 lz4
    have redis-server || want "a Redis server, for the pipelines" redis-server redis redis redis
    have nm || want "nm (binutils)" binutils binutils - -
    # Live captures: hosts in network namespaces, and traffic between them. A capture's privileges split over users.
    have ip || [ -x /sbin/ip ] || want "ip (iproute2)" iproute2 iproute - iproute2
    have ping || want "ping" iputils-ping iputils - iputils
    have tcpreplay || [ "$(uname)" != Linux ] || want "tcpreplay" tcpreplay tcpreplay - tcpreplay
    have setpriv || [ "$(uname)" != Linux ] || want "setpriv (util-linux)" util-linux util-linux - util-linux
    have dumpcap || want "dumpcap" wireshark-common wireshark-cli - wireshark-cli
}

install_with_apt() {
    become=''
    if [ "$(id -u)" != 0 ]; then
        if ! have sudo; then
            echo "Neither root nor sudo here. As root: apt-get install$apt" >&2
            exit 1
        fi
        become='sudo'
    fi
    echo "Installing:$apt"
    # Wireshark's package asks who may capture; not answering means its default, root alone
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    if ! { $become env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
        $become env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $apt; } </dev/null >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        echo "apt-get could not install:$apt" >&2
        exit 1
    fi
    rm -f "$log"
}

look_for_all() {
    apt='' dnf='' brew='' pacman='' missing=''
    look_for_python
    look_for_libraries
    [ "$purpose" = build ] || look_for_test_tools
}

say_what_to_install() {
    cat >&2 <<END
Missing here:$missing
Install them with one of
  apt-get install$apt
  dnf install$dnf
  brew install$brew
  pacman -S$pacman
END
}

look_for_all
if [ -z "$missing" ]; then
    exit 0
fi
if ! have apt-get || [ -n "${WISHPY_NO_INSTALL:-}" ]; then
    say_what_to_install
    exit 1
fi
install_with_apt
look_for_all
if [ -n "$missing" ]; then
    say_what_to_install
    exit 1
fi
