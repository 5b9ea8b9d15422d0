#!/bin/sh
# Installs minreg @VERSION@ for Linux on @MACHINE@: sh FILE [--destdir DIR] [--list] [--help]
# An archive follows the last line of this script.

set -eu
LC_ALL=C
umask 022

version=@VERSION@
machine=@MACHINE@
digest=@SHA256@
first_line=@LINES@

fail() {
    echo "minreg installer: $1" >&2
    exit "${2:-1}"
}

usage() {
    cat <<END
Usage: sh ${0##*/} [options]

Installs minreg $version in /opt/minreg, and makes /usr/local/bin/minreg a link to it. An installation
that was made by another version of this file is replaced.

  --destdir DIR  install into an image of a node whose / is DIR
  --list         list the files, and change nothing
  --help         show this
END
}

payload() {
    tail -n "+$first_line" "$0"
}

destination=
list=
while [ $# -gt 0 ]; do
    case $1 in
        --destdir)
            [ $# -gt 1 ] || fail "--destdir needs a directory" 2
            destination=${2%/}
            shift
            ;;
        --destdir=*)
            destination=${1#*=}
            destination=${destination%/}
            ;;
        --list) list=1 ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) fail "unknown option $1: see --help" 2 ;;
    esac
    shift
done

[ -r "$0" ] || fail "cannot read $0: run it as sh FILE"
for program in tail tar gzip sha256sum; do
    command -v "$program" >/dev/null || fail "$program is not installed: it is needed to unpack this file"
done
set -- $(payload | sha256sum)
[ "$1" = "$digest" ] || fail "this file is damaged: copy it again"

if [ -n "$list" ]; then
    payload | gzip -dc | tar -tf - | sed 's|^|/opt/|'
    exit 0
fi

if [ -z "$destination" ]; then
    [ "$(uname -m)" = "$machine" ] || fail "this file is for $machine, and this machine is $(uname -m)"
    [ "$(id -u)" = 0 ] || fail "only root may write to /opt: run this as root, or with --destdir"
fi

tree=$destination/opt/minreg
link=$destination/usr/local/bin/minreg
new=$destination/opt/.minreg-new
old=$destination/opt/.minreg-old

if [ -e "$tree" ] && [ ! -e "$tree/share/minreg/VERSION" ]; then
    fail "$tree was not made by this installer: move it away"
fi
if [ -e "$link" ] || [ -L "$link" ]; then
    [ "$(readlink "$link")" = /opt/minreg/bin/minreg ] || fail "$link is another program: move it away"
fi

mkdir -p "$destination/opt" "$destination/usr/local/bin" || fail "cannot write to ${destination:-/}"
# What an interrupted run has left.
[ -e "$tree" ] || [ ! -e "$old" ] || mv "$old" "$tree"
rm -rf "$new" "$old"
mkdir "$new"
payload | gzip -dc | tar -xof - -C "$new" || {
    rm -rf "$new"
    fail "cannot unpack into $destination/opt: see above"
}
[ ! -e "$tree" ] || mv "$tree" "$old"
mv "$new/minreg" "$tree"
rm -rf "$new" "$old"
[ -L "$link" ] || ln -s /opt/minreg/bin/minreg "$link"

echo "minreg $version is installed in $tree"
[ -n "$destination" ] || echo "next: minreg node install --start"
exit 0
