"""cmake --install of this build: what is there, what is not, and that nothing leads back to the
build tree. Leaves the installation, moved to another folder, for the other tests.

installed_files.py FACTS
"""

import os
import re
import shutil

import packages
from packages import FACTS, LIBDIR, PREFIX, common, expect

TOOLS = ("siptls-server", "siptls-client", "siptls-verify", "siptls-frame")


def install():
    """Installs each component on its own, so that a file without one would be missing."""
    for folder in (packages.STAGING, PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
    listed = {}
    for component in ("runtime", "development", "tools"):
        before = set(packages.files_below(packages.STAGING))
        common.run_or_fail(["cmake", "--install", packages.BUILD, "--prefix", packages.STAGING,
                            "--strip", "--component", component])
        listed[component] = set(packages.files_below(packages.STAGING)) - before
    # The debug information of the archive is worth 200 MB here, and makes each link slow.
    strip = packages.tool("strip")
    archive = os.path.join(packages.STAGING, FACTS["libdir"], "libsiptls.a")
    if strip:
        common.run_or_fail([strip, "--strip-debug", archive])
    os.rename(packages.STAGING, PREFIX)
    return listed


def check_components(listed):
    lib, version = FACTS["libdir"], FACTS["version"]
    minor = version.rsplit(".", 1)[0]
    runtime = {f"{lib}/libsiptls.so.{version}", f"{lib}/libsiptls.so.{minor}"}
    runtime |= {f"{lib}/siptls/{name}.so" for name in FACTS["plugin"]}
    expect(listed["runtime"] == runtime, f"runtime: {sorted(listed['runtime'])}")

    headers = {f"include/siptls/{path}" for path in
               packages.files_below(os.path.join(packages.SOURCE, "include", "siptls"))}
    package = {f"{lib}/cmake/siptls/siptls{name}.cmake" for name in
               ("Config", "ConfigVersion", "SharedTargets", "StaticTargets")}
    wanted = headers | package | {f"{lib}/libsiptls.so", f"{lib}/libsiptls.a",
                                  f"{lib}/pkgconfig/siptls.pc", f"{lib}/pkgconfig/siptls-static.pc"}
    if FACTS["archive_needs_boringssl"]:
        wanted.add(f"{lib}/cmake/siptls/FindBoringSSL.cmake")
    got = {path for path in listed["development"] if not path.startswith("share/doc/")
           and not re.search(r"Targets-\w+\.cmake$", path)}
    expect(got == wanted, f"development: missing {sorted(wanted - got)}, not expected "
           f"{sorted(got - wanted)}")

    manuals = {path for path in listed["tools"] if path.startswith("share/man/man1/")}
    # Their pages send to the operators' guide.
    wanted = {f"bin/{tool}" for tool in TOOLS} if FACTS["tools"] else set()
    if FACTS["tools"]:
        wanted.add("share/doc/siptls-tools/operators.md")
    expect(listed["tools"] - manuals == wanted, f"tools: {sorted(listed['tools'])}")
    for tool in TOOLS if FACTS["tools"] else ():
        there = os.path.exists(os.path.join(packages.SOURCE, "docs", "man", f"{tool}.1"))
        expect((f"share/man/man1/{tool}.1" in manuals) == there, f"the man page of {tool}")


def check_paths():
    for path in packages.files_below(PREFIX):
        full = os.path.join(PREFIX, path)
        if os.path.islink(full):
            expect(not os.path.isabs(os.readlink(full)), f"{path}: leads to {os.readlink(full)}")
            continue
        if packages.is_elf(full):
            packages.check_elf(full, path)
        if path.endswith((".pc", ".cmake")) or packages.is_elf(full):
            found = packages.names_build(full)
            expect(found is None, f"{path}: names the build: {found}")


def check_links():
    """A link of an installed document leads to a file that is installed."""
    count = 0
    for path in packages.files_below(PREFIX):
        if not path.endswith(".md"):
            continue
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?ms)^```.*?^```$", "",
                                                         packages.read(PREFIX, path))):
            target = os.path.join(os.path.dirname(path), link.partition("#")[0])
            if "://" not in link and not link.startswith("#"):
                count += 1
                expect(os.path.exists(os.path.join(PREFIX, target)), f"{path}: a link to {link}")
    expect(count > 5, f"the installed documents have {count} links to each other")


def check_config():
    """A package that carries its BoringSSL says nothing of where that was."""
    config = packages.read(LIBDIR, "cmake", "siptls", "siptlsConfig.cmake")
    if FACTS["boringssl_root"] and not FACTS["archive_needs_boringssl"]:
        expect(FACTS["boringssl_root"] not in config, "siptlsConfig.cmake names BoringSSL's folder")


def check_tools():
    """An installed tool runs, though libsiptls.so is found nowhere but beside it."""
    for tool in TOOLS if FACTS["tools"] else ():
        path = os.path.join(PREFIX, "bin", tool)
        text = common.run_or_fail([path, "--help"], env=packages.environment())
        expect(tool in text, f"{tool} --help: {text}")
        expect(packages.uses_shared_library(path) == (FACTS["default_kind"] == "shared"),
               f"{tool} uses the other kind of library")


def main():
    listed = install()
    check_components(listed)
    check_paths()
    check_links()
    check_config()
    check_tools()
    soname = packages.dynamic(os.path.join(LIBDIR, "libsiptls.so"), "SONAME")
    minor = FACTS["version"].rsplit(".", 1)[0]
    expect(soname == [f"libsiptls.so.{minor}"], f"SONAME: {soname}")
    print(f"{sum(map(len, listed.values()))} files installed")
    packages.finish()


if __name__ == "__main__":
    main()
