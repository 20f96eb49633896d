"""Configuring with another library in BoringSSL's place stops with one clear sentence.

wrong_library.py SOURCE_FOLDER BORINGSSL_INCLUDE_FOLDER BORINGSSL_CRYPTO_LIBRARY
"""

import glob
import os
import re
import sys

import common


def errors_of_configure(source, root):
    """The exit status and what CMake calls an error, each as one line."""
    with common.temporary_folder() as build:
        done = common.run(["cmake", "-S", source, "-B", build, "-G", "Ninja",
                           f"-DBoringSSL_ROOT={root}", "-DSIPTLS_BUILD_TOOLS=OFF",
                           "-DSIPTLS_BUILD_TESTS=OFF", "-DSIPTLS_BUILD_BENCH=OFF"])
    texts = re.findall(r"^CMake Error[^\n]*\n(.*?)(?=^Call Stack|^-- |^CMake |\Z)", done.stdout,
                       re.MULTILINE | re.DOTALL)
    return done.returncode, [" ".join(text.split()) for text in texts], done.stdout


def sentence_problems(title, source, root, *words):
    status, errors, output = errors_of_configure(source, root)
    print(f"{title}: {errors}")
    if status == 0:
        return [f"{title}: the configure step went through"]
    if len(errors) != 1:
        return [f"{title}: {len(errors)} errors where one was expected:\n{output}"]
    problems = []
    # A sentence: a capital or a path first, one full stop at the end.
    if not re.fullmatch(r"[A-Z/][^\n]*\.", errors[0]) or re.search(r"\. [A-Z]", errors[0]):
        problems.append(f"{title}: not one sentence: {errors[0]}")
    problems += [f"{title}: `{word}` is not in: {errors[0]}" for word in words
                 if word not in errors[0]]
    return problems


def openssl_library(name):
    found = glob.glob(f"/usr/lib/*/lib{name}.so") + glob.glob(f"/usr/lib*/lib{name}.so")
    if not found or not os.path.isfile("/usr/include/openssl/opensslv.h"):
        common.skip("OpenSSL's headers are not installed (Debian package libssl-dev)")
    return found[0]


def prefix_with(folder, headers, ssl, crypto):
    """A folder that looks like an installation of BoringSSL."""
    os.makedirs(os.path.join(folder, "include"))
    os.makedirs(os.path.join(folder, "lib"))
    os.symlink(headers, os.path.join(folder, "include", "openssl"))
    for name, library in (("ssl", ssl), ("crypto", crypto)):
        ending = ".a" if library.endswith(".a") else ".so"
        os.symlink(library, os.path.join(folder, "lib", f"lib{name}{ending}"))
    return folder


def main():
    source, boringssl_include, boringssl_crypto = sys.argv[1:4]
    ssl, crypto = openssl_library("ssl"), openssl_library("crypto")
    boringssl_ssl = os.path.join(os.path.dirname(boringssl_crypto),
                                 os.path.basename(boringssl_crypto).replace("crypto", "ssl"))
    problems = sentence_problems("OpenSSL in /usr", source, "/usr", "/usr", "OpenSSL", "BoringSSL")
    with common.temporary_folder() as folder:
        root = prefix_with(os.path.join(folder, "openssl"), "/usr/include/openssl", ssl, crypto)
        problems += sentence_problems("OpenSSL in a prefix", source, root, "OpenSSL", "BoringSSL")
        root = prefix_with(os.path.join(folder, "mixed"), os.path.join(boringssl_include, "openssl"),
                           ssl, crypto)
        problems += sentence_problems("BoringSSL's headers, OpenSSL's libraries", source, root,
                                      "BoringSSL")
        root = prefix_with(os.path.join(folder, "half"), os.path.join(boringssl_include, "openssl"),
                           ssl, boringssl_crypto)
        problems += sentence_problems("OpenSSL's libssl, BoringSSL's libcrypto", source, root,
                                      "BoringSSL")
        empty = os.path.join(folder, "empty")
        os.mkdir(empty)
        problems += sentence_problems("an empty folder", source, empty, empty, "no BoringSSL")
        root = prefix_with(os.path.join(folder, "right"), os.path.join(boringssl_include, "openssl"),
                           boringssl_ssl, boringssl_crypto)
        status, errors, output = errors_of_configure(source, root)
        if status != 0:
            problems.append(f"the right library was refused: {errors}\n{output}")
    for line in problems:
        print(line)
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
