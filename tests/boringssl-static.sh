#!/usr/bin/env bash
# A static BoringSSL of API 17, made from Debian's source package of the BoringSSL that siptls is
# used with by default:
#
#   bash tests/boringssl-static.sh [FOLDER]          builds it, prints the BoringSSL_ROOT
#   bash tests/boringssl-static.sh --test [FOLDER]   and builds siptls with it, and runs the tests
#                                                    that a static BoringSSL makes a difference to
#
# Everything stays in FOLDER (build/static), apt's lists too: the machine's apt sources are read, and
# changed copies of them, which name the source packages, are used. No need to be root.
#
# Exit 77: it cannot be built here; why was said. 1: something that should work did not.
set -u -o pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly PACKAGE=android-platform-external-boringssl
# Objects differ in these from Debian's libraries: nothing is exported, as they go into another.
readonly DEFINITIONS='NDEBUG;BORINGSSL_ANDROID_SYSTEM;BORINGSSL_IMPLEMENTATION;OPENSSL_SMALL'
# What the tests below need, and no more.
readonly TARGETS='siptls_shared siptls_static siptls_plugin
                  siptls-pki siptls-server siptls-client siptls-verify siptls-frame
                  house_foreign_shared house_foreign_static beside'
readonly TESTS='^beside OpenSSL|^plugin: |^packaging: |^house: (exported|what the rooms|a host that links)'

say() { printf '%s\n' "$*" >&2; }
skip() { say "skipped: $*"; exit 77; }
stop() { say "error: $*"; exit 1; }

# Runs a command quietly; what it said is shown when it fails.
quietly() {
  local rc
  "$@" >"$folder/log.txt" 2>&1 </dev/null
  rc=$?
  [ "$rc" -eq 0 ] || tail -n 30 "$folder/log.txt" >&2
  return "$rc"
}

# The machine's apt sources as sources of source packages, in both forms.
copy_apt_sources() {
  local to=$1 file
  mkdir -p "$to/parts"
  one_line='s/^[[:space:]]*deb[[:space:]]+/deb-src /; /^deb-src /!d; /cdrom:/d'
  : >"$to/sources.list"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    if [ -r "$file" ]; then sed -E "$one_line" "$file"; fi
  done | sort -u >"$to/sources.list"
  for file in /etc/apt/sources.list.d/*.sources; do
    if [ -r "$file" ]; then
      sed -E 's/^[Tt]ypes:.*/Types: deb-src/' "$file" >"$to/parts/$(basename "$file")"
    fi
  done
  grep -qs '^deb-src\|^Types:' "$to/sources.list" "$to"/parts/*
}

# Leaves the unpacked source package in $folder/source.
get_source() {
  local apt=$folder/apt options unpacked
  if ! command -v apt-get >/dev/null 2>&1; then skip "this machine has no apt-get"; fi
  command -v dpkg-source >/dev/null 2>&1 ||
    skip "dpkg-source is not installed (Debian package dpkg-dev)"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/source" ||
    stop "$apt cannot be written"
  copy_apt_sources "$apt" || skip "no apt source was found in /etc/apt"
  options=(-q -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts="$apt/parts"
           -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=root
           -o Acquire::Retries=2)
  say "Reading the lists of source packages."
  # A source among several that has none, or cannot be reached, does not matter.
  quietly env LC_ALL=C apt-get "${options[@]}" update || say "apt-get update had the errors above."
  say "Fetching $PACKAGE."
  rm -rf "$apt/source" "$folder/source"
  mkdir -p "$apt/source"
  (cd "$apt/source" && quietly env LC_ALL=C apt-get "${options[@]}" source "$PACKAGE") ||
    skip "the source package $PACKAGE could not be fetched (no network, or no Debian sources)"
  unpacked=$(dirname "$(ls -d "$apt"/source/*/debian 2>/dev/null)")
  [ -f "$unpacked/debian/sources.mk" ] || stop "$PACKAGE has no debian/sources.mk any more"
  mv "$unpacked" "$folder/source" && rm -rf "$apt"
}

# debian/sources.mk names the files; which of them for which architecture is in debian/libcrypto.mk.
write_project() {
  cat >"$folder/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(boringssl_static LANGUAGES C CXX ASM)

file(READ ${SOURCE}/debian/sources.mk lists)
string(REGEX REPLACE "[ \t]*\\\\\n[ \t]*" " " lists "${lists}")
function(sources_of list out)
  if(NOT lists MATCHES "(^|\n)${list} := *([^\n]*)")
    message(FATAL_ERROR "debian/sources.mk has no ${list}")
  endif()
  string(STRIP "${CMAKE_MATCH_2}" files)
  string(REGEX REPLACE " +" ";" files "${files}")
  list(TRANSFORM files PREPEND ${SOURCE}/)
  set(${out} ${files} PARENT_SCOPE)
endfunction()

sources_of(crypto_sources crypto)
sources_of(ssl_sources ssl)
set(assembly_amd64 linux_x86_64_sources)
set(assembly_arm64 linux_aarch64_sources)
set(assembly_armel linux_arm_sources)
set(assembly_armhf linux_arm_sources)
set(assembly_i386 linux_x86_sources)
set(assembly_ppc64el linux_ppc64le_sources)
if(DEFINED assembly_${ARCHITECTURE})
  sources_of(${assembly_${ARCHITECTURE}} assembly)
  list(APPEND crypto ${assembly})
endif()

add_compile_definitions(${DEFINITIONS})
add_compile_options(-O2 -w -fno-strict-aliasing -fvisibility=hidden)
# Its errors name their source file: a package must not name this folder.
add_compile_options(-ffile-prefix-map=${SOURCE}/=)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions> -Wa,--noexecstack)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${LIBRARIES})
add_library(crypto STATIC ${crypto})
target_include_directories(crypto PRIVATE ${SOURCE}/src/crypto ${SOURCE}/src/include)
add_library(ssl STATIC ${ssl})
target_include_directories(ssl PRIVATE ${SOURCE}/src/include)
END
}

build_boringssl() {
  local tool architecture
  # Made by this very script before.
  if [ "$result/complete" -nt "${BASH_SOURCE[0]}" ]; then return; fi
  for tool in cmake ninja "${CC:-cc}" "${CXX:-c++}"; do
    command -v "${tool%% *}" >/dev/null 2>&1 || skip "$tool is not installed"
  done
  rm -rf "$result"
  mkdir -p "$folder/project" "$result/lib" || stop "$folder cannot be written"
  get_source
  architecture=$(dpkg --print-architecture)
  say "Building it for $architecture."
  write_project
  quietly cmake -G Ninja -S "$folder/project" -B "$folder/project/build" \
    -DSOURCE="$folder/source" -DLIBRARIES="$result/lib" -DARCHITECTURE="$architecture" \
    -DDEFINITIONS="$DEFINITIONS" || stop "its configure step failed"
  quietly cmake --build "$folder/project/build" || stop "its build failed"
  cp -R "$folder/source/src/include" "$result/include" || stop "$result cannot be written"
  rm -rf "$folder/source" "$folder/project"
  touch "$result/complete"
}

test_siptls() {
  local jobs
  jobs=$(nproc 2>/dev/null || echo 2)
  cd "$root" || return 1  # where the presets are
  # Compiled for little time; how it was optimised makes no difference here.
  cmake --preset dev -S "$root" -B "$folder/siptls" -DBoringSSL_ROOT="$result" \
    -DSIPTLS_BUILD_BENCH=OFF -DCMAKE_C_FLAGS_RELWITHDEBINFO=-O1 \
    -DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 || return 1
  # shellcheck disable=SC2086  # a list of words
  cmake --build "$folder/siptls" --target $TARGETS || return 1
  ctest --test-dir "$folder/siptls" -j "$jobs" --no-tests=error --output-on-failure \
    -R "$TESTS" -LE 'long|timing|load'
}

with_tests=
if [ "${1:-}" = --test ]; then
  with_tests=yes
  shift
fi
mkdir -p "${1:-$root/build/static}" || exit 1
folder=$(cd "${1:-$root/build/static}" && pwd -P)
readonly folder result=$folder/boringssl
begun=$SECONDS
build_boringssl
say "BoringSSL (static): $result, after $((SECONDS - begun)) s"
printf '%s\n' "$result"
if [ -n "$with_tests" ]; then
  test_siptls || stop "the tests with a static BoringSSL failed"
fi
