"""siptls' sources in another project's build, by add_subdirectory and by FetchContent, and in a
project in C alone: it configures with nothing but BoringSSL and fmt, gives the three targets (CMake
refuses to link to one with :: in its name that is not there), and installs nothing of siptls. With
--build also built and run.

source_tree.py FACTS [--build]
"""

import os
import re
import sys

import packages
from packages import FACTS, common, expect

LIBRARIES = ("siptls", "shared", "static")


def main():
    to_be_built = "--build" in sys.argv[2:]
    for project in ("add_subdirectory", "fetch_content", "c_add_subdirectory"):
        build = packages.fresh(f"{project}_built" if to_be_built else project)
        options = [f"-DSIPTLS_SOURCE_DIR={packages.SOURCE}"]
        # What only tools, tests and benches need must not be asked for.
        options += [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON"
                    for name in ("nlohmann_json", "Catch2", "benchmark", "Python3")]
        if FACTS["boringssl_root"]:
            options.append(f"-DBoringSSL_ROOT={FACTS['boringssl_root']}")
        packages.configure_or_fail(project, build, *options)
        files = packages.files_below(build)
        expect("CPackConfig.cmake" not in map(os.path.basename, files),
               f"{project}: the parent gets siptls' packages")
        rules = [path for path in files if path.endswith("cmake_install.cmake")
                 and "libsiptls" in packages.read(build, path)]
        expect(not rules, f"{project}: siptls is installed by {rules}")
        # The linker of C does not add C++'s libraries itself.
        adds = re.search(r" -l(std)?c\+\+", packages.link_rules(build, "consumer_static"))
        expect(bool(adds) == (project == "c_add_subdirectory"),
               f"{project}: C++'s library on the link line: {adds}")
        if to_be_built:
            common.run_or_fail(["cmake", "--build", build], timeout=900)
            for name in LIBRARIES:
                packages.run_consumer(os.path.join(build, f"consumer_{name}"))
            prefix = os.path.join(build, "prefix")
            common.run_or_fail(["cmake", "--install", build, "--prefix", prefix])
            installed = packages.files_below(prefix)
            expect(installed == ["bin/consumer_siptls"], f"{project} installs {installed}")
    packages.finish()


if __name__ == "__main__":
    main()
