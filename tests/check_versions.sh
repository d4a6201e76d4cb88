#!/bin/sh
# Usage: tests/check_versions.sh [HEADERS...]
#
# Compiles csrc/ (no object files, all warnings errors) against the headers of other Wireshark versions. A HEADERS is a
# folder in which the -dev packages of libwireshark, libwiretap, libwsutil and GLib were unpacked (it holds usr/include).
# Without one, those of Debian's releases are fetched with apt into build/wsheaders and kept; the system is not touched.
# Exit status: 0 when all compile, 1 when one does not or there is nothing to compile against.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
CC=${CC:-cc}
PYTHON=${PYTHON:-python3}
RELEASES=${RELEASES:-bullseye bookworm trixie sid}
# The archive that this system's own packages come from has the other releases too.
MIRROR=${MIRROR:-$(apt-get indextargets --format '$(SITE)' "Created-By: Packages" 2>/dev/null | head -n 1)}
cache=$top/build/wsheaders

# apt_get RELEASE WORD...: apt-get with folders of its own, for a release that this system need not be
apt_get() {
    own=$cache/apt/$1
    shift
    apt-get -qq -o Dir::State="$own/state" -o Dir::State::status="$own/status" -o Dir::Cache="$own/cache" \
        -o Dir::Etc::sourcelist="$own/sources.list" -o Dir::Etc::sourceparts="$own/none" \
        -o APT::Sandbox::User=root "$@"
}

fetch() {
    release=$1 own=$cache/apt/$1 root=$cache/$1
    [ ! -f "$root/.complete" ] || return 0
    rm -rf "$own" "$root"
    mkdir -p "$own/state/lists/partial" "$own/cache/archives/partial" "$own/none" "$own/debs" "$root"
    touch "$own/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $MIRROR $release main" >"$own/sources.list"
    apt_get "$release" update
    cd "$own/debs"
    apt_get "$release" download libwireshark-dev libwiretap-dev libwsutil-dev libglib2.0-dev
    # from trixie on, glib.h is in a package of GObject introspection's
    case $release in
    bullseye | bookworm) ;;
    *) apt_get "$release" download libgio-2.0-dev ;;
    esac
    cd "$top"
    for package in "$own"/debs/*.deb; do dpkg -x "$package" "$root"; done
    touch "$root/.complete"
}

# first FOLDER PATTERN: the path of the file in there that ends so
first() { find "$1" -path "*$2" | head -n 1; }

version_of() {
    pc=$(first "$1" /wireshark.pc)
    sed -n 's/^Version: *//p' "$pc"
}

# check FOLDER: compile all of csrc against it, say how it went
check() {
    root=$1
    epan=$(first "$root" /wireshark/epan/epan.h) glib=$(first "$root" /glib-2.0/glib.h)
    config=$(first "$root" /glib-2.0/include/glibconfig.h)
    if [ -z "$epan" ] || [ -z "$glib" ] || [ -z "$config" ]; then
        echo "$root: no headers of Wireshark and GLib in there" >&2
        return 1
    fi
    python=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    bad=0
    for source in csrc/epan/*.c csrc/common/*.c csrc/engine/*.c; do
        case $source in csrc/engine/pcap_handle.c | csrc/engine/source_live.c) continue ;; esac   # no Wireshark in them
        "$CC" -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -fsyntax-only -I"$python" \
            -DWISHPY_DATA_DIR='"/"' -DWISHPY_PLUGIN_DIR='"/"' \
            -I"${epan%/epan/epan.h}" -I"${glib%/glib.h}" -I"${config%/glibconfig.h}" "$source" || bad=$((bad + 1))
        done_files=$((done_files + 1))
    done
    [ "$bad" = 0 ] && result=ok || result="$bad files do not compile"
    echo "Wireshark $(version_of "$root"): $result"
    [ "$bad" = 0 ]
}

if [ $# = 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "No apt-get here to fetch headers with: name folders that hold them." >&2
        exit 1
    fi
    for release in $RELEASES; do fetch "$release"; done
    set -- $(for release in $RELEASES; do echo "$cache/$release"; done)
fi

failed=0 done_files=0
for folder; do check "$folder" || failed=1; done
if [ "$done_files" = 0 ]; then
    echo "Nothing was compiled." >&2
    exit 1
fi
exit $failed
