#!/usr/bin/env bash
# Runs a command with a WebGPU adapter that needs no GPU, for Node's package "webgpu" (Dawn), on Debian:
#   scripts/webgpu-env.sh swiftshader npx vitest run tests/webgpu
#   scripts/webgpu-env.sh lavapipe npx vitest run tests/webgpu
# swiftshader comes with Debian's chromium; lavapipe must be Mesa 24 or newer (bookworm: from bookworm-backports).
# `scripts/webgpu-env.sh install swiftshader|lavapipe` installs what is missing; it needs to be root.
set -euo pipefail

chromium=/usr/lib/chromium
lavapipe=/usr/share/vulkan/icd.d/lvp_icd.json

install() {
  case "$1" in
    swiftshader)
      [ -e "$chromium/vk_swiftshader_icd.json" ] && return
      apt-get update -qq
      apt-get install -y -qq --no-install-recommends chromium >/dev/null
      ;;
    lavapipe)
      [ -e "$lavapipe" ] && return
      # shellcheck disable=SC1091
      . /etc/os-release
      if [ "$VERSION_CODENAME" = bookworm ]; then
        # From where the system's other packages come.
        apt-get update -qq
        uri="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri bookworm-backports main" \
          >/etc/apt/sources.list.d/backports.list
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends -t bookworm-backports mesa-vulkan-drivers >/dev/null
      else
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends mesa-vulkan-drivers >/dev/null
      fi
      ;;
    *) echo "webgpu-env: expected swiftshader or lavapipe, got $1" >&2 && exit 2 ;;
  esac
}

adapter="${1:?swiftshader, lavapipe or install}"
shift
if [ "$adapter" = install ]; then
  install "${1:?swiftshader or lavapipe}"
  exit
fi
case "$adapter" in
  swiftshader) driver="$chromium/vk_swiftshader_icd.json" ;;
  lavapipe) driver="$lavapipe" ;;
  *) echo "webgpu-env: expected swiftshader or lavapipe, got $adapter" >&2 && exit 2 ;;
esac
[ -e "$driver" ] || { echo "webgpu-env: $driver is missing: scripts/webgpu-env.sh install $adapter" >&2; exit 1; }
# The Vulkan loader comes with chromium where the system has none.
export VK_ICD_FILENAMES="$driver" VK_DRIVER_FILES="$driver"
export LD_LIBRARY_PATH="$chromium${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$@"
