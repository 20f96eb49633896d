"""siptls and OpenSSL 3 in one process, in every way that they can come together: which library ran
on either side, and how siptls answered.

beside.py BORINGSSL_LINKAGE BIN_FOLDER PROGRAM_FOLDER SIPTLS_PLUGIN WAY
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common  # noqa: E402

ORDERS = ("before", "after", "between", "thread")
# Mutual TLS on both sides, each on its own library.
BOTH = "handshake"
# siptls refuses, and the host's OpenSSL works.
FOREIGN = "foreign_tls_library"
# The host's own calls go to BoringSSL, as a shared one that is linked to a program stands in front
# of all that comes behind it on the link line or is loaded later. siptls cannot prevent it, and
# refuses if it is so when the first object is made. An OpenSSL that comes after that is not noticed.
LOST_FOREIGN = "the host's OpenSSL is BoringSSL, foreign_tls_library"
LOST = "the host's OpenSSL is BoringSSL"

# Way: program, its arguments, and the answers with a shared BoringSSL, in the order of ORDERS.
# With a static one every answer is BOTH.
LATE = "openssl={programs}/beside_module_openssl.so"
WAYS = {
    "plugin": ("beside_plugin", ["plugin={plugin}"], [BOTH] * 4),
    "plugin, RTLD_GLOBAL": ("beside_plugin", ["plugin={plugin}", "global"], [BOTH] * 4),
    "shared": ("beside_shared", [], [FOREIGN] * 4),
    "static before -lssl": ("beside_static_before", [], [FOREIGN] * 4),
    "static after -lssl": ("beside_static_after", [], [FOREIGN] * 4),
    "static and its BoringSSL before -lssl": ("beside_static_by_hand", [],
         [LOST_FOREIGN, LOST_FOREIGN, LOST, LOST_FOREIGN]),
    "plugin, OpenSSL loaded later": ("beside_late", ["plugin={plugin}", LATE], [BOTH] * 4),
    "shared in a module, OpenSSL loaded later":
        ("beside_late", ["module={programs}/beside_module_shared.so", LATE],
         [FOREIGN, BOTH, BOTH, BOTH]),
    "static in a module, OpenSSL loaded later":
        ("beside_late", ["module={programs}/beside_module_static.so", LATE],
         [FOREIGN, BOTH, BOTH, BOTH]),
    # Without RTLD_DEEPBIND, which does not bear another malloc(): see src/capi/plugin_stub.c.
    "plugin, a malloc of the host's own":
        ("beside_plugin_malloc", ["plugin={plugin}"], [FOREIGN] * 4),
    "plugin, a malloc of the host's own, OpenSSL loaded later":
        ("beside_late_malloc", ["plugin={plugin}", LATE], [FOREIGN, BOTH, BOTH, BOTH]),
    "plugin, an operator new of the host's own":
        ("beside_plugin_new", ["plugin={plugin}"], [FOREIGN] * 4),
    "plugin, an operator new of the host's own, OpenSSL loaded later":
        ("beside_late_new", ["plugin={plugin}", LATE], [FOREIGN, BOTH, BOTH, BOTH]),
    # With RTLD_LOCAL, as libcurl's users, PAM and NSS come to OpenSSL. It sees the program's
    # BoringSSL all the same, and BoringSSL in a module or in the plugin does not meet it.
    "plugin, OpenSSL loaded for one user":
        ("beside_late", ["plugin={plugin}", LATE, "local"], [BOTH] * 4),
    "shared in a module, OpenSSL loaded for one user":
        ("beside_late", ["module={programs}/beside_module_shared.so", LATE, "local"], [BOTH] * 4),
    "shared, OpenSSL loaded for one user": ("beside_shared_late", [LATE, "local"],
                                            [LOST_FOREIGN, LOST, LOST, LOST]),
    "static, OpenSSL loaded for one user": ("beside_static_late", [LATE, "local"],
                                            [LOST_FOREIGN, LOST, LOST, LOST]),
    "shared, OpenSSL loaded later": ("beside_shared_late", [LATE],
                                     [LOST_FOREIGN, LOST, LOST, LOST]),
    "static, OpenSSL loaded later": ("beside_static_late", [LATE],
                                     [LOST_FOREIGN, LOST, LOST, LOST]),
}

OPENSSL = {"libssl.so.3", "libcrypto.so.3"}


def bindings(output):
    """{caller: {called}}, or None where the program cannot tell."""
    if "bound: unknown" in output:
        return None
    found = {}
    for caller, called in re.findall(r"^bound: (\S+) -> (.+): \d+, such as", output, re.MULTILINE):
        found.setdefault(caller, set()).add(called)
    return found


def problems_of_bindings(found, answer, inside):
    """Whose functions each file of the process calls."""
    problems = []
    is_tls = re.compile(r"lib(ssl|crypto)\.so")
    boringssl = {name for names in found.values() for name in names
                 if is_tls.match(name)} - OPENSSL
    if inside == bool(boringssl):
        problems.append(f"BoringSSL is {'inside' if inside else 'shared'}, but in this process: "
                        f"{sorted(boringssl)}")
    for caller, called in sorted(found.items()):
        owner = "siptls" in caller or caller.startswith(("beside_module_s",))
        if caller in OPENSSL or caller == "beside_module_openssl.so" or (
                caller == "host" and answer == BOTH):
            wrong = called - OPENSSL - {"not bound yet"}
        elif answer == BOTH and (caller in boringssl or owner):
            # Nothing is left to be decided by what is loaded later.
            wrong = called if inside else called - boringssl
        else:
            continue
        if wrong:
            problems.append(f"{caller} calls {sorted(wrong)}")
    if not OPENSSL <= {name for names in found.values() for name in names}:
        problems.append("nobody calls OpenSSL, so this says nothing")
    return problems


def problems_of(done, answer, inside, holder):
    """`holder` is the file that siptls is in."""
    output = done.stdout
    said = re.findall(r"^siptls: (\w+)$", output, re.MULTILINE)
    if answer in (LOST, LOST_FOREIGN):
        lost = "OpenSSL: FAILED: OpenSSL_version() is not OpenSSL 3's" in output
        good = lost and done.returncode == 1 and (answer == LOST or said == [FOREIGN])
        return [] if good else [f"status {done.returncode}, {said}"]
    if done.returncode != 0 or said != [answer]:
        return [f"status {done.returncode}, {said}, where {answer} was expected"]
    problems = []
    info = re.search(r"^build_info: API \d+, (\w+), (.*)$", output, re.MULTILINE)
    if not info or info.group(1) != ("inside" if inside else "shared"):
        problems.append("build_info tells another linkage")
    elif inside and os.path.realpath(info.group(2)) != os.path.realpath(holder):
        problems.append(f"build_info does not name {holder}")
    elif not inside and not re.search(r"/libcrypto\.so", info.group(2)):
        problems.append("build_info does not name BoringSSL's file")
    if answer == FOREIGN:
        evidence = re.search(r"^evidence: (.*)$", output, re.MULTILINE)
        for file in ("libcrypto.so.3", info.group(2) if info else "?"):
            if not evidence or file not in evidence.group(1):
                problems.append(f"the evidence does not name {file}")
    found = bindings(output)
    return problems + (problems_of_bindings(found, answer, inside) if found is not None else [])


def holder_of(way, programs, plugin, shared):
    if "plugin" in way:
        return plugin
    if way.startswith("shared"):
        return shared
    return os.path.join(programs, "beside_module_static.so" if "module" in way else WAYS[way][0])


def main():
    linkage, bin_folder, programs, plugin, shared, way = sys.argv[1:7]
    inside = linkage == "static"
    program, arguments, answers = WAYS[way]
    arguments = [argument.format(programs=programs, plugin=plugin) for argument in arguments]
    holder = holder_of(way, programs, plugin, shared)
    bad = 0
    with common.temporary_folder() as folder:
        common.make_pki(bin_folder, folder)
        for order, answer in zip(ORDERS, answers):
            done = common.run([os.path.join(programs, program), folder, order, *arguments],
                              timeout=60)
            answer = BOTH if inside else answer
            problems = problems_of(done, answer, inside, holder)
            print(f"{way}, {order}: {answer}: {'; '.join(problems) or 'yes'}")
            if problems:
                print(done.stdout)
                bad += 1
    if bad:
        common.fail(f"{bad} of {len(ORDERS)} cells")


if __name__ == "__main__":
    main()
