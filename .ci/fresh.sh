#!/bin/sh
# make test of what is committed, in a bare Debian 13 with the Python and Node that it has. Wants root, debootstrap and a
# network; the machine's own ways to the package registries (apt, pip, npm, certificates) are copied into the root.
#
#   fresh.sh FOLDER [arguments of make test]
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
root=$1
shift

fail() { printf '%s\n' "fresh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "wants root, for debootstrap and chroot"
command -v debootstrap >/dev/null 2>&1 || fail "wants debootstrap: apt-get install debootstrap"

mirror=${MIRROR:-http://deb.debian.org/debian}
if [ ! -e "$root/.bare" ]; then
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --variant=minbase --include=ca-certificates,make trixie "$root" "$mirror"
    touch "$root/.bare"
fi
root=$(cd "$root" && pwd)

rm -f "$root/etc/apt/sources.list"
# Paths that lead to the registries, also to packages in folders of the machine. A missing path is left out.
folders=$(grep -rhoE 'file:/[^ ]+' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | sed 's/^file://' || true)
for path in $folders /etc/apt/apt.conf.d /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/auth.conf.d /etc/pip.conf \
    /etc/xdg/pip /root/.config/pip /root/.npmrc /usr/etc/npmrc /etc/npmrc /etc/ssl/certs /usr/local/share/ca-certificates \
    /etc/resolv.conf /etc/hosts ${PIP_FIND_LINKS:-}; do
    [ -e "$path" ] || continue
    mkdir -p "$root$(dirname "$path")"
    cp -aL "$path" "$root$(dirname "$path")/" 2>/dev/null || true
done

rm -rf "$root/streamer"
mkdir -p "$root/streamer"
git -C "$here" archive HEAD | tar -x -C "$root/streamer"

# The mounts are this process's own and go with it.
exec unshare --mount sh -eu -c '
    root=$1
    shift
    # A root that is a mount, as on a machine: tests mount in namespaces of their own.
    mount --bind "$root" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t sysfs -o ro sysfs "$root/sys" || true
    mount -t tmpfs tmpfs "$root/tmp"
    exec chroot "$root" /usr/bin/env -u VIRTUAL_ENV -u PYTHONPATH \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        make --no-print-directory -C /streamer test "$@"
' fresh "$root" "$@"
