#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two commands on a bare Debian 12: builds a minimal root with python3, make, gcc, g++, cmake and git,
# clones this checkout's HEAD into it, and runs the given commands there as a user without privileges
# (`make demo` and `make test` when none are given). Needs root (debootstrap, chroot); the network is
# what this machine has: resolver, certificates and pip's own configuration are copied.
#
#   sudo tests/clean_room.sh [--keep-home] ['make demo' 'make test' ...]      ROOM=/var/tmp/cleanroom
set -euo pipefail

ROOM="${ROOM:-/var/tmp/sealroom-clean-room}"
NEWCOMER=newcomer
checkout="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

die() { echo "clean_room: $*" >&2; exit 1; }

keep_home=no
if [ "${1:-}" = --keep-home ]; then keep_home=yes; shift; fi
[ $# -gt 0 ] || set -- 'make demo' 'make test'
[ "$(id -u)" = 0 ] || die "wanted root for debootstrap and chroot, got uid $(id -u)"
command -v debootstrap >/dev/null || die "wanted debootstrap, got none (Debian: apt install debootstrap)"

if [ ! -e "$ROOM/.complete" ]; then
  debootstrap --variant=minbase \
    --include=python3,python3-venv,make,gcc,g++,cmake,git,ca-certificates bookworm "$ROOM" >&2
  chroot "$ROOM" useradd --create-home --shell /bin/bash "$NEWCOMER"
  touch "$ROOM/.complete"
fi

# The network as it is here. pip reads its own configuration; nothing of it enters the repository.
cp -L /etc/resolv.conf /etc/hosts "$ROOM/etc/"
cp -L /etc/ssl/certs/ca-certificates.crt "$ROOM/etc/ssl/certs/"
[ ! -e /etc/pip.conf ] || cp -L /etc/pip.conf "$ROOM/etc/"
home="/home/$NEWCOMER"
if [ "$keep_home" = no ]; then
  rm -rf "${ROOM:?}$home"
  chroot "$ROOM" install -d -o "$NEWCOMER" -g "$NEWCOMER" "$home"
fi
if [ ! -e "$ROOM$home/sealroom" ]; then
  git clone -q --no-hardlinks "$checkout" "$ROOM$home/sealroom"
  chroot "$ROOM" chown -R "$NEWCOMER:$NEWCOMER" "$home"
fi

carried=()
while IFS= read -r -d '' variable; do
  case "$variable" in
    PIP_FIND_LINKS=*) ;;  # A folder of this machine.
    PIP_*=* | SSL_CERT_*=* | REQUESTS_CA_BUNDLE=* | *_proxy=* | *_PROXY=*) carried+=("$variable") ;;
  esac
done < <(env -0)

# A root of its own rather than chroot, under which the kernel refuses user namespaces. The mounts and
# processes go when the commands have ended.
# shellcheck disable=SC2016  # the inner shell expands it
enter='
  set -euo pipefail
  cd "$1"; mount --rbind . .; cd "$1"
  mount -t proc proc proc
  mount -t sysfs -o ro sys sys
  mount --rbind /dev dev
  mount -t tmpfs -o mode=1777 shm dev/shm
  mkdir -p .outside; pivot_root . .outside; cd /; umount -l /.outside
  shift; "$@"; exit  # not exec: process 1 stays and reaps'
for command in "$@"; do
  printf '\n$ %s\n' "$command"
  began=$SECONDS
  unshare --mount --pid --ipc --fork --kill-child bash -c "$enter" enter "$ROOM" \
    setpriv --reuid="$NEWCOMER" --regid="$NEWCOMER" --init-groups --inh-caps=-all \
    env -i "HOME=$home" "USER=$NEWCOMER" PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 \
    "${carried[@]}" bash -c "cd ~/sealroom && $command"
  printf '# %d s: %s\n' $((SECONDS - began)) "$command"
done
