"""siptls as a part of another project's build: only the library is built, both kinds at once, no
compiler flag of ours reaches the host or warns the host's build, and, with --build, which compiles
the whole library anew, the host's program runs.

subproject.py SOURCE_FOLDER CXX_COMPILER [--build] [BORINGSSL_ROOT]
"""

import json
import os
import re
import sys

import common

HOST_TARGETS = {"host_siptls", "host_shared", "host_static"}
OWN_TARGETS = {"siptls_shared", "siptls_static"}
ROOMS = {f"siptls_{room}" for room in ("base", "sip", "pki", "tls", "net", "transport", "capi")}


def configure(source, build, compiler, boringssl_root, *more):
    here = os.path.dirname(os.path.abspath(__file__))
    options = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=", f"-DCMAKE_CXX_COMPILER={compiler}",
               f"-DSIPTLS_SOURCE_DIR={source}"]
    # What only tools, tests and benches need must not be asked for.
    options += [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON"
                for name in ("nlohmann_json", "Catch2", "benchmark", "Python3")]
    if boringssl_root:
        options.append(f"-DBoringSSL_ROOT={boringssl_root}")
    return common.run_or_fail(["cmake", "-S", os.path.join(here, "subproject"), "-B", build,
                               *options, *more])


def target_problems(build):
    listing = common.run_or_fail(["ninja", "-C", build, "-t", "targets", "all"])
    targets = set(re.findall(r"^(\w[\w-]*): \w+$", listing, re.MULTILINE))
    problems = []
    for name in sorted(HOST_TARGETS | OWN_TARGETS | ROOMS):
        if name not in targets:
            problems.append(f"the target {name} is missing")
    for name in sorted(targets):
        if re.match(r"siptls", name) and name not in OWN_TARGETS | ROOMS | {"siptls"}:
            problems.append(f"a parent project also gets the target {name}")
    tests = common.run_or_fail(["ctest", "--test-dir", build, "-N"])
    if "Total Tests: 0" not in tests:
        problems.append(f"a parent project also gets tests:\n{tests}")
    return problems


def flag_problems(build, source):
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    problems, hosts, own = [], 0, 0
    for entry in commands:
        words = entry["command"].split()
        if os.path.basename(entry["file"]) == "host.cpp":
            hosts += 1
            bad = [word for word in words
                   if re.match(r"-W|-f(?!diagnostics)|-D|-O|-pthread$", word)]
        elif entry["file"].startswith(source + os.sep):
            own += 1
            bad = [word for word in words if word.startswith("-W")]
            place = os.path.relpath(entry["file"], source)
            if not place.startswith("src" + os.sep):
                problems.append(f"a parent project also builds {place}")
        else:
            bad = []
        if bad:
            problems.append(f"{entry['file']} is compiled with {' '.join(bad)}")
    if hosts != len(HOST_TARGETS) or own == 0:
        problems.append(f"compile_commands.json names {hosts} files of the host, {own} of siptls")
    return problems


def built_problems(build):
    common.run_or_fail(["cmake", "--build", build], timeout=900)
    for name in sorted(HOST_TARGETS):
        print(common.run_or_fail([os.path.join(build, name)]).strip())
    needed = {name: common.run_or_fail(["ldd", os.path.join(build, name)]) for name in HOST_TARGETS}
    return [f"{name} is linked to the other kind of library:\n{needed[name]}"
            for name, wanted in (("host_siptls", False), ("host_static", False),
                                 ("host_shared", True))
            if ("libsiptls.so" in needed[name]) != wanted]


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--build"]
    source, compiler = os.path.abspath(arguments[0]), arguments[1]
    boringssl_root = arguments[2] if len(arguments) > 2 else ""
    problems = []
    with common.temporary_folder() as build:
        configure(source, build, compiler, boringssl_root)
        problems += target_problems(build) + flag_problems(build, source)
        if "--build" in sys.argv:
            problems += built_problems(build)
    with common.temporary_folder() as build:
        configure(source, build, compiler, boringssl_root, "-DBUILD_SHARED_LIBS=ON")
        rules = common.run_or_fail(["ninja", "-C", build, "-t", "query", "host_siptls"])
        if "libsiptls.so" not in rules:
            problems.append("siptls::siptls ignores BUILD_SHARED_LIBS")
    with common.temporary_folder() as build:
        configure(source, build, compiler, boringssl_root, "-DHOST_BRINGS_BORINGSSL=ON")
    for line in problems:
        print(line)
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
