"""Making and judging Debian packages, for the tests of this folder."""

import glob
import gzip
import os
import re

import packages
from packages import FACTS, HERE, common, expect

NAMES = {"runtime": "libsiptls0", "development": "libsiptls-dev", "tools": "siptls-tools"}


def need_tools():
    for program, package in (("cpack", "cmake"), ("dpkg-deb", "dpkg"),
                             ("dpkg-shlibdeps", "dpkg-dev"), ("readelf", "binutils")):
        common.need(program, package)
    if FACTS["boringssl_linkage"] == "shared" and FACTS["boringssl_root"]:
        common.skip("BoringSSL is a shared library that no Debian package owns")
    if not FACTS["tools"]:
        common.skip("built without the tools")


def make(build, folder):
    """Runs CPack, by somebody whose new files are his alone; gives package name -> file."""
    text = common.run_or_fail(["sh", "-c", 'umask 077; exec "$@"', "sh", "cpack", "-G",
                               "DEB", "--config",
                               os.path.join(build, "CPackConfig.cmake"), "-B", folder],
                              env=packages.environment())
    made = {os.path.basename(path).split("_")[0]: path
            for path in glob.glob(os.path.join(folder, "*.deb"))}
    if set(made) != set(NAMES.values()):
        common.fail(f"CPack made {sorted(made)}:\n{text}")
    return made


def control(path):
    """The control fields; a continued field is one text with its line ends."""
    fields, name = {}, None
    for line in packages.output_of(["dpkg-deb", "--field", path]).splitlines():
        if line.startswith(" "):
            fields[name] += "\n" + line[1:]
        else:
            name, _, value = line.partition(": ")
            fields[name] = value
    return fields


def depends(fields):
    """package -> its condition, such as `(= 0.1.0-1)`."""
    result = {}
    for entry in fields.get("Depends", "").split(", "):
        name, _, condition = entry.partition(" ")
        result[name] = condition
    return result


def check_fields(name, fields):
    architecture = common.run_or_fail(["dpkg", "--print-architecture"]).strip()
    expect(fields["Package"] == name, f"{name}: {fields}")
    expect(fields["Architecture"] == architecture, f"{name}: {fields}")
    expect(re.fullmatch(re.escape(FACTS["version"]) + r"-[\w.~+]+", fields["Version"]),
           f"{name}: version {fields['Version']}")
    expect(re.fullmatch(r"[^<>]+ <[^<>@ ]+@[^<>@ ]+>", fields["Maintainer"]),
           f"{name}: maintainer {fields['Maintainer']}")
    first, _, rest = fields["Description"].partition("\n")
    expect(first.startswith("SIP over TLS for any SIP stack (") and len(first) < 80
           and "RFC 5922" in rest and "stack (" not in rest, f"{name}: {fields['Description']}")
    if name == "libsiptls0" and FACTS["plugin"]:
        expect("plugin" in rest, f"{name} does not say that it holds the plugin: {rest}")


def pages_and_files(root):
    """What the man pages of a package send their reader to: name(section), and files by name."""
    pages, files = set(), set()
    for path in packages.files_below(root):
        if path.startswith("usr/share/man/"):
            with gzip.open(os.path.join(root, path), "rt", encoding="utf-8") as file:
                text = file.read().replace("\\-", "-")
            pages |= {f"{name}.{section}" for name, section in
                      re.findall(r"^\.BR ([\w.-]+) \((\d)\)", text, re.MULTILINE)}
            files |= set(re.findall(r"[\w./-]+\.md\b", text))
            files |= {found.rstrip(".") for found in re.findall(r"share/doc/[\w./-]+", text)}
    return pages, files


def check_manuals(name, root, those_it_depends_on):
    """Every page and file that a man page names comes with the package or what it depends on."""
    there = [f"/{path}" for one in (root, *those_it_depends_on)
             for path in packages.files_below(one)]
    pages, files = pages_and_files(root)
    for page in sorted(pages):
        expect(any(path.endswith(f"/{page}.gz") for path in there),
               f"{name}: a man page sends to {page}, which is not there")
    for file in sorted(files):
        expect(any(path.endswith(f"/{file}") or f"/{file}/" in path for path in there),
               f"{name}: a man page names {file}, which is not there")


def check_owners(name, path):
    for line in packages.output_of(["dpkg-deb", "--contents", path]).splitlines():
        mode, owner = line.split()[:2]
        expect(owner == "root/root", f"{name}: {line}")
        expect(mode in ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--", "lrwxrwxrwx"), f"{name}: {line}")


def check_common_files(name, root):
    folder = os.path.join(root, "usr/share/doc", name)
    text = packages.read(folder, "copyright")
    expect("License: Apache-2.0" in text and "/usr/share/common-licenses/Apache-2.0" in text,
           f"{name}: copyright: {text}")
    with gzip.open(os.path.join(folder, "changelog.gz"), "rt", encoding="utf-8") as file:
        expect(f"## {FACTS['version']}" in file.read(), f"{name}: changelog")


def check_files(name, root, libdir):
    """What lies where, and what each kind of file must not say."""
    files = packages.files_below(root)
    minor = FACTS["version"].rsplit(".", 1)[0]
    wanted = {
        "libsiptls0": [f"{libdir}/libsiptls.so.{FACTS['version']}",
                       f"{libdir}/libsiptls.so.{minor}",
                       *(f"{libdir}/siptls/{plugin}.so" for plugin in FACTS["plugin"])],
        "libsiptls-dev": [f"{libdir}/libsiptls.so", f"{libdir}/libsiptls.a",
                          f"{libdir}/pkgconfig/siptls.pc", f"{libdir}/pkgconfig/siptls-static.pc",
                          f"{libdir}/cmake/siptls/siptlsConfig.cmake",
                          *(f"usr/include/siptls/{header}" for header in packages.files_below(
                              os.path.join(packages.SOURCE, "include", "siptls")))],
        "siptls-tools": [f"usr/bin/{tool}" for tool in
                         ("siptls-server", "siptls-client", "siptls-verify", "siptls-frame")],
    }[name]
    for path in wanted:
        expect(path in files, f"{name}: {path} is missing")
    aside = tuple(f"usr/share/{folder}/" for folder in ("doc", "man"))
    more = [path for path in files if path not in wanted and not path.startswith(aside)
            and not path.startswith(f"{libdir}/cmake/siptls/")]
    expect(not more, f"{name}: holds {more}")
    expect(not any("siptls-pki" in path for path in files), f"{name}: holds siptls-pki")
    for path in files:
        full = os.path.join(root, path)
        if os.path.islink(full):
            continue
        if packages.is_elf(full):
            packages.check_elf(full, f"{name}: {path}")
        found = packages.names_build(full)
        expect(found is None, f"{name}: {path} names the build: {found}")
        expect(not path.startswith("usr/share/man/") or path.endswith(".gz"), f"{name}: {path}")


def owners_of(library):
    """The packages of this machine that hold a library of this file name."""
    done = common.run(["dpkg-query", "--search", f"*/{library}"])
    return {line.split(":")[0] for line in done.stdout.splitlines()
            if line.endswith(f"/{library}")}


def check_needed(name, fields, root):
    """Every library that a program of the package is linked to comes by Depends or is in it."""
    inside = {os.path.basename(path) for path in packages.files_below(root)}
    asked = depends(fields)
    for path in packages.files_below(root):
        full = os.path.join(root, path)
        if os.path.islink(full) or not packages.is_elf(full):
            continue
        for library in packages.dynamic(full, "NEEDED"):
            if library in inside:
                continue
            owners = {"libsiptls0"} if library.startswith("libsiptls.so") else owners_of(library)
            expect(owners & set(asked), f"{name}: {path} needs {library} of {sorted(owners)}, "
                   f"and the package depends on {sorted(asked)}")


def check_relations(fields, kind):
    version = {name: one["Version"] for name, one in fields.items()}
    expect(len(set(version.values())) == 1, f"versions differ: {version}")
    same = f"(= {version['libsiptls0']})"
    expect(depends(fields["libsiptls-dev"]).get("libsiptls0") == same,
           f"libsiptls-dev depends on {depends(fields['libsiptls-dev'])}")
    condition = depends(fields["siptls-tools"]).get("libsiptls0")
    expect(condition == (same if kind == "shared" else None),
           f"siptls-tools, linked to the {kind} library, wants libsiptls0 {condition}")
    expect(("android-libboringssl-dev" in fields["libsiptls-dev"].get("Recommends", ""))
           == FACTS["archive_needs_boringssl"], f"libsiptls-dev: {fields['libsiptls-dev']}")
    boringssl = "android-libboringssl" in depends(fields["libsiptls0"])
    expect(boringssl == (FACTS["boringssl_linkage"] == "shared"),
           f"libsiptls0 depends on {depends(fields['libsiptls0'])}")


def check_shlibs(path):
    """Programs linked to the library depend on its minor version, which is its SONAME."""
    text = packages.output_of(["dpkg-deb", "--info", path, "shlibs"]).strip()
    major, minor, _ = FACTS["version"].split(".")
    expect(text == f"libsiptls {major}.{minor} libsiptls0 (>= {major}.{minor}), "
           f"libsiptls0 (<< {major}.{int(minor) + 1})", f"libsiptls0: shlibs: {text}")
    script = packages.output_of(["dpkg-deb", "--info", path, "postinst"])
    expect("ldconfig" in script, f"libsiptls0: postinst: {script}")


def check_use(root, libdir):
    """A tool runs from there, and a program is built and runs."""
    library_path = packages.environment(LD_LIBRARY_PATH=os.path.join(root, libdir))
    text = common.run_or_fail([os.path.join(root, "usr/bin/siptls-verify"), "--help"],
                              env=library_path)
    expect("siptls-verify" in text, text)
    program = os.path.join(root, "consumer")
    environment = packages.environment(
        PKG_CONFIG_PATH=os.path.join(root, libdir, "pkgconfig"), CC=FACTS["cxx"],
        CFLAGS="-std=c++20", LDFLAGS=f"-Wl,-rpath,{os.path.join(root, libdir)}")
    if packages.tool("pkg-config"):
        common.run_or_fail(["sh", os.path.join(HERE, "pkg_config", "build.sh"), "siptls",
                            os.path.join(HERE, "consumer.cpp"), program], env=environment)
        packages.run_consumer(program)


def check(made, multiarch, kind, unpacked):
    """`unpacked` names a folder for this, which no other test uses at the same time."""
    fields, seen, all_of_them = {}, {}, packages.fresh(f"{unpacked}/all")
    libdirs = set()
    for name, path in made.items():
        root = packages.fresh(f"{unpacked}/{name}")
        for folder in (root, all_of_them):
            common.run_or_fail(["dpkg-deb", "--extract", path, folder])
        libdirs.update(os.path.dirname(os.path.join(root, found)).removeprefix(root + os.sep)
                       for found in packages.files_below(root) if "/libsiptls." in found)
        for file in packages.files_below(root):
            expect(file not in seen, f"{file} is in {name} and in {seen.get(file)}")
            seen[file] = name
    expect(len(libdirs) == 1, f"libraries lie in {libdirs}")
    libdir = libdirs.pop()
    expect((libdir.count("/") == 2) == multiarch, f"libraries lie in {libdir}")
    for name, path in made.items():
        root = os.path.join(packages.FOLDER, unpacked, name)
        fields[name] = control(path)
        print(f"{os.path.basename(path)}: depends on {fields[name].get('Depends')}")
        check_fields(name, fields[name])
        check_owners(name, path)
        check_common_files(name, root)
        check_files(name, root, libdir)
        check_needed(name, fields[name], root)
        check_manuals(name, root, [os.path.join(packages.FOLDER, unpacked, other)
                                   for other in depends(fields[name]) if other in made])
    check_relations(fields, kind)
    check_shlibs(made["libsiptls0"])
    check_use(all_of_them, libdir)


def check_dependencies_on_clean_system(made):
    """apt, told that nothing is installed, finds everything that the packages want."""
    if not packages.tool("apt-get") or not glob.glob("/var/lib/apt/lists/*Packages*"):
        print("without apt's package lists the dependencies were not resolved")
        return
    nothing = os.path.join(os.path.dirname(made["libsiptls0"]), "nothing_installed")
    with open(nothing, "w", encoding="utf-8"):
        pass
    done = common.run(["apt-get", "--simulate", "--no-install-recommends", "-o",
                       f"Dir::State::status={nothing}", "-o", "Debug::NoLocking=1", "install",
                       *made.values()], env=packages.environment(LC_ALL="C"))
    installed = set(re.findall(r"^Inst (\S+)", done.stdout, re.MULTILINE))
    expect(done.returncode == 0 and set(made) <= installed,
           f"apt-get on a clean system ended with {done.returncode}:\n{done.stdout[-3000:]}")
    expect("libssl3" not in installed, "OpenSSL would be installed too")
    print(f"on a clean system: {len(installed)} packages")
