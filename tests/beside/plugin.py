"""The plugin as hosts load it, and as a file.

plugin.py BORINGSSL_LINKAGE SIPTLS_PLUGIN PLUGIN_HOST BIN_FOLDER
"""

import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common  # noqa: E402


def dynamic_section(file):
    return common.run_or_fail([common.need("readelf", "binutils"), "--dynamic", "--wide", file])


def expect(good, what):
    if not good:
        common.fail(what)


def look_at_file(plugin, shared):
    section = dynamic_section(plugin)
    print(section)
    # No thread that outlives dlclose() loses the code that it runs, and nothing is left to be
    # looked up later.
    expect(re.search(r"\(FLAGS_1\).*\bNODELETE\b", section), "the plugin could be unloaded")
    expect(re.search(r"\(FLAGS_1\).*\bNOW\b", section), "the plugin binds lazily")
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", section)
    if shared:
        module = os.path.join(os.path.dirname(plugin), "siptls-plugin-module.so")
        inner = dynamic_section(module)
        expect(re.search(r"\(FLAGS_1\).*\bNODELETE\b", inner), "the module could be unloaded")
        expect(re.search(r"\(FLAGS_1\).*\bNOW\b", inner), "the module binds lazily")
        expect(set(needed) <= {"libc.so.6", "libdl.so.2", "libpthread.so.0"},
               f"the stub needs {needed}")
    expect(not any(re.match(r"lib(ssl|crypto)", name) for name in needed),
           f"the plugin needs {needed}")


def main():
    linkage, plugin, host, bin_folder = sys.argv[1:5]
    shared = linkage == "shared"
    look_at_file(plugin, shared)
    with common.temporary_folder() as folder:
        common.make_pki(bin_folder, folder)
        certificate = os.path.join(folder, "server.example", "CAList.pem")
        for what in ("versions", "cycles", "thread"):
            print(common.run_or_fail([host, plugin, what, certificate]))
        # Loaded by a relative path, and the folder that the host works in afterwards has a file of
        # the module's name, which somebody else may have put there.
        with open(os.path.join(folder, "siptls-plugin-module.so"), "w", encoding="ascii"):
            pass
        print(common.run_or_fail([host, f"./{os.path.basename(plugin)}", "moved", folder],
                                 cwd=os.path.dirname(plugin)))
        if shared:
            os.remove(os.path.join(folder, "siptls-plugin-module.so"))
            # By a link from elsewhere.
            os.symlink(plugin, os.path.join(folder, "linked.so"))
            print(common.run_or_fail([host, os.path.join(folder, "linked.so"), "versions"]))
            alone = os.path.join(folder, os.path.basename(plugin))
            shutil.copy(plugin, alone)
            print(common.run_or_fail([host, alone, "missing"]))


if __name__ == "__main__":
    main()
