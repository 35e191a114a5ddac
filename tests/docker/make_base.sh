#!/bin/sh
# make_base.sh IMAGE: a bare Debian as a local image, for machines that reach Debian's packages but no image registry.
# debootstrap is used where it is installed; else apt fetches its package, which is run from where it is unpacked.
# Needs root. DOCKER names the engine's command, MIRROR a mirror of Debian's other than the usual one.
set -eu
image=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
if ! command -v debootstrap >/dev/null; then
    apt-get -qq update
    apt-get -qq -o APT::Sandbox::User=root download debootstrap
    dpkg-deb --extract debootstrap_*.deb unpacked
    DEBOOTSTRAP_DIR=$work/unpacked/usr/share/debootstrap
    PATH=$work/unpacked/usr/sbin:$PATH
    export DEBOOTSTRAP_DIR PATH
fi
debootstrap --variant=minbase bookworm root ${MIRROR-} >log 2>&1 || { cat log >&2; exit 1; }
tar --create --directory root . | "${DOCKER:-docker}" import - "$image" >&2
