"""Debian packages as they are meant to be made, from a build of their own with Debian's folders and
the shared library, installed in a Debian system that has nothing else. There the tools run, a
program is built without BoringSSL's development files, and removal leaves nothing.

clean_system.py FACTS

Without root, debootstrap or a mirror the packages are only made and judged, and the test counts as
skipped.
"""

import os
import re
import shutil
import tempfile

import debian
import packages
from packages import FACTS, HERE, common, expect


def build_packages():
    build = packages.fresh("clean_system_build")
    options = ["-DCMAKE_INSTALL_PREFIX=/usr", "-DBUILD_SHARED_LIBS=ON",
               "-DCMAKE_BUILD_TYPE=Release", "-DSIPTLS_BUILD_TESTS=OFF",
               "-DSIPTLS_BUILD_BENCH=OFF"]
    if FACTS["boringssl_root"]:
        options.append(f"-DBoringSSL_ROOT={FACTS['boringssl_root']}")
    common.run_or_fail(["cmake", "-S", packages.SOURCE, "-B", build, "-G", "Ninja",
                        f"-DCMAKE_C_COMPILER={FACTS['cc']}",
                        f"-DCMAKE_CXX_COMPILER={FACTS['cxx']}", *options],
                       env=packages.environment())
    common.run_or_fail(["cmake", "--build", build], timeout=1800)
    made = debian.make(build, packages.fresh("clean_system_packages"))
    debian.check(made, multiarch=True, kind="shared", unpacked="clean_system_unpacked")
    debian.check_dependencies_on_clean_system(made)
    return made


def mirror_and_release():
    text = packages.read("/etc/os-release")
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', text, re.MULTILINE))
    if release.get("ID") != "debian":
        common.skip("this system is not Debian, so there is no mirror to take a clean one from")
    sites = packages.output_of(["apt-get", "indextargets", "--format", "$(REPO_URI)",
                                "Created-By: Packages", "Origin: Debian",
                                f"Codename: {release['VERSION_CODENAME']}"]).split()
    if not sites:
        common.skip("apt has no lists of Debian's packages")
    return sites[0], release["VERSION_CODENAME"]


class CleanSystem:
    """A new Debian in a folder, for the time of a `with` block."""

    def __enter__(self):
        if os.geteuid() != 0:
            common.skip("a clean system can only be made by root")
        debootstrap = common.need("debootstrap", "debootstrap")
        mirror, release = mirror_and_release()
        self.root = tempfile.mkdtemp(prefix="siptls-clean-")
        os.chmod(self.root, 0o755)
        done = common.run([debootstrap, "--variant=minbase", release, self.root, mirror],
                          timeout=1800)
        if done.returncode != 0:
            self.__exit__()
            common.skip(f"debootstrap of {mirror} ended with {done.returncode}: "
                        f"{done.stdout.splitlines()[-1:]}")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, *command):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root",
                       "DEBIAN_FRONTEND": "noninteractive"}
        return common.run_or_fail(["chroot", self.root, *command], timeout=1800, env=environment)

    def install(self, *names):
        self.run("apt-get", "-q", "-y", "--no-install-recommends", "install", *names)

    def is_installed(self, name):
        done = common.run(["chroot", self.root, "dpkg-query", "-W", "-f=${db:Status-Status}", name])
        return done.returncode == 0 and done.stdout == "installed"


def use(system, made):
    os.makedirs(os.path.join(system.root, "made"))
    for path in made.values():
        shutil.copy(path, os.path.join(system.root, "made"))
    inside = {name: f"/made/{os.path.basename(path)}" for name, path in made.items()}
    before = set(packages.files_below(os.path.join(system.root, "usr")))

    # The tools bring all that they need, and nothing for developers.
    system.install(inside["libsiptls0"], inside["siptls-tools"])
    for tool in ("siptls-server", "siptls-client", "siptls-verify", "siptls-frame"):
        expect(tool in system.run(tool, "--help"), f"{tool} --help")
    expect("libsiptls.so.0" in system.run("ldconfig", "-p"), "ldconfig does not know the library")

    # A program of somebody else, with no file of BoringSSL's development package.
    system.install(inside["libsiptls-dev"], "g++", "pkg-config", "cmake", "make")
    expect(not system.is_installed("android-libboringssl-dev"),
           "BoringSSL's development files are installed, so this says nothing")
    shutil.copytree(HERE, os.path.join(system.root, "packaging"))
    system.run("env", "CFLAGS=-std=c++20", "sh", "/packaging/pkg_config/build.sh", "siptls",
               "/packaging/consumer.cpp", "/made/by_pkg_config")
    print(system.run("/made/by_pkg_config").strip())
    system.run("cmake", "-S", "/packaging/find_package", "-B", "/made/build",
               "-DLIBRARIES=siptls;shared")
    system.run("cmake", "--build", "/made/build")
    for program in ("consumer_siptls", "consumer_shared"):
        text = system.run(f"/made/build/{program}")
        expect(FACTS["version"] in text, f"{program}: {text}")
    # What a package of that program would depend on.
    os.makedirs(os.path.join(system.root, "made", "debian"))
    with open(os.path.join(system.root, "made", "debian", "control"), "w", encoding="utf-8"):
        pass
    system.install("dpkg-dev")
    wants = system.run("sh", "-c", "cd /made && dpkg-shlibdeps -O by_pkg_config")
    major, minor, _ = FACTS["version"].split(".")
    expect(f"libsiptls0 (<< {major}.{int(minor) + 1})" in wants, f"a consumer depends on {wants}")

    # The archive wants what is recommended.
    if FACTS["archive_needs_boringssl"]:
        system.install("android-libboringssl-dev")
    system.run("cmake", "-S", "/packaging/find_package", "-B", "/made/static",
               "-DLIBRARIES=static", "-DASKED=COMPONENTS;static")
    system.run("cmake", "--build", "/made/static")
    print(system.run("/made/static/consumer_static").strip())

    system.run("apt-get", "-q", "-y", "purge", *made)
    left = [path for path in packages.files_below(os.path.join(system.root, "usr"))
            if "siptls" in path and path not in before]
    expect(not left, f"removed packages leave {left}")
    expect("libsiptls" not in system.run("ldconfig", "-p"), "ldconfig still knows the library")


def main():
    debian.need_tools()
    made = build_packages()
    if packages.PROBLEMS:
        packages.finish()
    with CleanSystem() as system:
        use(system, made)
    packages.finish()


if __name__ == "__main__":
    main()
