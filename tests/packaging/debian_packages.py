"""The Debian packages of this build, made by CPack: names, fields, contents, dependencies, and that
what comes out of them works. Installs nothing on the machine.

debian_packages.py FACTS
"""

import debian
import packages
from packages import FACTS


def main():
    debian.need_tools()
    made = debian.make(packages.BUILD, packages.fresh("debian"))
    debian.check(made, multiarch="/" in FACTS["libdir"], kind=FACTS["default_kind"],
                 unpacked="debian_unpacked")
    debian.check_dependencies_on_clean_system(made)
    packages.finish()


if __name__ == "__main__":
    main()
