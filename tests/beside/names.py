"""What the linker sees of the files that a build makes: the plugin has one name, and a static
BoringSSL is seen by nobody, neither as something exported nor as something left open.

names.py BORINGSSL_LINKAGE SIPTLS_PLUGIN LIBSIPTLS_SO LIBSIPTLS_A BIN_FOLDER [CMAKE HIDE_NAMES LIBSSL_A
         LIBCRYPTO_A]
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common  # noqa: E402

# Also with C++'s names around BoringSSL's own namespace.
TLS_NAME = re.compile(r"^(?:SSL|TLS|DTLS|X509|X509V3|EVP|CRYPTO|OPENSSL|BIO|ERR|PEM|RSA|EC|ECDSA|"
                      r"BN|ASN1|CBS|CBB|RAND|HMAC|SHA256|HKDF|sk)_|^_ZNK?4bssl")
# One of each kind, as the gate of the build must find them.
LEFT_OPEN = ("PEM_read_bio_X509", "d2i_X509", "SHA256", "RAND_bytes", "CBB_flush", "ED25519_sign",
             "OBJ_nid2obj", "X509_free")


def names(file, *options):
    """[(name, type)]; w is what a program may define, and need not."""
    listing = common.run_or_fail([common.need("nm", "binutils"), "--format=posix", *options, file])
    rows = [line.split() for line in listing.splitlines()]
    return [(re.sub(r"@.*", "", row[0]), row[1]) for row in rows
            if len(row) >= 2 and len(row[1]) == 1 and row[1] != "w"]


def boringssl_names(archives):
    """All that is BoringSSL's own; the weak rest is the C++ library's, too."""
    return {name for archive in archives
            for name, kind in names(archive, "--extern-only", "--defined-only")
            if kind not in "VWu" or "4bssl" in name}


def problems_of_gate(cmake, script, archives):
    """The gate of the build stops at a name of BoringSSL that an object leaves open, and lets
    through what the C library has."""
    problems = []
    with common.temporary_folder() as folder:
        for name in (*LEFT_OPEN, "strlen"):
            source, merged, hidden = (os.path.join(folder, file)
                                      for file in ("open.s", "merged.o", "hidden.o"))
            with open(source, "w", encoding="ascii") as file:
                file.write(f".data\n.globl siptls_x\nsiptls_x: .dc.a {name}\n")
            common.run_or_fail([common.need("as", "binutils"), source, "-o", merged])
            done = common.run([cmake, f"-DNM={common.need('nm', 'binutils')}",
                               f"-DOBJCOPY={common.need('objcopy', 'binutils')}",
                               f"-DFROM={merged}", f"-DTO={hidden}",
                               f"-DSSL={archives[0]}", f"-DCRYPTO={archives[1]}", "-P", script])
            good = done.returncode == 0 and os.path.exists(hidden)
            if name != "strlen":
                good = done.returncode != 0 and f"{name} among them" in done.stdout
            if not good:
                problems.append(f"the gate of the build, with {name} left open: {done.returncode}, "
                                f"{done.stdout}")
    return problems


def main():
    linkage, plugin, shared, archive, bin_folder, *rest = sys.argv[1:]
    problems = []
    exported = sorted(name for name, _ in names(plugin, "--dynamic", "--defined-only"))
    if exported != ["siptls_plugin"]:
        problems.append(f"the plugin exports {exported}")
    looked_at = [(plugin, "--dynamic")]
    own = set()
    if linkage == "static":
        looked_at += [(shared, "--dynamic"), (archive, "--extern-only")]
        looked_at += [(os.path.join(bin_folder, tool), "--dynamic")
                      for tool in sorted(os.listdir(bin_folder)) if tool.startswith("siptls-")]
        own = boringssl_names(rest[2:])
        print(f"BoringSSL: {len(own)} names")
        problems += problems_of_gate(rest[0], rest[1], rest[2:])
        if not own.issuperset(LEFT_OPEN):
            problems.append("this is not BoringSSL, so this says nothing")
    for file, option in looked_at:
        seen = names(file, option)
        found = sorted({name for name, _ in seen if TLS_NAME.match(name) or name in own})
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
