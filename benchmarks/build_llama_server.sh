#!/usr/bin/env bash
# Build llama.cpp's server with all that this machine's processor can do.
#   build_llama_server.sh TARGET VERSION PYTHON
# The sources are those inside of the package llama-cpp-python, VERSION, from PyPI.  Needs a C++
# compiler; cmake and ninja come from PyPI where they are missing.
set -euo pipefail
target=$1 version=$2 python=$(realpath "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
pip() { "$work/venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
for tool in cmake ninja; do command -v $tool >/dev/null || pip install $tool; done
export PATH=$PATH:$work/venv/bin
pip download --no-deps --no-binary llama-cpp-python --dest "$work" "llama-cpp-python==$version"
tar -xzf "$work"/llama_cpp_python-*.tar.gz -C "$work" --strip-components=1
cmake -S "$work/vendor/llama.cpp" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
  -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF
cmake --build "$work/build" --target llama-server
mkdir -p "$(dirname "$target")"
mv "$work/build/bin/llama-server" "$target"
