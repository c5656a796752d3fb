#!/bin/sh
# Install the Debian packages the build needs and this machine lacks.
# Silent when nothing is missing. Needs root (or sudo) only then.
# Usage: setup.sh [LIST...], each a file of package names; mk/packages if none is given.
set -eu

[ $# -gt 0 ] || set -- "$(dirname "$0")/packages"
packages=$(cat "$@" | sed 's/#.*//' | tr '\n' ' ')
missing=
for package in $packages; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup: missing packages:$missing" >&2
        echo "setup: run as root, or install them with: apt-get install$missing" >&2
        exit 1
    fi
    sudo=sudo
fi
echo "setup: installing$missing"
log=$(mktemp)
if ! $sudo apt-get update >"$log" 2>&1; then
    cat "$log" >&2
    echo "setup: warning: apt-get update failed; trying with the lists at hand" >&2
fi
if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        $missing >"$log" 2>&1; then
    cat "$log" >&2
    echo "setup: apt-get install failed (above); mend apt's sources or install by hand:$missing" >&2
    exit 1
fi
rm -f "$log"
