#!/usr/bin/env bash
# Two SIP programs prove their identities to each other and exchange a request:
#   bash examples/quickstart.sh
#
# Installs the Debian packages that the build needs and that are missing (as root or through sudo,
# and says first which and how many MB), builds the library and its tools in build/quickstart, makes
# a demo PKI in a temporary folder, starts siptls-server on a free port of 127.0.0.1 and runs
# siptls-client against it twice: with the defaults (TLS 1.3), and with `--policy img2020` (TLS 1.2,
# the fifteen steps of the IMG 2020). Stops at the first failure; leaves nothing running.
set -u -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root" || exit 1
readonly build=$root/build/quickstart
work=
server=

say() { printf '%s\n' "$*"; }
step() { say ""; say "== $*"; }
stop() { say "error: $*" >&2; exit 1; }

clean_up() {
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null
    wait "$server" 2>/dev/null
  fi
  if [ -n "$work" ]; then rm -rf "$work"; fi
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

packages='g++=c++ cmake=cmake ninja-build=ninja libfmt-dev nlohmann-json3-dev'
if [ -z "${BoringSSL_ROOT:-}" ]; then packages="$packages android-libboringssl-dev"; fi
# shellcheck disable=SC2086  # a list of words
bash tests/install_packages.sh 'the build' $packages ||
  stop "what the build needs is not all there"
exec </dev/null

step "Building the library and its tools in build/quickstart"
cmake --preset release -B "$build" -DSIPTLS_BUILD_TESTS=OFF -DSIPTLS_BUILD_BENCH=OFF ||
  stop "the configure step failed"
cmake --build "$build" || stop "the build failed"

work=$(mktemp -d "${TMPDIR:-/tmp}/siptls-quickstart.XXXXXX") || stop "no temporary folder"
readonly bin=$build/bin

step "Demo PKI: one CA, and credentials for server.example and client.example"
"$bin/siptls-pki" --out "$work" --identity server.example --identity client.example ||
  stop "siptls-pki failed"

step "Server: demands a certificate of every client"
"$bin/siptls-server" --listen 127.0.0.1:0 --credentials "$work/server.example" \
  >"$work/server.txt" 2>&1 &
server=$!
address=
for _ in $(seq 200); do
  address=$(sed -n 's/^listening on //p' "$work/server.txt" | head -n 1)
  if [ -n "$address" ] || ! kill -0 "$server" 2>/dev/null; then break; fi
  sleep 0.05
done
if [ -z "$address" ]; then
  cat "$work/server.txt" >&2
  stop "siptls-server did not start"
fi
say "listening on $address"

# run_client TITLE OPTION...
run_client() {
  step "$1"
  shift
  "$bin/siptls-client" --connect "$address" --domain server.example \
    --credentials "$work/client.example" --options sip:server.example --ladder "$@" ||
    { cat "$work/server.txt" >&2; stop "siptls-client failed; above is what the server saw"; }
}
run_client "Client, defaults: TLS 1.3"
run_client "Client, --policy img2020: TLS 1.2 with the IMG 2020's fifteen steps" --policy img2020

step "What the server saw"
kill -TERM "$server" 2>/dev/null
wait "$server"
result=$?
server=
cat "$work/server.txt"
# 143: ended by the signal.
if [ "$result" -ne 0 ] && [ "$result" -ne 143 ]; then stop "siptls-server ended with $result"; fi
step "Done in $SECONDS s: two mutual handshakes, two requests answered. Nothing is left running."
