#!/usr/bin/env bash
# get_emacs.sh DIR: emacs (29 or later) and tmux on PATH, installed by apt where they are missing, which needs root;
# and lsp-mode 10 or later, from Debian testing, unpacked into DIR/root.
set -euo pipefail
[ $# -eq 1 ] || { sed -n 2,3p "$0" >&2; exit 2; }
. "$(dirname "$0")/debian_testing.sh"
dir=$(realpath -m "$1")
is_new_enough() {
  command -v emacs >/dev/null && emacs -Q --batch --eval '(kill-emacs (if (>= emacs-major-version 29) 0 1))'
}
need tmux
if ! is_new_enough; then
  [ "$(id -u)" = 0 ] || { echo "Emacs 29 or later is missing; install it with the system's packages" >&2; exit 1; }
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends emacs-nox >/dev/null
fi
if ! is_new_enough; then # an older Debian has a newer one in its backports
  . /etc/os-release
  sources=$(mktemp)
  for suite in "$VERSION_CODENAME" "$VERSION_CODENAME-backports"; do
    echo "deb [signed-by=$KEYRING] $(debian_mirror) $suite main" >> "$sources"
  done
  options=(-o "Dir::Etc::sourcelist=$sources" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0)
  apt-get "${options[@]}" update -qq
  apt-get "${options[@]}" install -t "$VERSION_CODENAME-backports" -y -qq --no-install-recommends emacs-nox >/dev/null
  rm "$sources"
fi
is_new_enough || { echo "no Emacs 29 or later was found; install one" >&2; exit 1; }
unpack_from_testing "$dir" lsp-mode dash f ht s lv spinner markdown-mode
