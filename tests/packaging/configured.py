"""siptls configured in ways that the other tests do not use, and not built: as a part of a project
that has BoringSSL and fmt of its own and installs siptls with itself, and with an absolute folder
for libraries.

configured.py FACTS
"""

import json
import os
import re
import shlex
import shutil

import packages
from packages import FACTS, common, expect


def compiled_with_no_plt(build):
    entries = json.loads(packages.read(build, "compile_commands.json"))
    found = [entry["command"] for entry in entries if "/src/tls/" in entry["file"]]
    if not found:
        common.fail(f"no file of src/tls is compiled in {build}")
    return " -fno-plt " in found[0]


def check_parent(how, kind):
    """The linkage of the parent's BoringSSL decides about flags, archive and package."""
    # A blank in the path: what stands in the pkg-config file is read by a shell.
    fake = packages.fake_boringssl("own parts", suffix="so" if kind == "SHARED" else "a")
    build = packages.fresh("own_parts")
    title = f"a parent's BoringSSL, {how}, {kind}"
    done = packages.configure("own_parts", build, f"-DSIPTLS_SOURCE_DIR={packages.SOURCE}",
                              f"-DFAKE={fake}", f"-DHOW={how}", f"-DKIND={kind}",
                              "-DCMAKE_DISABLE_FIND_PACKAGE_fmt=ON", "-DCMAKE_UNITY_BUILD=ON")
    if done.returncode != 0:
        expect(False, f"{title}: status {done.returncode}:\n{done.stdout}")
        return
    shared = kind == "SHARED"
    # The shared library is prelinked to nobody's functions, the static one is hidden.
    expect(compiled_with_no_plt(build) == shared, f"{title}: -fno-plt: {not shared}")
    # A parent's wish for unity builds is not one about our files, nor are its sanitizers ours.
    compiled = packages.read(build, "compile_commands.json")
    expect(not re.search(r"/siptls/src/\S*/Unity/", compiled),
           f"{title}: our files are compiled as one")
    expect("--no-undefined" not in link_commands(build), f"{title}: --no-undefined")
    hidden = "siptls_static_merged.o" in link_commands(build)
    expect(hidden == (not shared and gnu_tools()), f"{title}: BoringSSL is hidden: {hidden}")
    config = packages.read(build, "siptls", "package", "siptlsConfig.cmake")
    asks = "elseif(ON)" in config
    expect(asks != hidden, f"{title}: the package asks for BoringSSL: {asks}")
    expect("API 99, and" in config, f"{title}: the package does not know BoringSSL's API")
    # None of our files may stand among the parent's own.
    rules = packages.read(build, "siptls", "cmake_install.cmake")
    folders = set(re.findall(r'CMAKE_INSTALL_PREFIX\}/share/doc/([^/"]+)', rules))
    expect(folders == {"siptls"}, f"{title}: documents go into {folders}")
    if asks:
        text = packages.read(build, "siptls", "package", "siptls-static.pc")
        words = shlex.split(re.search(r"^Libs: (.*)$", text, re.MULTILINE).group(1))
        for lib in ("ssl", "crypto"):
            expect(f"{fake}/lib/lib{lib}.so" in words, f"{title}: siptls-static.pc: {words}")
        expect(f"-Wl,-rpath,{fake}/lib" in words, f"{title}: siptls-static.pc: {words}")
        check_places(title, build, fake)


def check_places(title, build, fake):
    """The package looks for BoringSSL where the build had it, unless it is told otherwise."""
    package = packages.fresh("own_parts_package")
    for path in (os.path.join(build, "siptls", "package", "siptlsConfig.cmake"),
                 os.path.join(build, "siptls", "package", "siptlsConfigVersion.cmake"),
                 os.path.join(packages.SOURCE, "cmake", "FindBoringSSL.cmake")):
        shutil.copy(path, package)
    # In place of what an installation makes.
    for kind in ("Shared", "Static"):
        with open(os.path.join(package, f"siptls{kind}Targets.cmake"), "w",
                  encoding="utf-8") as file:
            file.write(f"add_library(siptls::{kind.lower()} INTERFACE IMPORTED)\n")
    other = packages.fake_boringssl("configured_boringssl", api=98)
    for variables, wanted in (({}, 0), ({"BoringSSL_ROOT": other}, 1)):
        done = packages.configure("find_package", packages.fresh("own_parts_consumer"),
                                  f"-Dsiptls_DIR={package}", "-DLIBRARIES=static",
                                  "-DASKED=COMPONENTS;static", **variables)
        expect(done.returncode == wanted and ("and API 98 was found" in done.stdout) == wanted,
               f"{title}: a consumer with {variables}: status {done.returncode}:\n{done.stdout}")


def link_commands(build):
    """The build's rules, as far as the generator writes them where they can be read."""
    for path in ("build.ninja", os.path.join("siptls", "src", "CMakeFiles", "siptls_static.dir",
                                             "build.make")):
        if os.path.exists(os.path.join(build, path)):
            return packages.read(build, path)
    return ""


def gnu_tools():
    return all(packages.tool(name) for name in ("ld.bfd", "objcopy", "nm"))


def check_absolute_folder():
    """Tools find libsiptls.so where CMAKE_INSTALL_LIBDIR is absolute, wherever they go."""
    if not FACTS["tools"]:
        return
    build, libdir = packages.fresh("absolute"), "/somewhere/else/lib"
    options = [f"-DBoringSSL_ROOT={FACTS['boringssl_root']}"] if FACTS["boringssl_root"] else []
    common.run_or_fail(["cmake", "-S", packages.SOURCE, "-B", build,
                        f"-DCMAKE_C_COMPILER={FACTS['cc']}",
                        f"-DCMAKE_CXX_COMPILER={FACTS['cxx']}", *options,
                        "-DSIPTLS_BUILD_TESTS=OFF", "-DSIPTLS_BUILD_BENCH=OFF",
                        "-DBUILD_SHARED_LIBS=ON", f"-DCMAKE_INSTALL_LIBDIR={libdir}"],
                       env=packages.environment())
    rules = packages.read(build, "cmake_install.cmake")
    found = set(re.findall(r'bin/siptls-\w+"\s+RPATH "([^"]*)"', rules))
    expect(found and all(libdir in one.split(":") and "ORIGIN" not in one for one in found),
           f"libraries are in {libdir}, and the tools look for them in {found}")


def main():
    check_parent("imported", "SHARED")
    check_parent("built", "STATIC")
    check_absolute_folder()
    packages.finish()


if __name__ == "__main__":
    main()
