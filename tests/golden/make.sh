#!/bin/sh
# Makes the libraries of one ABI version, before that version is released; never again after it (README.md).
# usage: make.sh VERSION      on x86-64, with the Debian packages of ./dev deps build
set -eu
cd "$(dirname "$0")/$1"
# Small, the same bytes from any folder, and nothing of this machine's in them.
flags="-Os -fPIC -shared -s -fvisibility=hidden -fno-asynchronous-unwind-tables -ffile-prefix-map=$PWD=. -I../../../sdk/include"
links="-Wl,--build-id=none,--hash-style=gnu,-z,noseparate-code,--gc-sections"
for source in *.c; do
  gcc -std=c11 $flags $links -o "${source%.c}.so" "$source"
done
for source in *.cpp; do
  g++ -std=c++20 $flags -fno-gnu-unique -fvisibility-inlines-hidden -ffunction-sections $links -o "${source%.cpp}.so" "$source"
done
chmod 644 ./*.so
