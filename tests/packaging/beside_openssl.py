"""A host that links OpenSSL by -lssl -lcrypto uses the installed siptls: its own OpenSSL works
before and after, and siptls either runs on its BoringSSL or says `foreign_tls_library`. Which, is
fixed for each way to link.

beside_openssl.py FACTS
"""

import os
import re

import packages
from packages import FACTS, LIBDIR, PREFIX, common, expect

# (way, library, where -lssl stands): with Debian's shared BoringSSL, with a static one.
#
# The static one siptls keeps to itself. The shared one has names in common with OpenSSL, and the
# dynamic linker finds OpenSSL's first. CMake puts BoringSSL behind everything that the host names
# itself. A host that writes its link line by hand must name -lssl first: otherwise the linker gives
# BoringSSL's functions to the host's own calls, which is what the last row shows.
FOREIGN, OWN = "foreign_tls_library", "runs on BoringSSL"
EXPECTED = {
    ("cmake", "shared", "before"): (FOREIGN, OWN),
    ("cmake", "shared", "after"): (FOREIGN, OWN),
    ("cmake", "static", "before"): (FOREIGN, OWN),
    ("cmake", "static", "after"): (FOREIGN, OWN),
    ("pkg-config", "shared", "before"): (FOREIGN, OWN),
    ("pkg-config", "shared", "after"): (FOREIGN, OWN),
    ("pkg-config", "static", "before"): (FOREIGN, OWN),
    ("pkg-config", "static", "after"): ("the host runs on BoringSSL", OWN),
}
OPENSSL = ["-lssl", "-lcrypto"]


def outcome_of(program, library):
    done = common.run([program], timeout=60, env=packages.environment())
    print(done.stdout)
    hosts = re.findall(r"^host: (\w+)", done.stdout, re.MULTILINE)
    if hosts == ["BoringSSL"] and done.returncode == 1:
        return "the host runs on BoringSSL"
    said = re.search(rf"^siptls {re.escape(FACTS['version'])}, BoringSSL API \d+ in (.*?): (.*)$",
                     done.stdout, re.MULTILINE)
    if done.returncode != 0 or hosts != ["OpenSSL", "OpenSSL"] or not said:
        return f"status {done.returncode}"
    home, verdict = said.groups()
    if verdict.startswith("foreign_tls_library: "):
        # The evidence names both files.
        expect(all(file in verdict for file in ("libcrypto.so.0", "libcrypto.so.3")),
               f"the evidence does not name both files: {verdict}")
        return FOREIGN
    own = "libsiptls.so" if library == "shared" else os.path.basename(program)
    expect(os.path.basename(home).startswith(own), f"BoringSSL is in {home}, and not in {own}")
    return OWN if verdict == "runs on it" else verdict


def link_by_hand(build, library, place):
    """As a Makefile with pkg-config does it; the object is the one that CMake's build has made."""
    pkg_config = common.need("pkg-config", "pkgconf")
    environment = packages.environment(PKG_CONFIG_PATH=os.path.join(LIBDIR, "pkgconfig"))
    package = "siptls" if library == "shared" else "siptls-static"
    siptls = packages.output_of([pkg_config, "--libs", package], env=environment).split()
    program = os.path.join(build, f"by_hand_{library}_{place}")
    common.run_or_fail([FACTS["cxx"], os.path.join(build, "CMakeFiles", "host.dir", "host.cpp.o"),
                        "-o", program, f"-Wl,-rpath,{LIBDIR}",
                        *(OPENSSL + siptls if place == "before" else siptls + OPENSSL)])
    return program


def main():
    if not os.path.exists("/usr/include/openssl/opensslv.h"):
        common.skip("OpenSSL's headers are not installed (Debian package libssl-dev)")
    build = packages.fresh("beside_openssl")
    packages.configure_or_fail("beside_openssl", build, f"-DCMAKE_PREFIX_PATH={PREFIX}")
    common.run_or_fail(["cmake", "--build", build])
    for (way, library, place), (with_shared, with_static) in EXPECTED.items():
        expected = with_shared if FACTS["boringssl_linkage"] == "shared" else with_static
        title = f"{way}, siptls {library}, -lssl {place} it, BoringSSL {FACTS['boringssl_linkage']}"
        print(f"== {title}")
        program = (os.path.join(build, f"{library}_{place}") if way == "cmake"
                   else link_by_hand(build, library, place))
        outcome = outcome_of(program, library)
        expect(outcome == expected, f"{title}: {outcome}, where {expected} was expected")
    packages.finish()


if __name__ == "__main__":
    main()
