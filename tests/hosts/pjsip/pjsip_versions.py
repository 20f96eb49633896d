#!/usr/bin/env python3
"""Of which versions of PJSIP pjsip-siptls is built: pjsip_versions.py CMAKE EXAMPLE

pkg-config finds a package without files; nothing is compiled.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../house"))
import common  # noqa: E402

PACKAGE = "Name: libpjproject\nDescription: none\nVersion: {}\n"
# The example's CMakeLists.txt, up to the first thing that it builds.
PROJECT = """cmake_minimum_required(VERSION 3.18)
project(versions NONE)
add_library(siptls_tool_common INTERFACE IMPORTED)
macro(add_executable name)
  message(STATUS "builds ${{name}}")
  return()
endmacro()
include({}/CMakeLists.txt)
"""
# CVE-2020-15260 was mended in 2.11.
VERSIONS = {"2.9": False, "2.10": False, "2.10-dev": False, "2.11": True, "2.11.1": True,
            "2.17": True, "3.0": True}


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def main():
    cmake, example = sys.argv[1:]
    common.need("pkg-config", "pkg-config")
    for version, good in VERSIONS.items():
        with common.temporary_folder() as folder:
            write(folder, "CMakeLists.txt", PROJECT.format(example))
            write(folder, "libpjproject.pc", PACKAGE.format(version))
            said = common.run_or_fail([cmake, "-S", folder, "-B", os.path.join(folder, "build")],
                                      env={**os.environ, "PKG_CONFIG_LIBDIR": folder,
                                           "PKG_CONFIG_PATH": folder})
        if ("builds pjsip-siptls" in said) != good or ("2.11 or later" in said) == good:
            common.fail(f"PJSIP {version}:\n{said}")
    print(f"{len(VERSIONS)} versions")


if __name__ == "__main__":
    main()
