"""A host that links OpenSSL first gets `foreign_tls_library` or a true BoringSSL handshake, and
never a handshake on OpenSSL's functions.

foreign_library.py BIN_FOLDER HOST_PROGRAM shared|static(BoringSSL) shared|static(siptls)
"""

import re
import sys

import common

# How siptls is linked and how BoringSSL is, and what must come of it. With both static the
# linker decides; either end is right as long as it is one of the two.
EXPECTED = {
    ("shared", "shared"): {"foreign_tls_library"},
    ("shared", "static"): {"foreign_tls_library"},
    ("static", "shared"): {"handshake"},
    ("static", "static"): {"foreign_tls_library", "handshake"},
}
# What the host itself calls in OpenSSL.
HOST_CALLS = {"SSL_CTX_new", "SSL_CTX_free", "SSL_new", "SSL_free", "TLS_method"}


def left_to_openssl(program):
    """The libssl functions that the program leaves to shared libraries."""
    nm = common.need("nm", "binutils")
    listing = common.run_or_fail([nm, "-D", "--undefined-only", "--format=posix", program])
    return {re.sub(r"@.*", "", line.split()[0]) for line in listing.splitlines()
            if re.match(r"(SSL|TLS|DTLS)_", line)}


def main():
    bin_folder, program, boringssl, siptls = sys.argv[1:5]
    with common.temporary_folder() as folder:
        common.make_pki(bin_folder, folder)
        done = common.run([program, folder], timeout=60)
    print(done.stdout)
    if done.returncode != 0:
        common.fail(f"the host ended with {done.returncode}")
    if "host: OpenSSL" not in done.stdout:
        common.fail("the host does not run on OpenSSL, so this test says nothing")
    outcome = done.stdout.split()[-1]
    if outcome not in EXPECTED[boringssl, siptls]:
        common.fail(f"{outcome}, where {EXPECTED[boringssl, siptls]} was expected")
    if outcome == "handshake" and not left_to_openssl(program) <= HOST_CALLS:
        common.fail("a handshake, but siptls' calls go to OpenSSL: "
                    f"{left_to_openssl(program) - HOST_CALLS}")


if __name__ == "__main__":
    main()
