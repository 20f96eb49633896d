"""find_package(siptls 0.1 CONFIG): the three targets, shared and static, what reaches the
consumer's command lines, and what happens where BoringSSL's development files are missing or are
those of another BoringSSL.

find_package.py FACTS
"""

import json
import os
import re

import packages
from packages import FACTS, LIBDIR, PREFIX, common, expect

KINDS = {"siptls": FACTS["default_kind"], "shared": "shared", "static": "static"}
FIND = f"-DCMAKE_PREFIX_PATH={PREFIX}"


def check_commands(build):
    """A consumer sees our headers and nothing else, and gets no flag but that for C++20."""
    entries = json.loads(packages.read(build, "compile_commands.json"))
    expect(len(entries) == len(KINDS), f"{len(entries)} files are compiled")
    for entry in entries:
        command = re.sub(r"(-I|-isystem) ?", "-I", entry["command"])
        folders = [word[2:] for word in command.split() if word.startswith("-I")]
        expect(folders == [os.path.join(PREFIX, "include")], f"a consumer sees {folders}")
        bad = [word for word in command.split() if re.match(r"-W|-f|-D|-O|-pthread$", word)]
        expect(not bad, f"flags of ours reach a consumer: {bad}")


def link_line(build, target):
    lines = common.run_or_fail(["cmake", "--build", build, "--verbose", "--target", target])
    found = [line for line in lines.splitlines() if f" -o {target} " in line]
    if not found:
        common.fail(f"no line links {target}:\n{lines}")
    return found[-1].split()


def check_kind(build, target, kind):
    words = link_line(build, target)
    packages.check_link_words(words, target)
    library = "libsiptls.a" if kind == "static" else "libsiptls.so"
    expect(any(os.path.basename(word).startswith(library) for word in words),
           f"{target} is not linked to {library}: {' '.join(words)}")
    path = os.path.join(build, target)
    packages.run_consumer(path)
    expect(packages.uses_shared_library(path) == (kind == "shared"), f"{target} is not {kind}")
    names = dict.fromkeys(packages.dynamic(path, "NEEDED"))
    if kind == "shared":
        expect(not [name for name in names if re.match("lib(ssl|crypto)", name)],
               f"{target} is linked to BoringSSL itself: {list(names)}")


def siptls_links_to(*options):
    """Which kind siptls::siptls is, without a build."""
    build = packages.fresh("find_package_kind")
    text = packages.configure_or_fail("find_package", build, FIND, "-DLIBRARIES=siptls", *options)
    rules = packages.link_rules(build, "consumer_siptls")
    kinds = {kind for kind, file in (("shared", "libsiptls.so"), ("static", "libsiptls.a"))
             if file in rules}
    return kinds, text


def check_without_boringssl():
    nowhere = f"-DBoringSSL_ROOT={packages.fresh('no_boringssl')}"
    build = packages.fresh("find_package_static")
    asked = packages.configure("find_package", build, FIND, nowhere, "-DLIBRARIES=static",
                               "-DASKED=COMPONENTS;static")
    kinds, text = siptls_links_to(nowhere, "-DASKED=COMPONENTS;shared")
    expect(kinds == {"shared"} or not FACTS["archive_needs_boringssl"],
           f"without BoringSSL siptls::siptls is {kinds}:\n{text}")
    if FACTS["archive_needs_boringssl"]:
        expect(asked.returncode != 0 and "siptls::static needs the BoringSSL" in asked.stdout,
               f"static without BoringSSL ended with {asked.returncode}:\n{asked.stdout}")
    else:
        expect(asked.returncode == 0, f"a self-contained archive needs something:\n{asked.stdout}")


def check_other_boringssl():
    """One of another API than the archive was compiled for. The first of two folders finds it, so
    that the second has its targets already."""
    other = packages.fake_boringssl("other_boringssl")
    text = packages.configure_or_fail("two_folders", packages.fresh("two_folders"), FIND,
                                      f"-DBoringSSL_ROOT={other}")
    there = text.count("siptls::static is there")
    expect(there == (0 if FACTS["archive_needs_boringssl"] else 2),
           f"BoringSSL has another API, and {there} of two folders get siptls::static:\n{text}")


def main():
    build = packages.fresh("find_package")
    packages.configure_or_fail("find_package", build, FIND)
    check_commands(build)
    for name, kind in KINDS.items():
        check_kind(build, f"consumer_{name}", kind)
    for choice, kind in (("ON", "shared"), ("OFF", "static")):
        kinds, _ = siptls_links_to(f"-DBUILD_SHARED_LIBS={choice}")
        expect(kinds == {kind}, f"with BUILD_SHARED_LIBS={choice} siptls::siptls is {kinds}")
    check_without_boringssl()
    check_other_boringssl()
    other = packages.configure("find_package", packages.fresh("find_package_other"), FIND,
                               "-DASKED=COMPONENTS;quic")
    expect(other.returncode != 0, "a component that does not exist is found")
    print(f"package in {LIBDIR}")
    packages.finish()


if __name__ == "__main__":
    main()
