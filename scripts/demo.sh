#!/bin/sh
# Runs server and broadcaster on the synthetic camera until Ctrl-C, and says where to look.
# Usage: demo.sh FOLDER-OF-THE-BINARIES [PORT]
set -eu

binaries=$1
port=${2:-8080}
local_url="http://127.0.0.1:$port"
server=""
broadcaster=""

stop() {
    trap - EXIT INT TERM HUP
    for process in $broadcaster $server; do
        kill "$process" 2>/dev/null || true
    done
    for process in $broadcaster $server; do
        wait "$process" 2>/dev/null || true
    done
}
trap stop EXIT
trap 'echo; echo "==> stopping"; stop; exit 0' INT TERM HUP

# Each in a session of its own: Ctrl-C reaches this script, which then ends them in order and once.
# Everybody on the network may look at a drawn scene, and needs no certificate for it.
setsid "$binaries/server" --config config/server.toml --listen "0.0.0.0:$port" --insecure &
server=$!
setsid "$binaries/broadcaster" --no-status --config config/broadcaster.toml --server "$local_url" &
broadcaster=$!

echo "==> waiting until the robot is live"
tries=0
running() {
    kill -0 "$server" 2>/dev/null && kill -0 "$broadcaster" 2>/dev/null
}
live() {
    curl -fsS "$local_url/api/v1/robots" 2>/dev/null | grep -q '"robot":"demo"'
}
until live && running; do
    tries=$((tries + 1))
    if [ "$tries" -gt 300 ] || ! running; then
        echo "The demo did not come up; the reason is above. Another one on port $port? Try: make demo PORT=9000" >&2
        exit 1
    fi
    sleep 0.1
done

# Other devices reach this machine by its address on the network, if it has one.
address=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p' | head -n 1)
url="http://${address:-127.0.0.1}:$port/watch/demo"
echo
echo "    On this machine:   $local_url/watch/demo"
[ -z "$address" ] || echo "    On your network:   $url"
echo
qrencode -t ansiutf8 -m 2 "$url"
echo
echo "    Ctrl-C stops it."
echo
while running; do
    sleep 1
done
echo "The demo ended by itself; the reason is above." >&2
exit 1
