#!/bin/sh
# Debian packages that demo and tests use: installed when root, else named. Tests without them skip with a reason.
lab="qemu-system-arm qemu-utils mmdebstrap fakeroot e2fsprogs cpio kmod device-tree-compiler make gcc-12-aarch64-linux-gnu"
shells="shellcheck mksh busybox toybox adb gcc libc6-dev ser2net"
wanted="${*:-openssh-server openssh-client chromium postgresql $lab $shells}"
missing=""
for package in $wanted; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "edgeprof: installing Debian packages:$missing (up to 250 MB, one or two minutes)"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >/dev/null 2>&1 && exit 0
fi
echo "edgeprof: not installed:$missing; what needs them is skipped. As root: apt install$missing" >&2
exit 0
