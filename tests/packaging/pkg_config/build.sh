#!/bin/sh
# How a program is built that knows pkg-config only: build.sh siptls|siptls-static SOURCE PROGRAM.
# CC is the compiler, CFLAGS and LDFLAGS are the program's own.
set -e -u
flags=$(pkg-config --cflags "$1")
libraries=$(pkg-config --libs "$1")
# As make gives them to the shell: pkg-config quotes what has a blank.
eval "exec ${CC:-c++} ${CFLAGS:-} $flags \"\$2\" -o \"\$3\" $libraries ${LDFLAGS:-}"
