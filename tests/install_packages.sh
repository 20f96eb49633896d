#!/usr/bin/env bash
# Installs the Debian packages that are missing: install_packages.sh PURPOSE PACKAGE[=COMMAND]...
#
# A package counts as present when dpkg has it installed, or when COMMAND is found (it was put there
# by other means). Nothing is done when nothing is missing. Says first what will be installed and
# how much that is. While it installs, no service of a package starts: where there is no
# /usr/sbin/policy-rc.d, one that answers 101 stands for that time. Newly installed services are
# left disabled.
#
# Exit 0: everything is there. 3: not allowed to install here (neither root nor sudo, or no apt);
# what to install was said. 1: the installation failed.
set -u

readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_MARK='# made by siptls while it installs packages'
# Packages of the tests that come with a service of their own.
readonly SERVICES='kamailio stunnel4'

say() { printf '%s\n' "$*"; }

is_installed() {
  [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = 'install ok installed' ]
}

# Prints the packages that are missing.
missing_packages() {
  local entry package command
  for entry in "$@"; do
    package=${entry%%=*}
    command=
    [ "$package" = "$entry" ] || command=${entry#*=}
    if command -v dpkg-query >/dev/null 2>&1 && is_installed "$package"; then continue; fi
    if [ -n "$command" ] && PATH="$PATH:/usr/sbin:/sbin" command -v "$command" >/dev/null 2>&1; then
      continue
    fi
    printf '%s\n' "$package"
  done
}

remove_policy() {
  if [ -f "$POLICY" ] && grep -qF "$POLICY_MARK" "$POLICY"; then rm -f "$POLICY"; fi
}

place_policy() {
  remove_policy  # one that an earlier run could not remove because it was killed
  # A dangling symbolic link or any other thing there belongs to someone else.
  if [ -e "$POLICY" ] || [ -L "$POLICY" ]; then return 0; fi
  # In one step: the empty file of a full disk would be taken for someone else's ever after.
  if ! printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >"$POLICY.new" ||
     ! chmod 755 "$POLICY.new" || ! mv "$POLICY.new" "$POLICY"; then
    rm -f "$POLICY.new"
    return 1
  fi
}

apt() { LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null; }

# What apt would fetch and fill, as text; fails when apt cannot do it.
announced_size() {
  apt -o Debug::NoLocking=1 --assume-no --no-install-recommends install "$@" 2>/dev/null | awk '
    # "12.3", "MB" as megabytes; apt says "1,234 kB" as well, and "5 MB/12 MB" with a part at hand.
    function megabytes(value, unit) {
      gsub(",", "", value)
      factor = unit ~ /^kB/ ? 0.001 : unit ~ /^GB/ ? 1000 : unit ~ /^B/ ? 0.000001 : 1
      return sprintf("%.1f MB", value * factor)
    }
    /newly installed/ { for (i = 1; i <= NF; ++i) if ($i == "newly") count = $(i - 1) }
    /^Need to get/    { size = megabytes($4, $5) }
    /additional disk/ { disk = megabytes($4, $5) }
    END {
      if (count == "") exit 1
      printf "%s packages, dependencies included: %s to download, %s on the disk", count, size, disk
    }'
}

# As root: everything that changes the machine.
install_as_root() {
  local log size rc package
  trap remove_policy EXIT
  # bash runs these after the command in the foreground has ended, so that dpkg is not cut short.
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  log=$(mktemp "${TMPDIR:-/tmp}/siptls-packages.XXXXXX") || return 1

  say "Missing for $PURPOSE: $*"
  say "Reading Debian's package lists (apt-get update)."
  if ! apt -q -o DPkg::Lock::Timeout=120 -o APT::Update::Error-Mode=any update >"$log" 2>&1; then
    grep '^[EW]:' "$log" >&2
    say "apt-get update failed; going on with the lists as they are."
  fi
  if ! size=$(announced_size "$@"); then
    apt -s --no-install-recommends install "$@" 2>&1 | grep -A 8 '^E:\|unmet' >&2
    say "error: apt-get cannot install what is missing" >&2
    return 1
  fi
  say "Installing $size."

  place_policy || { say "error: $POLICY cannot be written" >&2; return 1; }
  apt -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold \
    --no-install-recommends install "$@" >"$log" 2>&1
  rc=$?
  remove_policy
  if [ "$rc" -ne 0 ]; then
    tail -n 20 "$log" >&2
    say "error: apt-get install failed; its output is in $log" >&2
    return 1
  fi
  for package in $SERVICES; do
    case " $* " in *" $package "*)
      update-rc.d "$package" disable >>"$log" 2>&1 || true ;;
    esac
  done
  rm -f "$log"
  say "Installed."
}

main() {
  PURPOSE=$1
  shift
  local missing sudo_options
  mapfile -t missing < <(missing_packages "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0

  if ! command -v apt-get >/dev/null 2>&1; then
    say "Missing for $PURPOSE, by their Debian names: ${missing[*]}"
    say "This machine has no apt-get; install them by other means."
    return 3
  fi
  if [ "$(id -u)" -eq 0 ]; then
    install_as_root "${missing[@]}"
    return
  fi
  # Without a terminal nobody can be asked for a password.
  sudo_options=-n
  if [ -t 0 ] && [ -t 2 ]; then sudo_options=; fi
  if command -v sudo >/dev/null 2>&1 && sudo $sudo_options true 2>/dev/null; then
    # shellcheck disable=SC2086  # no option at all when empty
    sudo $sudo_options bash "${BASH_SOURCE[0]}" "$PURPOSE" "${missing[@]}"
    return
  fi
  say "Missing for $PURPOSE: ${missing[*]}"
  say "Neither root nor sudo is at hand here. Have them installed with"
  say "  apt-get install --no-install-recommends ${missing[*]}"
  return 3
}

if [ "$#" -lt 2 ]; then
  say "usage: install_packages.sh PURPOSE PACKAGE[=COMMAND]..." >&2
  exit 2
fi
main "$@"
