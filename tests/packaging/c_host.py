"""A CMake project in C alone uses the installed package, shared and static.

c_host.py FACTS
"""

import os

import packages
from packages import PREFIX, common


def main():
    build = packages.fresh("c_host")
    packages.configure_or_fail("c_host", build, f"-DCMAKE_PREFIX_PATH={PREFIX}")
    common.run_or_fail(["cmake", "--build", build])
    for kind in ("shared", "static"):
        packages.run_consumer(os.path.join(build, f"c_host_{kind}"))
    packages.finish()


if __name__ == "__main__":
    main()
