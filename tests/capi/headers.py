"""Every header of the C interface, alone and included twice, is C99 and C++ without a warning; and
so are the tests that are written in C.

headers.py ROOT COMPILER CXX_COMPILER; skipped (77) where there is no such compiler.
"""

import os
import shutil
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]


def compiles(command, files):
    done = subprocess.run(command + WARNINGS + ["-fsyntax-only"] + files, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.returncode == 0, done.stdout


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def main():
    root, c_compiler, cxx_compiler = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
    for compiler in (c_compiler, cxx_compiler):
        if shutil.which(compiler) is None:
            print(f"skipped: {compiler} is not installed")
            sys.exit(77)
    include = os.path.join(root, "include")
    headers = [f"siptls/{name}" for name in sorted(os.listdir(os.path.join(include, "siptls")))
               if name.endswith(".h")]
    headers += [f"siptls/c/{name}"
                for name in sorted(os.listdir(os.path.join(include, "siptls", "c")))]
    tests = os.path.join(root, "tests", "capi")
    sources = [os.path.join(tests, name) for name in sorted(os.listdir(tests))
               if name.endswith(".c")]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="siptls-capi-") as folder:
        c_files, cxx_files = [], []
        for header in headers:
            name = header.replace("/", "_")[:-2]
            # A translation unit must not be empty in C99.
            text = f'#include "{header}"\n#include "{header}"\nextern int siptls_unused;\n'
            c_files.append(write(folder, name + ".c", text))
            cxx_files.append(write(folder, name + ".cpp", text))
        planted = write(folder, "planted.c", '#include "siptls/siptls.h"\n'
                        'int f(long n);\nint f(long n) { int m = n; return m; }\n')
        runs = [([c_compiler, "-std=c99", f"-I{include}"], c_files),
                ([cxx_compiler, "-std=c++11", f"-I{include}"], cxx_files),
                ([c_compiler, "-std=c99", f"-I{include}", f"-I{tests}"], sources)]
        for command, files in runs:
            good, text = compiles(command, files)
            if not good:
                print(text)
                failed += 1
        if compiles(runs[0][0], [planted])[0]:
            print("this test is blind: a conversion that loses octets was not seen")
            failed += 1
    print(f"{len(headers)} headers, {len(sources)} sources, {failed} problems")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
