"""pkg-config and a plain call of the compiler, shared and static, in C++ and in C; also where the
path of the installation has a blank.

pkg_config.py FACTS
"""

import os

import packages
from packages import FACTS, HERE, LIBDIR, PREFIX, common, expect


def build(package, source, program, compiler, flags, libdir=LIBDIR):
    environment = packages.environment(
        PKG_CONFIG_PATH=os.path.join(libdir, "pkgconfig"), CC=compiler, CFLAGS=flags,
        LDFLAGS=f"-Wl,-rpath,{LIBDIR}" if package == "siptls" else "")
    common.run_or_fail(["sh", os.path.join(HERE, "pkg_config", "build.sh"), package,
                        os.path.join(HERE, source), program], env=environment)


def main():
    pkg_config = common.need("pkg-config", "pkgconf")
    folder = packages.fresh("pkg_config")
    blank = os.path.join(folder, "with a blank")
    os.symlink(PREFIX, blank)
    for package in ("siptls", "siptls-static"):
        environment = packages.environment(PKG_CONFIG_PATH=os.path.join(LIBDIR, "pkgconfig"))
        words = packages.output_of([pkg_config, "--cflags", "--libs", package],
                                   env=environment).split()
        print(f"{package}: {' '.join(words)}")
        packages.check_link_words(words, package)
        expect(not [word for word in words if word.startswith("-I") and "android" in word],
               f"{package}: a consumer sees BoringSSL's headers: {words}")
        program = os.path.join(folder, f"consumer_{package}")
        build(package, "consumer.cpp", program, FACTS["cxx"], "-std=c++20")
        packages.run_consumer(program)
        expect(packages.uses_shared_library(program) == (package == "siptls"),
               f"{package} is the other kind of library")
        program = os.path.join(folder, f"c_host_{package}")
        build(package, os.path.join("c_host", "main.c"), program, FACTS["cc"], "-std=c99")
        packages.run_consumer(program)
        program = os.path.join(folder, f"blank_{package}")
        build(package, "consumer.cpp", program, FACTS["cxx"], "-std=c++20",
              os.path.join(blank, FACTS["libdir"]))
        packages.run_consumer(program)
    packages.finish()


if __name__ == "__main__":
    main()
