#!/usr/bin/env bash
# get_neovim.sh DIR: DIR/bin/nvim, 0.12 or later.  The one on PATH if it is new enough; otherwise Debian testing's,
# unpacked beside the system, which stays as it is: apt resolves against an empty status in a folder of its own, and
# nvim is patched to use its own loader and libc.  Runs as root where patchelf must be installed.
# DEBIAN_MIRROR names a mirror on a system that has none in its apt sources.  Run again if DIR moves.
set -euo pipefail
[ $# -eq 1 ] || { sed -n 2,5p "$0" >&2; exit 2; }
. "$(dirname "$0")/debian_testing.sh"
dir=$(realpath -m "$1")
is_new_enough() {
  "$1" --clean --headless +'lua if not vim.lsp.inline_completion then vim.cmd.cquit() end' +q 2>/dev/null
}
mkdir -p "$dir/bin"
if command -v nvim >/dev/null && is_new_enough nvim; then
  ln -sf "$(command -v nvim)" "$dir/bin/nvim"
  exit
fi
need patchelf
unpack_from_testing "$dir" --with-dependencies neovim
libraries=$(dirname "$(find "$dir/root/usr/lib" -name 'ld-linux*' | head -1)")
patchelf --set-interpreter "$(find "$libraries" -name 'ld-linux*' | head -1)" --force-rpath --set-rpath "$libraries" \
  "$dir/root/usr/bin/nvim"
cat > "$dir/bin/nvim" <<EOF
#!/bin/sh
export VIM="$dir/root/usr/share/nvim" VIMRUNTIME="$dir/root/usr/share/nvim/runtime"
exec "$dir/root/usr/bin/nvim" "\$@"
EOF
chmod +x "$dir/bin/nvim"
is_new_enough "$dir/bin/nvim" || { echo "Debian testing's Neovim has no vim.lsp.inline_completion" >&2; exit 1; }
