"""The version stands in include/siptls/version.hpp, and everything else says the same.

versions.py FACTS
"""

import json
import os
import re

import packages
from packages import FACTS, LIBDIR, common, expect


def macros(header):
    return dict(re.findall(r"#define SIPTLS_VERSION_(\w+) \"?([\d.]+)\"?", header))


def main():
    header = macros(packages.read(packages.SOURCE, "include", "siptls", "version.hpp"))
    version = ".".join(header[part] for part in ("MAJOR", "MINOR", "PATCH"))
    said = {
        "version.hpp's text": header["STRING"],
        "CMake's project": FACTS["version"],
        "vcpkg.json": json.loads(packages.read(packages.SOURCE, "vcpkg.json"))["version"],
        "the installed header": macros(packages.read(packages.PREFIX, "include", "siptls",
                                                     "version.hpp"))["STRING"],
        "the library's file": os.path.basename(os.path.realpath(
            os.path.join(LIBDIR, "libsiptls.so"))).removeprefix("libsiptls.so."),
    }
    for name in ("siptls", "siptls-static"):
        found = re.search(r"^Version: (.*)$", packages.read(LIBDIR, "pkgconfig", f"{name}.pc"),
                          re.MULTILINE)
        said[f"{name}.pc"] = found.group(1) if found else None
    patterns = {
        "the CMake package": (packages.read(LIBDIR, "cmake", "siptls", "siptlsConfigVersion.cmake"),
                              r'set\(PACKAGE_VERSION "([\d.]+)"\)'),
        "CPack": (packages.read(packages.BUILD, "CPackConfig.cmake"),
                  r'set\(CPACK_PACKAGE_VERSION "([\d.]+)"\)'),
        "the changelog's newest release": (packages.read(packages.SOURCE, "CHANGELOG.md"),
                                           r"(?m)^## (\d[\d.]*)"),
    }
    for name, (text, pattern) in patterns.items():
        found = re.search(pattern, text)
        said[name] = found.group(1) if found else None
    manifest = json.loads(packages.read(packages.SOURCE, "vcpkg.json"))
    features = {name: set(one["dependencies"]) for name, one in manifest["features"].items()}
    expect("fmt" in manifest["dependencies"] and "boringssl" in features["boringssl"]
           and "nlohmann-json" in features["tools"] & features["tests"]
           and "catch2" in features["tests"]
           # What a build of siptls alone has ON by itself and cannot do without.
           and {"boringssl", "tools"} <= set(manifest["default-features"]),
           f"vcpkg.json asks for {manifest}")
    strings = packages.tool("strings")
    if strings:
        texts = common.run_or_fail([strings, os.path.join(LIBDIR, "libsiptls.so")]).splitlines()
        expect(version in texts, f"libsiptls.so does not hold the text {version}")
    for name, value in said.items():
        print(f"{name}: {value}")
        expect(value == version, f"{name} says {value}, version.hpp {version}")
    packages.finish()


if __name__ == "__main__":
    main()
