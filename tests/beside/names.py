"""What the linker sees of the files that a build makes: the plugin has one name, and a static
BoringSSL is seen by nobody, neither as something exported nor as something left open.

names.py BORINGSSL_LINKAGE SIPTLS_PLUGIN LIBSIPTLS_SO LIBSIPTLS_A BIN_FOLDER
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common  # noqa: E402

# Also with C++'s names around BoringSSL's own namespace.
TLS_NAME = re.compile(r"^(?:SSL|TLS|DTLS|X509|X509V3|EVP|CRYPTO|OPENSSL|BIO|ERR|PEM|RSA|EC|ECDSA|"
                      r"BN|ASN1|CBS|CBB|RAND|HMAC|SHA256|HKDF|sk)_|^_ZNK?4bssl")


def names(file, *options):
    """[(name, type)]; w is what a program may define, and need not."""
    listing = common.run_or_fail([common.need("nm", "binutils"), "--format=posix", *options, file])
    rows = [line.split() for line in listing.splitlines()]
    return [(re.sub(r"@.*", "", row[0]), row[1]) for row in rows
            if len(row) >= 2 and row[1] != "w"]


def main():
    linkage, plugin, shared, archive, bin_folder = sys.argv[1:6]
    problems = []
    exported = sorted(name for name, _ in names(plugin, "--dynamic", "--defined-only"))
    if exported != ["siptls_plugin"]:
        problems.append(f"the plugin exports {exported}")
    looked_at = [(plugin, "--dynamic")]
    if linkage == "static":
        looked_at += [(shared, "--dynamic"), (archive, "--extern-only")]
        looked_at += [(os.path.join(bin_folder, tool), "--dynamic")
                      for tool in sorted(os.listdir(bin_folder)) if tool.startswith("siptls-")]
    for file, option in looked_at:
        seen = names(file, option)
        found = sorted({name for name, _ in seen if TLS_NAME.match(name)})
        problems += [f"{os.path.basename(file)}: {len(found)} names of a TLS library, such as "
                     f"{', '.join(found[:5])}"] if found else []
        print(f"{os.path.basename(file)}: {len(seen)} names")
        if not seen:
            problems.append(f"{file}: no names at all, so this says nothing")
    # The same look at a file that has such names finds them.
    if linkage == "shared" and not any(TLS_NAME.match(name)
                                       for name, _ in names(shared, "--dynamic")):
        problems.append("this test is blind")
    for line in problems:
        print(line)
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
