#!/usr/bin/env bash
# Builds everything and runs every test: bash tests/run.sh [ctest options]
#
# Installs the Debian packages that are missing, as root or through sudo, and says first which and
# how many MB. Without root and sudo it says what to install and runs what it can; tests whose
# programs are missing are counted as skipped. Tests that carry the label `long` are left out
# (ctest --test-dir build/dev -L long). The last line is `N passed, N failed, N skipped`.
#
# SIPTLS_CORPORA may name a folder with test corpora. CC and CXX choose the compiler of the first
# configure step, BoringSSL_ROOT another BoringSSL than Debian's.
set -u -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root" || exit 1
readonly build=$root/build/dev

say() { printf '%s\n' "$*"; }
step() { say ""; say "== $* (after ${SECONDS} s)"; }
stop() { say "error: $*" >&2; exit 1; }

# Every process that a test starts inherits this, so that one which outlives its test is found.
SIPTLS_TEST_RUN="run-$$-$(date +%s)"
export SIPTLS_TEST_RUN

# Prints the ids of processes that this run has started and that are still there.
left_running() {
  local folder pid
  for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    if [ "$pid" = "$$" ] || [ "$pid" = "$BASHPID" ]; then continue; fi
    if grep -qszF "SIPTLS_TEST_RUN=$SIPTLS_TEST_RUN" "$folder/environ" 2>/dev/null; then
      printf '%s\n' "$pid"
    fi
  done
}

end_left_running() {
  local pid pids
  mapfile -t pids < <(left_running)
  for pid in "${pids[@]}"; do
    kill -KILL "$pid" 2>/dev/null
  done
}

child=
interrupted() {
  trap '' HUP INT TERM
  if [ -n "$child" ]; then
    kill -TERM -- "-$child" 2>/dev/null
    wait "$child" 2>/dev/null
  fi
  end_left_running
  exit "$1"
}
trap 'interrupted 129' HUP
trap 'interrupted 130' INT
trap 'interrupted 143' TERM

# Runs a command so that a signal to this script ends it too.
guarded() {
  local rc
  set -m  # a process group of its own, so that a signal reaches all of it
  "$@" &
  child=$!
  set +m
  wait "$child"
  rc=$?
  child=
  return "$rc"
}

# PACKAGE or PACKAGE=COMMAND. stunnel4 wants systemd-sysusers; the small package of it spares a
# machine without systemd the whole of that.
packages='g++=c++ cmake=cmake ninja-build=ninja libfmt-dev nlohmann-json3-dev catch2 libbenchmark-dev
          python3=python3 openssl=openssl libssl-dev libgnutls28-dev gnutls-bin=gnutls-serv
          kamailio=kamailio kamailio-tls-modules sofia-sip-bin=sip-options sip-tester=sipp
          systemd-standalone-sysusers=systemd-sysusers stunnel4=stunnel4 iproute2=ip
          nftables=nft valgrind=valgrind
          pkg-config=pkg-config dpkg-dev=dpkg-shlibdeps libevent-dev libuv1-dev libasio-dev
          libosip2-dev baresip-core=baresip doxygen=doxygen groff-base=groff'
if [ -z "${BoringSSL_ROOT:-}" ]; then packages="$packages android-libboringssl-dev"; fi

say "siptls: builds everything in $build and runs the tests."
# shellcheck disable=SC2086  # a list of words
bash tests/install_packages.sh 'the build and the tests' $packages
case $? in
  0) ;;
  3) say "Going on without them; tests that need them are skipped." ;;
  *) stop "the packages could not be installed" ;;
esac
exec </dev/null
for tool in cmake ninja "${CXX:-c++}"; do
  command -v "${tool%% *}" >/dev/null 2>&1 || stop "$tool is missing, so nothing can be built"
done
# Lines and no more in what a debugger reads: the rest of it is a third of the library's build.
options=(-DSIPTLS_BUILD_BENCH=ON '-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O2 -g1 -DNDEBUG')
if ! { [ -e /usr/include/benchmark/benchmark.h ] || [ -e /usr/local/include/benchmark/benchmark.h ]; }
then
  say "Google Benchmark is missing: the benchmarks are not built."
  options[0]=-DSIPTLS_BUILD_BENCH=OFF
fi

step "configure: cmake --preset dev ${options[*]}"
guarded cmake --preset dev "${options[@]}" || stop "the configure step failed (status $?)"
step "build: cmake --build --preset dev"
guarded cmake --build --preset dev || stop "the build failed (status $?)"

jobs=$(nproc 2>/dev/null || echo 2)
step "test: ctest --preset dev -j $jobs $*"
log=$build/tests-output.txt
run_tests() { ctest --preset dev -j "$jobs" --no-tests=error "$@" 2>&1 | tee "$log"; }
guarded run_tests "$@"
result=$?

# `12/345 Test #7: a name ....   Passed    0.01 sec`; anything but Passed and Skipped has failed.
read -r passed failed skipped < <(awk '
  /^ *[0-9]+\/[0-9]+ +Test +#[0-9]+: / {
    if ($0 ~ / Passed +[0-9.]+ sec$/) ++passed
    else if ($0 ~ /\*\*\*(Skipped|Not Run \(Disabled\)) +[0-9.]+ sec$/) ++skipped
    else ++failed
  }
  END { print passed + 0, failed + 0, skipped + 0 }' "$log")

# What was just killed may need a moment to be gone.
for _ in 1 2 3 4 5; do
  mapfile -t left < <(left_running)
  if [ "${#left[@]}" -eq 0 ]; then break; fi
  sleep 0.5
done
if [ "${#left[@]}" -gt 0 ]; then
  say ""
  say "Left running by the tests, and ended now:"
  for pid in "${left[@]}"; do
    say "  $pid $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")"
  done
  end_left_running
  failed=$((failed + 1))
fi
if [ "$result" -ne 0 ] && [ "$failed" -eq 0 ]; then
  say "ctest ended with $result though no test of its list failed."
  failed=1
fi
say ""
say "Took $SECONDS s. Output of every test: $log"
say "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
