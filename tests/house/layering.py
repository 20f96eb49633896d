"""Who may see whom: every #include and every forbidden word, against the table of the rooms.

layering.py ROOT checks the tree; then it plants one violation of every kind in a copy and checks
that each is found, so that the test cannot become blind.
"""

import os
import re
import shutil
import sys

import common

# The most that a room of src/ may see. The SEES lines of src/*/CMakeLists.txt are what a room does
# see; they may say less and never more.
ROOMS = {
    "base": set(),
    "sip": {"base"},
    "pki": {"base"},
    "tls": {"base", "pki"},
    "net": {"base"},
    "transport": {"base", "sip", "pki", "tls", "net"},
    # The C interface sees the public headers of all, and no file of another room.
    "capi": set(),
}

# The room that each public header belongs to.
PUBLIC = {
    "base": "clock endpoint error export result version",
    "sip": "keep_alive sip_framer sip_message_view sips",
    "pki": "credentials peer_info trust_store",
    "tls": "build_info cipher_suites handshake_trace ticket_key_ring tls_context tls_policy tls_session",
    "transport": "event log metrics sender siptls tls_transport transport_limits",
}
ROOM_OF_HEADER = {f"siptls/{name}.hpp": room for room, names in PUBLIC.items()
                  for name in names.split()}
C_HEADERS = ["siptls.h", "siptls_plugin.h"] + [f"c/{name}.h" for name in """common context credentials
    error event export framer message metrics policy transport transport_options
    trust_store""".split()]
ROOM_OF_HEADER.update({f"siptls/{name}": "capi" for name in C_HEADERS})

OPENSSL_IN = re.compile(r"src/(pki|tls)/|examples/pki/|bench/baseline/|tests/")
# The plugin's stub is loaded instead of the library and is none of it.
SYSTEM_CALLS_IN = re.compile(r"src/(base/os|net)/|src/capi/plugin_stub\.c$")
# Standard headers that read files, clocks, the environment, or print.
HOST_HEADERS = {"cstdio", "filesystem", "fstream", "iostream", "print", "random", "syncstream",
                "cassert", "ctime"}
# Intrinsics of the compiler call nothing.
PLAIN_HEADERS = {"stddef.h", "stdint.h", "emmintrin.h", "immintrin.h", "arm_neon.h"}

FORBIDDEN_IN_SRC = [
    (r"\b(system_clock|steady_clock|high_resolution_clock)\s*::\s*now\s*\(", "reads a clock"),
    (r"\b(clock_gettime|gettimeofday)\s*\(", "reads a clock"),
    (r"\b(f|v|vf)?printf\s*\(|\bf?puts\s*\(|\bputchar\s*\(", "prints"),
    (r"\bcout\b|\bcerr\b|\bclog\b|\bfmt\s*::\s*print", "prints"),
    # TlsTransport::abort(connection) is another thing than abort().
    (r"\b(abort|terminate)\s*\(\s*\)|\b_?exit\s*\(|\b__builtin_trap\b", "ends the process"),
    (r"\bassert\s*\(", "ends the process"),
    (r"\bthrow\b", "throws"),
    (r"\bgetenv\s*\(", "reads the environment"),
]

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]", re.MULTILINE)
COMMENT_OR_STRING = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"([^ ()\\]{0,16})\(.*?\)\1\"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.DOTALL)


def without_comments(text, strings):
    """The text with comments made blank, and strings too if asked for; lines stay where they are."""
    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")) or strings:
            return "\n" * token.count("\n") + " "
        return token
    return COMMENT_OR_STRING.sub(blank, text)


def source_files(root):
    for top in ("include", "src", "examples", "bench", "tests"):
        for folder, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                if name.endswith((".hpp", ".cpp", ".h", ".c")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def rooms_seen(root):
    """What the SEES lines say, and what is wrong with them."""
    seen, problems = {}, []
    src = os.path.join(root, "src")
    for name in sorted(os.listdir(src)):
        if not os.path.isdir(os.path.join(src, name)):
            continue
        with open(os.path.join(src, name, "CMakeLists.txt"), encoding="utf-8") as file:
            text = re.sub(r"#[^\n]*", "", file.read())
        found = re.search(r"siptls_room\s*\(\s*(\w+)(.*?)\)", text, re.DOTALL)
        if not found or found.group(1) != name or name not in ROOMS:
            problems.append(f"src/{name}: a folder that is no room")
            continue
        words, collecting, sees = found.group(2).split(), False, set()
        for word in words:
            if word in ("SOURCES", "SEES", "USES"):
                collecting = word == "SEES"
            elif collecting:
                sees.add(word)
        for extra in sorted(sees - ROOMS[name]):
            problems.append(f"src/{name}/CMakeLists.txt: {name} must not see {extra}")
        seen[name] = (sees & ROOMS[name]) | {name}
    for name in sorted(set(ROOMS) - set(seen)):
        problems.append(f"src/{name}: this room is missing")
        seen[name] = {name}
    return seen, problems


def place_of(path):
    """The row of the table that a file stands in."""
    parts = path.split("/")
    if path.startswith("include/siptls/"):
        return "public", ROOM_OF_HEADER.get(path[len("include/"):])
    if parts[0] == "src":
        return "src", parts[1]
    if path.startswith("examples/pki/") or path.startswith("bench/baseline/"):
        return "boringssl", None
    return parts[0], None


def own_include_problem(root, path, name, seen):
    """What is wrong with #include "name" in this file, if anything."""
    kind, room = place_of(path)

    def exists(*folders):
        return any(os.path.isfile(os.path.join(root, folder, name)) for folder in folders)

    if name.startswith("siptls/"):
        if not exists("include"):
            return "there is no such public header"
        if kind == "boringssl":
            return "this folder sees BoringSSL and nothing of siptls"
        if kind in ("public", "src"):
            owner = ROOM_OF_HEADER.get(name)
            if kind == "src" and room == "capi":
                return None
            if owner not in seen.get(room, ()) and path != "include/siptls/siptls.hpp":
                return f"{room} must not see {owner}"
        return None
    in_src = exists("src")
    if kind == "public":
        return "a public header sees public headers only"
    if kind == "src":
        if not in_src:
            return "written otherwise than room/file.hpp, or no file of src"
        owner = name.split("/")[0]
        if owner not in seen[room]:
            return f"{room} must not see {owner}"
        return None
    here = os.path.dirname(path)
    if kind == "tests":
        if in_src and exists("examples") and name.startswith("pki/"):
            return "a file of this name is in src and in examples"
        if in_src or exists("examples/pki", "tests", here) or \
                (name.startswith("pki/") and exists("examples")):
            return None
        return "tests see the public API, src, tests and examples/pki"
    if kind == "boringssl":
        if exists(here, os.path.dirname(here)):
            return None
        return "this folder sees BoringSSL and nothing of siptls"
    if exists(kind, here) or (name.startswith("pki/") and exists("examples")):
        return None
    return f"{kind} sees the public API, its own files and examples/pki"


def angle_include_problem(path, name):
    kind, _ = place_of(path)
    if name.startswith("openssl/"):
        if not OPENSSL_IN.match(path):
            return "BoringSSL is seen by src/pki, src/tls, examples/pki, bench/baseline and tests"
        return None
    if name.startswith("siptls/"):
        # embed.cpp and the projects that consume a package are written as a host writes them.
        host = kind == "examples" or path.startswith("tests/packaging/")
        return None if host else "own headers are included with quotes"
    if kind == "public" and path.endswith(".h"):
        return None if name in ("stddef.h", "stdint.h") else "C headers need C99's types only"
    if kind == "public" and ("/" in name or name.endswith(".h") or name in HOST_HEADERS):
        return "public headers need the C++ standard library only"
    if kind == "src":
        if name.startswith("fmt/"):
            return None if path.endswith(".cpp") else "fmt is for .cpp files"
        system = name.endswith(".h") or "/" in name or name in HOST_HEADERS
        if system and name not in PLAIN_HEADERS and not SYSTEM_CALLS_IN.match(path):
            return "the system is called by src/base/os and src/net alone"
    return None


def in_consteval_function(code, position):
    """True if the function around `position` (it begins in the first column) is consteval."""
    begun = [found for found in re.finditer(r"^[a-z][^\n;]*\{$", code, re.MULTILINE)
             if found.start() < position and not found.group(0).startswith("namespace")]
    return bool(begun) and re.search(r"\bconsteval\b", begun[-1].group(0)) is not None


def check(root):
    """Every violation in the tree, each as one line."""
    seen, problems = rooms_seen(root)
    for path in source_files(root):
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            text = file.read()
        kind, room = place_of(path)
        if kind == "public" and room is None:
            problems.append(f"{path}: a public header of no room (see PUBLIC in this test)")
        for quote, name in INCLUDE.findall(without_comments(text, strings=False)):
            why = (own_include_problem(root, path, name, seen) if quote == '"'
                   else angle_include_problem(path, name))
            if why:
                problems.append(f"{path}: includes {name}: {why}")
        if kind in ("src", "public"):
            code = without_comments(text, strings=True)
            for pattern, what in FORBIDDEN_IN_SRC:
                if what == "reads a clock" and path.startswith("src/base/os/"):
                    continue
                # Result::value() throws in a program that has exceptions, as its header says.
                if path == "include/siptls/result.hpp" and what in ("throws", "ends the process"):
                    continue
                for found in re.finditer(pattern, code):
                    # In a consteval function it is the way to an error of the compiler.
                    if what == "throws" and in_consteval_function(code, found.start()):
                        continue
                    line = code.count("\n", 0, found.start()) + 1
                    problems.append(f"{path}:{line}: {found.group(0).strip()} {what}")
    return problems


# File to write, its text, and a part of the line that must then be reported.
PLANTS = [
    ("src/sip/planted.cpp", '#include "pki/planted.hpp"\n', "no file of src"),
    ("src/sip/planted.cpp", '#include "siptls/trust_store.hpp"\n', "sip must not see pki"),
    ("src/pki/planted.cpp", '#include "siptls/tls_policy.hpp"\n', "pki must not see tls"),
    ("src/base/planted.cpp", '#include "siptls/siptls.hpp"\n', "base must not see transport"),
    ("src/transport/planted.cpp", "#include <openssl/ssl.h>\n", "BoringSSL is seen by"),
    ("src/net/planted.cpp", "#  include <openssl/bio.h>\n", "BoringSSL is seen by"),
    ("examples/planted.cpp", "#include <openssl/ssl.h>\n", "BoringSSL is seen by"),
    ("src/tls/planted.cpp", "#include <sys/socket.h>\n", "the system is called by"),
    ("src/base/planted.cpp", "#include <unistd.h>\n", "the system is called by"),
    ("src/pki/planted.cpp", "#include <fstream>\n", "the system is called by"),
    ("src/tls/planted.hpp", "#include <fmt/format.h>\n", "fmt is for .cpp files"),
    ("include/siptls/planted.hpp", "#pragma once\n", "a public header of no room"),
    ("include/siptls/version.hpp", "#include <sys/types.h>\n", "standard library only"),
    ("include/siptls/version.hpp", '#include "siptls/event.hpp"\n', "base must not see transport"),
    ("src/capi/planted.cpp", '#include "transport/rate.hpp"\n', "capi must not see transport"),
    ("src/transport/planted.cpp", '#include "siptls/siptls.h"\n', "transport must not see capi"),
    ("include/siptls/c/event.h", '#include "siptls/event.hpp"\n', "capi must not see transport"),
    ("include/siptls/c/event.h", "#include <stdio.h>\n", "C99's types only"),
    ("examples/planted.cpp", '#include "base/os/file.hpp"\n', "examples sees the public API"),
    ("bench/planted.cpp", '#include "base/os/file.hpp"\n', "bench sees the public API"),
    ("examples/pki/planted.cpp", '#include "siptls/error.hpp"\n', "sees BoringSSL and nothing"),
    ("src/transport/planted.cpp", "auto t = std::chrono::steady_clock::now();\n", "reads a clock"),
    ("src/net/planted.cpp", "auto t = system_clock::now();\n", "reads a clock"),
    ("src/tls/planted.cpp", 'void f() { std::cerr << "x"; }\n', "prints"),
    ("src/tls/planted.cpp", 'void f() { printf("x"); }\n', "prints"),
    ("src/pki/planted.cpp", "void f() { std::abort(); }\n", "ends the process"),
    ("src/pki/planted.cpp", "void f() { assert(false); }\n", "ends the process"),
    ("src/sip/planted.cpp", "void f() { throw 1; }\n", "throws"),
    ("src/sip/planted.cpp", "consteval int a() {\n  return 1;\n}\nint b() {\n  throw 1;\n}\n",
     "throws"),
    ("src/planted/CMakeLists.txt", "siptls_room(planted SOURCES a.cpp)\n", "is no room"),
    ("src/sip/CMakeLists.txt", "siptls_room(sip SOURCES a.cpp SEES base tls)\n",
     "sip must not see tls"),
]


def finds_what_is_planted(root):
    blind = []
    known = set(check(root))
    for path, text, expected in PLANTS:
        target = os.path.join(root, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        before = None
        if os.path.exists(target):
            with open(target, encoding="utf-8") as file:
                before = file.read()
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)
        found = [line for line in check(root) if line not in known]
        if not any(expected in line for line in found):
            blind.append(f"{path} with {text!r}: expected `{expected}`, got {found}")
        if before is None:
            os.remove(target)
            if path == "src/planted/CMakeLists.txt":
                os.rmdir(os.path.dirname(target))
        else:
            with open(target, "w", encoding="utf-8") as file:
                file.write(before)
    # Words in comments and strings are no violation.
    target = os.path.join(root, "src/tls/planted.cpp")
    with open(target, "w", encoding="utf-8") as file:
        file.write("// throw abort() <openssl/x.h>\n/* printf( */\nconst char* kText = \"throw\";\n")
    if [line for line in check(root) if line not in known]:
        blind.append("a word in a comment or string was taken for code")
    return blind


def main():
    root = os.path.abspath(sys.argv[1])
    problems = check(root)
    with common.temporary_folder() as copy:
        for top in ("include", "src", "examples", "bench", "tests"):
            shutil.copytree(os.path.join(root, top), os.path.join(copy, top),
                            ignore=shutil.ignore_patterns("corpus", "__pycache__"))
        problems += [f"this test is blind: {line}" for line in finds_what_is_planted(copy)]
    for line in problems:
        print(line)
    print(f"{sum(1 for _ in source_files(root))} files, {len(PLANTS)} planted violations, "
          f"{len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
