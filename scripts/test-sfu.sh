#!/bin/sh
# Builds the media servers that crowds are sent to, and tries them with robots, viewers and Chromium.
set -eu
cd "$(dirname "$0")/.."

LIVEKIT_VERSION=v1.13.5
PION_VERSION=v4.2.17
TOOLS="$PWD/target/tools/bin"

go=$(command -v go || true)
[ -n "$go" ] || go=$(ls /usr/local/go/bin/go 2>/dev/null || true)

# The program of a Go module, as this file. Fails where there is no Go.
build() {
  [ ! -x "$TOOLS/$2" ] || return 0
  if [ -z "$go" ]; then
    echo "SKIPPED: $2: there is no Go here to build it with (https://go.dev/dl)" >&2
    return 1
  fi
  echo "==> building $2 (some minutes)"
  mkdir -p "$TOOLS/unnamed"
  GOBIN="$TOOLS/unnamed" "$go" install "$1"
  mv "$TOOLS/unnamed/${1##*/}" "$TOOLS/$2" 2>/dev/null || mv "$TOOLS"/unnamed/* "$TOOLS/$2"
}

try() {
  (cd tests/browser && BINARIES="$PWD/../../target/release" "$@" npx playwright test --config scale.config.ts "$spec")
}

# In a network of its own, that may be made narrow, and where nobody minds who listens, or asks the world for its address.
apart() {
  # What is to be run is the shell's own words.
  # shellcheck disable=SC2016
  try unshare --net --mount env OWN_NETWORK=1 sh -ec '
    mount --bind /dev/null /etc/resolv.conf
    ip link set lo up
    ip link add here type veth peer name there
    ip address add 192.0.2.1/24 dev here
    ip link set here up
    ip link set there up
    exec "$@"' sh
}

networks=yes
if ! unshare --net --mount ip link set lo up 2>/dev/null || ! command -v nft >/dev/null; then networks=; fi

if build "github.com/livekit/livekit-server/cmd/server@$LIVEKIT_VERSION" "livekit-server-$LIVEKIT_VERSION"; then
  export LIVEKIT="$TOOLS/livekit-server-$LIVEKIT_VERSION"
  echo "==> a crowd, with LiveKit $LIVEKIT_VERSION"
  cargo test --release --locked -p tests --test sfu -- --include-ignored --test-threads 1 --nocapture
  echo "==> a crowd's move, in Chromium"
  spec=livekit
  if [ -n "$networks" ]; then
    apart
  else
    echo "SKIPPED: a narrow path to LiveKit: a network of its own takes root" >&2
    try env
  fi
fi

if build "github.com/pion/webrtc/v4/examples/whip-whep@$PION_VERSION" "whip-whep-$PION_VERSION"; then
  export WHIP_SERVER="$TOOLS/whip-whep-$PION_VERSION"
  echo "==> a crowd, by WHIP and WHEP"
  spec=whip
  if [ -n "$networks" ]; then
    apart
  else
    echo "SKIPPED: WHIP and WHEP: a network of its own takes root" >&2
  fi
fi
