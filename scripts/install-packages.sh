#!/bin/sh
# Installs the Debian packages that are named and missing; does nothing, and needs no rights, when none is.
set -eu

missing=""
for package in "$@"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$'; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

echo "==> installing Debian packages:$missing"
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null; then
    as_root="sudo"
else
    echo "These packages are missing and need root to install:$missing" >&2
    exit 1
fi

# Debian's coturn and Redis start as services; unconfigured, the one relays for anybody and the other is an open
# door to this machine's users. The tests start their own.
for service in coturn redis-server; do
    unit=/etc/systemd/system/$service.service
    case "$missing " in
        *" $service "*) [ -e "$unit" ] || [ -L "$unit" ] || { $as_root mkdir -p "${unit%/*}" && $as_root ln -s /dev/null "$unit"; } ;;
    esac
done

export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
