#!/bin/sh
# Runs at the end of `meson install`: the first configuration, and on the machine itself user and folders.
set -e
bindir=$1
configuration=$DESTDIR/etc/gridgate/gridgate.yaml

mkdir -p "$DESTDIR/etc/gridgate/site.d"
# What a person wrote is never replaced.
if [ ! -e "$configuration" ]; then
  "$MESON_BUILD_ROOT/gridgate" defaults >"$configuration.new"
  mv "$configuration.new" "$configuration"
fi

# With DESTDIR a package is being made: its own scripts do the rest.
[ -z "$DESTDIR" ] || exit 0
[ "$(id -u)" -eq 0 ] || { echo "run as root to make the user gridgate 请以 root 身份运行以创建用户"; exit 0; }
if command -v systemd-sysusers >/dev/null; then
  systemd-sysusers gridgate.conf || systemd-sysusers
  systemd-tmpfiles --create gridgate.conf || systemd-tmpfiles --create
fi
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
echo "next 下一步: edit 编辑 /etc/gridgate/gridgate.yaml, then 然后 systemctl enable --now gridgate ($bindir/gridgate)"
