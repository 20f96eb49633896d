"""A CMake project in C alone uses the installed package, shared and static; and one in which C++ is
known to a folder beside, but not to the folder of the program.

c_host.py FACTS
"""

import os

import packages
from packages import PREFIX, common


def main():
    for folder, options in (("c_host", []), ("c_host_sibling", ["-DSIBLING=ON"])):
        build = packages.fresh(folder)
        packages.configure_or_fail("c_host", build, f"-DCMAKE_PREFIX_PATH={PREFIX}", *options)
        common.run_or_fail(["cmake", "--build", build])
        for kind in ("shared", "static"):
            packages.run_consumer(os.path.join(build, f"c_host_{kind}"))
    packages.finish()


if __name__ == "__main__":
    main()
