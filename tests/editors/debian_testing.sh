# Sourced by get_*.sh: packages of Debian testing beside another Debian or Ubuntu, which stays as it is.
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

debian_mirror() { # the one that apt is set up with, or what DEBIAN_MIRROR says
  local found=${DEBIAN_MIRROR:-}
  [ -n "$found" ] || found=$(grep -rhE '^(URIs:|deb )' /etc/apt/ 2>/dev/null | tr ' ' '\n' |
    grep -E '^[a-z]+://.*/debian/?$' | sort -u | head -1 || true)
  [ -n "$found" ] || { echo "no Debian mirror in the apt sources; name one in DEBIAN_MIRROR" >&2; return 1; }
  echo "$found"
}

need() { # a program that a package of the same name has
  command -v "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] || { echo "$1 is missing; install it with the system's packages" >&2; return 1; }
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "$1" >/dev/null
}

unpack_from_testing() { # DIR --with-dependencies PACKAGE..., or DIR ELPA_NAME... without dependencies
  local dir=$1 all=
  shift
  if [ "$1" = --with-dependencies ]; then all=yes; shift; else set -- "${@/#/elpa-}"; fi
  [ -e "$KEYRING" ] || need debian-archive-keyring
  mkdir -p "$dir"/state/lists/partial "$dir"/cache/archives/partial "$dir"/root
  : > "$dir/state/status"
  echo "deb [signed-by=$KEYRING] $(debian_mirror) testing main" > "$dir/sources.list"
  cat > "$dir/apt.conf" <<EOF
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "-";
Dir::State "$dir/state";
Dir::State::lists "$dir/state/lists";
Dir::State::status "$dir/state/status";
Dir::Cache "$dir/cache";
APT::Install-Recommends "0";
APT::Sandbox::User "root";
EOF
  (
    export APT_CONFIG=$dir/apt.conf
    cd "$dir/cache/archives"
    apt-get update -qq
    if [ -n "$all" ]; then
      apt-get install -y -qq --download-only "$@" >"$dir/apt.log" 2>&1 || { tail -20 "$dir/apt.log" >&2; exit 1; }
    else
      apt-get download -qq "$@"
    fi
    for package in *.deb; do dpkg -x "$package" "$dir/root"; done
  )
  rm -rf "$dir/cache" "$dir/state/lists"
}
