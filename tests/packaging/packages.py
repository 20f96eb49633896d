"""What the scripts of this folder share. Their first argument is facts.json of the build."""

import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "house"))

import common  # noqa: E402

with open(sys.argv[1], encoding="utf-8") as facts_file:
    FACTS = json.load(facts_file)
SOURCE, BUILD, FOLDER = (FACTS[name] for name in ("source", "build", "folder"))
# Where installed_files.py leaves the installation: not where `cmake --install` put it.
PREFIX = os.path.join(FOLDER, "moved")
STAGING = os.path.join(FOLDER, "prefix")
LIBDIR = os.path.join(PREFIX, FACTS["libdir"])

PROBLEMS = []


def expect(condition, problem):
    if not condition:
        PROBLEMS.append(problem)


def finish():
    for problem in PROBLEMS:
        print(problem)
    if PROBLEMS:
        common.fail("see above")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8", errors="replace") as file:
        return file.read()


def files_below(folder):
    """All files and links, as paths from there."""
    return sorted(os.path.relpath(os.path.join(place, name), folder)
                  for place, folders, names in os.walk(folder)
                  for name in names + [one for one in folders
                                       if os.path.islink(os.path.join(place, one))])


def dynamic(path, tag):
    """The values of one kind in the dynamic section of a program or library."""
    text = common.run_or_fail([common.need("readelf", "binutils"), "-d", path])
    return re.findall(rf"\({tag}\).*?\[(.*?)\]", text)


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def check_elf(path, title):
    """Where a program or library looks for others: BoringSSL's folder and its own tree's."""
    for folder in (word for value in dynamic(path, "RUNPATH") for word in value.split(":")):
        expect(folder in FACTS["boringssl_folders"] or folder.startswith("$ORIGIN"),
               f"{title}: RUNPATH leads to {folder}")
    expect(not dynamic(path, "RPATH"), f"{title}: an RPATH, which the environment cannot change")
    if "libssl.so.0" in dynamic(path, "NEEDED") and FACTS["boringssl_linkage"] == "shared":
        expect(FACTS["boringssl_folders"][0] in ":".join(dynamic(path, "RUNPATH")).split(":"),
               f"{title}: needs BoringSSL and has no RUNPATH to it")
    if FACTS["boringssl_linkage"] == "static":
        expect(not [name for name in dynamic(path, "NEEDED") if re.match("lib(ssl|crypto)", name)],
               f"{title}: BoringSSL is static and yet it needs {dynamic(path, 'NEEDED')}")


def names_build(path):
    """The first place in a file that names a folder of this build, or None. BoringSSL may lie below
    the build tree, and is not meant: neither where it is nor the names of its own sources, which it
    writes into what it is part of."""
    text = read(path)
    if is_elf(path):
        folders = [os.path.join(SOURCE, name) for name in ("src", "include", "examples")]
    else:
        folders = [BUILD, SOURCE]
    for folder in FACTS["boringssl_folders"] + [FACTS["boringssl_root"]]:
        if folder:
            text = text.replace(folder, "")
    for folder in folders + [STAGING]:
        found = re.search(re.escape(folder) + r"(?![\w.-])[^\0\n]*", text)
        if found:
            return found.group(0)[:100]
    return None


def environment(**more):
    """The caller's, without what would lead a consumer to another siptls or BoringSSL."""
    result = {name: value for name, value in os.environ.items()
              if name not in ("BoringSSL_ROOT", "CMAKE_PREFIX_PATH", "siptls_DIR", "siptls_ROOT",
                              "PKG_CONFIG_PATH", "LD_LIBRARY_PATH", "BUILD_SHARED_LIBS")}
    result.update(more)
    return result


def fresh(name):
    """An empty folder below the build tree."""
    folder = os.path.join(FOLDER, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def fake_boringssl(name, api=99, suffix="a", owner="BORINGSSL"):
    """A folder with what siptls knows a BoringSSL by, to be configured with and not built."""
    root = fresh(name)
    for path, text in (
            ("include/openssl/base.h",
             f"#define OPENSSL_IS_{owner}\n#define BORINGSSL_API_VERSION {api}\n"),
            (f"lib/libssl.{suffix}", "SSL_CTX_set_custom_verify\n"),
            (f"lib/libcrypto.{suffix}", "CRYPTO_BUFFER_new\n")):
        path = os.path.join(root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return root


def configure(project, build, *options, **variables):
    """Configures a project of this folder as a stranger does; gives the completed process. What is
    given by name is set in the environment."""
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    return common.run(["cmake", "-S", os.path.join(HERE, project), "-B", build, *generator,
                       f"-DCMAKE_C_COMPILER={FACTS['cc']}", f"-DCMAKE_CXX_COMPILER={FACTS['cxx']}",
                       "-DCMAKE_BUILD_TYPE=", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *options],
                      env=environment(**variables))


def configure_or_fail(project, build, *options):
    done = configure(project, build, *options)
    if done.returncode != 0:
        common.fail(f"cmake in {project} with {options} ended with {done.returncode}:\n"
                    f"{done.stdout}")
    return done.stdout


def link_rules(build, target):
    """The rules by which this program is linked, without a build."""
    if os.path.exists(os.path.join(build, "build.ninja")):
        return "\n".join(re.findall(rf"^build {re.escape(target)}: .*?(?=^$|\Z)",
                                    read(build, "build.ninja"), re.MULTILINE | re.DOTALL))
    return read(build, "CMakeFiles", f"{target}.dir", "link.txt")


def run_consumer(path, **options):
    """Runs a consumer that must succeed, with no help to find libraries."""
    text = common.run_or_fail([path], timeout=60, env=environment(), **options).strip()
    print(f"{os.path.basename(path)}: {text}")
    expect(f"siptls {FACTS['version']}" in text, f"{path} ran on another version: {text}")
    return text


def uses_shared_library(path):
    return any(name.startswith("libsiptls.so") for name in dynamic(path, "NEEDED"))


def check_link_words(words, title):
    """BoringSSL's files stand on a link line with their full names."""
    for word in words:
        expect(not re.fullmatch(r"-l(:lib)?(ssl|crypto)(\.\w+)*", word), f"{title}: {word}")
        if word.startswith("-L"):
            expect(os.path.normpath(word[2:]) not in FACTS["boringssl_folders"], f"{title}: {word}")


def tool(name):
    """The path of a program or None."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def output_of(command, **options):
    """Standard output alone."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", check=False, **options)
    if done.returncode != 0:
        common.fail(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stderr}")
    return done.stdout

