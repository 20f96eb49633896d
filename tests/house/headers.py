"""The public headers, one by one: each compiles alone without warnings, with and without
exceptions; none brings in a name or a header of the TLS library or of any library but the C++
standard's; siptls.hpp includes all of them.

headers.py INCLUDE_FOLDER COMPILER
"""

import concurrent.futures
import os
import re
import shutil
import sys

import common

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
TLS_NAME = re.compile(r"\b(?:(?:[A-Z]*SSL|X509|EVP|BIO|CRYPTO|CBS|CBB)(?:_\w+|\b)|bssl::)")
LINE_MARKER = re.compile(r'^# \d+ "([^"]*)"')


def compile_alone(compiler, include, header, options, language="c++"):
    source = f'#include "siptls/{header}"\n#include "siptls/{header}"\nextern int used;\n'
    with common.temporary_folder() as folder:
        path = os.path.join(folder, "alone.cpp" if language == "c++" else "alone.c")
        with open(path, "w", encoding="ascii") as file:
            file.write(source)
        command = [compiler, "-x", language, "-fsyntax-only", *options, *WARNINGS, f"-I{include}",
                   path]
        done = common.run(command)
    if done.returncode == 0:
        return []
    return [f"{header} with {' '.join(options)}:\n{done.stdout}"]


def own_lines(preprocessed, include):
    """The lines of preprocessed text that stand in siptls' own headers."""
    inside = False
    for line in preprocessed.splitlines():
        marker = LINE_MARKER.match(line)
        if marker:
            inside = os.path.abspath(marker.group(1)).startswith(include + os.sep)
        elif inside:
            yield line


def names_of_tls_library(text):
    return sorted(set(found.group(0) for found in TLS_NAME.finditer(text)))


def preprocessed_problems(compiler, include, header):
    path = os.path.join(include, "siptls", header)
    # Comments are gone here; text about a name is not a name.
    text = common.run_or_fail([compiler, "-x", "c++", "-std=c++20", "-E", f"-I{include}", path])
    problems = []
    names = names_of_tls_library("\n".join(own_lines(text, include)))
    if names:
        problems.append(f"{header}: names of the TLS library: {', '.join(names)}")
    for entered in sorted(set(re.findall(r'^# \d+ "(/[^"]+)"', text, re.MULTILINE))):
        if re.search(r"/(openssl|fmt|nlohmann|android)/", entered):
            problems.append(f"{header}: includes {entered}")
    return problems


def main():
    include, compiler = os.path.abspath(sys.argv[1]), sys.argv[2]
    if shutil.which(compiler) is None:
        common.skip(f"{compiler} is not installed")
    folder = os.path.join(include, "siptls")
    headers = sorted(name for name in os.listdir(folder) if name.endswith(".hpp"))
    c_headers = [name for name in os.listdir(folder) if name.endswith(".h")]
    c_headers += ["c/" + name for name in os.listdir(os.path.join(folder, "c"))]
    problems = []
    if names_of_tls_library("SSL_CTX* a; X509 *b; EVP_PKEY c; BIO* d; CRYPTO_BUFFER e;") != \
            ["BIO", "CRYPTO_BUFFER", "EVP_PKEY", "SSL_CTX", "X509"]:
        problems.append("this test is blind to names of the TLS library")

    with open(os.path.join(folder, "siptls.hpp"), encoding="ascii") as file:
        included = set(re.findall(r'#include "siptls/([^"]+)"', file.read()))
    with open(os.path.join(folder, "siptls.h"), encoding="ascii") as file:
        included_in_c = set(re.findall(r'#include "siptls/([^"]+)"', file.read()))
    for name in c_headers:
        if name not in included_in_c and not name.endswith(("siptls.h", "plugin.h", "export.h")):
            problems.append(f"siptls.h does not include {name}")
    for name in headers:
        if name not in included and name not in ("siptls.hpp", "export.hpp"):
            problems.append(f"siptls.hpp does not include {name}")

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        jobs = [pool.submit(compile_alone, compiler, include, header, ["-std=c++20"])
                for header in headers]
        jobs.append(pool.submit(compile_alone, compiler, include, "siptls.hpp",
                                ["-std=c++20", "-fno-exceptions"]))
        # The C interface is C99, and C++ programs may use it as well.
        jobs += [pool.submit(compile_alone, compiler, include, header, ["-std=c99"], "c")
                 for header in c_headers]
        jobs.append(pool.submit(compile_alone, compiler, include, "siptls_plugin.h",
                                ["-std=c++11"]))
        # The language level of a program must not matter to it.
        jobs.append(pool.submit(compile_alone, compiler, include, "siptls.hpp", ["-std=c++2b"]))
        jobs += [pool.submit(preprocessed_problems, compiler, include, header)
                 for header in headers + c_headers]
        for job in jobs:
            problems += job.result()
    for line in problems:
        print(line)
    print(f"{compiler}: {len(headers)} headers and {len(c_headers)} of C, {len(problems)} problems")
    if problems or not headers:
        common.fail("see above")


if __name__ == "__main__":
    main()
