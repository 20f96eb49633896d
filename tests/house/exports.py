"""What libsiptls.so shows to the world: the siptls:: API and nothing else, and a static BoringSSL
stays inside.

exports.py LIBSIPTLS_SO
"""

import re
import sys

import common

# What a demangled name may be. Templates of the standard library made for a siptls:: type would be
# `std::...<siptls::...>` and are none of the API.
OWN = re.compile(r"^(?:(?:typeinfo|typeinfo name|vtable|VTT) for )?siptls::|^siptls_\w+$")
LINKER = {"_init", "_fini", "_edata", "_end", "__bss_start", "_ITM_registerTMCloneTable"}
TLS_FUNCTION = re.compile(r"^(?:SSL|X509|EVP|BIO|CRYPTO|OPENSSL|RSA|EC|BN)_\w+$")
# One of each noun: what a host could not link without.
EXPECTED = ("siptls::version()", "siptls::TrustStore::from_pem(", "siptls::Credentials::from_pem(",
            "siptls::TlsContext::create(", "siptls::TlsSession::feed(", "siptls::SipFramer::push(",
            "siptls::TlsTransport::next_event()", "siptls::Sender::send(", "siptls::to_string(",
            "siptls::build_info()", "siptls_transport_next_event", "siptls_error_new")


def left_open(nm, library):
    """The functions that must come from elsewhere; what is weak need not."""
    listing = common.run_or_fail([nm, "-D", "--undefined-only", "--format=posix", library])
    return sorted(set(line.split()[0] for line in listing.splitlines()
                      if line.split()[1:2] == ["U"]))


def demangled(nm, library):
    listing = common.run_or_fail([nm, "-DC", "--defined-only", library])
    return sorted(set(line.split(maxsplit=2)[2] for line in listing.splitlines()
                      if len(line.split(maxsplit=2)) == 3))


def main():
    library = sys.argv[1]
    nm = common.need("nm", "binutils")
    names = demangled(nm, library)
    problems = [f"exported: {name}" for name in names
                if not OWN.match(name) and name not in LINKER]
    problems += [f"not exported: {expected}" for expected in EXPECTED
                 if not any(name.startswith(expected) for name in names)]
    needed = common.run_or_fail(["ldd", library])
    if "libssl" not in needed:
        undefined = [name for name in left_open(nm, library) if TLS_FUNCTION.match(name)]
        problems += [f"BoringSSL is static and yet this is left open: {name}"
                     for name in undefined]
    for other in ("libfmt", "libnlohmann"):
        if other in needed:
            problems.append(f"needs {other} at run time")
    for line in problems[:60]:
        print(line)
    print(f"{len(names)} exported names, {len(problems)} problems")
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
