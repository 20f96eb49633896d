"""Which BoringSSL siptls takes: the targets of a parent project, in every form that tells what they
are, vcpkg's, or the one of BoringSSL_ROOT; and that another library, one too old and targets that
tell too little are refused. FindBoringSSL.cmake is asked, nothing is built.

boringssl_search.py FACTS
"""

import os
import re

import packages
from packages import common, expect

# (how the parent has its targets, their kind): what they are, or a part of why they are refused.
TARGETS = {
    ("built", "STATIC"): "static",
    ("built", "SHARED"): "shared",
    ("imported", "STATIC"): "static",
    ("imported", "SHARED"): "shared",
    ("imported", "UNKNOWN"): "static",
    ("alias", "SHARED"): "shared",
    ("configuration", "UNKNOWN"): "static",
    ("imported", "INTERFACE"): "does not tell its file",
    ("bare", "STATIC"): "do not tell where openssl/base.h is",
    ("half", "STATIC"): "no target BoringSSL::crypto",
}


def ask(title, *options, build=None, **variables):
    """What FindBoringSSL.cmake says that it found, or its error; in a new folder, or in `build`."""
    done = packages.configure("own_boringssl", build or packages.fresh("own_boringssl"),
                              f"-DSIPTLS_SOURCE_DIR={packages.SOURCE}", *options, **variables)
    found = re.search(r"^-- found: (.*)$", done.stdout, re.MULTILINE)
    said = re.search(r"^CMake Error[^\n]*\n(.*?)^Call Stack", done.stdout,
                     re.MULTILINE | re.DOTALL)
    if (done.returncode == 0) != bool(found) or not (found or said):
        common.fail(f"{title}: status {done.returncode}:\n{done.stdout}")
    answer = found.group(1) if found else "refused: " + " ".join(said.group(1).split())
    print(f"{title}: {answer}")
    return answer


def check_targets():
    for (how, kind), wanted in TARGETS.items():
        fake = packages.fake_boringssl("fake_boringssl", suffix="so" if kind == "SHARED" else "a")
        title = f"a parent's targets, {how}, {kind}"
        answer = ask(title, f"-DFAKE={fake}", f"-DHOW={how}", f"-DKIND={kind}")
        if wanted in ("static", "shared"):
            expect(answer == f"{wanted}, API 99, {fake}/include", f"{title}: {answer}")
        else:
            expect(answer.startswith("refused: ") and wanted in answer, f"{title}: {answer}")
    for api, owner, why in ((16, "BORINGSSL", "too old"), (99, "OTHERSSL", "another library")):
        fake = packages.fake_boringssl("fake_boringssl", api=api, owner=owner)
        title = f"a parent's targets, API {api} of {owner}"
        answer = ask(title, f"-DFAKE={fake}", "-DHOW=built", "-DKIND=STATIC")
        expect(answer.startswith("refused: ") and why in answer, f"{title}: {answer}")


def check_folders():
    """vcpkg's folder of the triplet, if it holds BoringSSL, but behind BoringSSL_ROOT."""
    vcpkg = packages.fake_boringssl("vcpkg_installed/own-triplet")
    root = packages.fake_boringssl("fake_boringssl", api=98)
    here = ["-DHOW=none", f"-DVCPKG_INSTALLED_DIR={os.path.dirname(vcpkg)}"]
    for title, options, variables, wanted in (
            ("vcpkg's triplet", ["own-triplet"], {}, f"static, API 99, {vcpkg}/include"),
            ("vcpkg and BoringSSL_ROOT", ["own-triplet", f"-DBoringSSL_ROOT={root}"], {},
             f"static, API 98, {root}/include"),
            ("vcpkg and BoringSSL_ROOT of the environment", ["own-triplet"],
             {"BoringSSL_ROOT": root}, f"static, API 98, {root}/include")):
        answer = ask(title, *here, f"-DVCPKG_TARGET_TRIPLET={options[0]}", *options[1:],
                     **variables)
        expect(answer == wanted, f"{title}: {answer}, where {wanted} was expected")
    packages.fake_boringssl("vcpkg_installed/openssl-triplet", owner="OTHERSSL")
    answer = ask("vcpkg's triplet with OpenSSL", *here, "-DVCPKG_TARGET_TRIPLET=openssl-triplet")
    expect("vcpkg_installed" not in answer, f"vcpkg's OpenSSL: {answer}")


def check_environment():
    """The environment's BoringSSL_ROOT is kept by a build that is configured again without it."""
    build = packages.fresh("own_boringssl")
    first = packages.fake_boringssl("fake_boringssl", api=98)
    second = packages.fake_boringssl("second_boringssl", api=97)
    for title, variables, wanted in (
            ("the environment's root", {"BoringSSL_ROOT": first}, f"API 98, {first}"),
            ("the same, configured again from another shell", {}, f"API 98, {first}"),
            ("another root in the environment", {"BoringSSL_ROOT": second}, f"API 97, {second}")):
        answer = ask(title, "-DHOW=none", build=build, **variables)
        expect(answer == f"static, {wanted}/include", f"{title}: {answer}")


def main():
    check_targets()
    check_folders()
    check_environment()
    packages.finish()


if __name__ == "__main__":
    main()
