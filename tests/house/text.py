"""The text of the tree: ASCII only, no path of somebody's machine, nothing left unfinished, no file
that has grown too long, and README's example equal to the program that it shows.

text.py ROOT
"""

import os
import re
import subprocess
import sys

import common

SUFFIXES = (".hpp", ".cpp", ".h", ".c", ".cmake", ".txt", ".sh", ".py", ".md", ".json", ".yml",
            ".cfg", ".xml", ".in", ".1", ".map")
NAMES = ("LICENSE", "run", ".clang-format", ".clang-tidy", ".gitignore")
TOP = ("include", "src", "examples", "bench", "tests", "cmake", "docs", ".ci")
MAX_LINES = 500

# Put together here, so that this file does not hold what it looks for.
MACHINE_PATH = re.compile(r"(?<![\w.$}*])/(" + "|".join(
    ("ho" + "me", "ro" + "ot", "wo" + "rk", "Us" + "ers", "o" + "pt", "m" + "nt")) + r")/\w")
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")


def files(root):
    for name in sorted(os.listdir(root)):
        if os.path.isfile(os.path.join(root, name)) and (name.endswith(SUFFIXES) or name in NAMES):
            yield name
    for top in TOP:
        for folder, folders, names in sorted(os.walk(os.path.join(root, top))):
            folders[:] = [name for name in folders if name not in ("corpus", "__pycache__")]
            for name in sorted(names):
                if name.endswith(SUFFIXES) or name in NAMES:
                    yield os.path.relpath(os.path.join(folder, name), root)


def check_text(path, octets):
    problems = []
    try:
        text = octets.decode("ascii")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        problems.append(f"{path}:{line}: an octet that is not ASCII")
        text = octets.decode("latin-1")
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, what in ((MACHINE_PATH, "a path of one machine"),
                              (UNFINISHED, "unfinished by its own words")):
            if path != "LICENSE" and pattern.search(line):
                problems.append(f"{path}:{number}: {what}: {line.strip()}")
        if line.endswith((" ", "\t")) and path != "LICENSE":
            problems.append(f"{path}:{number}: a blank at the end of the line")
    if path.startswith(("include/", "src/", "examples/", "bench/", "tests/")) and \
            path.endswith((".hpp", ".cpp", ".h", ".c")) and len(text.splitlines()) > MAX_LINES:
        problems.append(f"{path}: {len(text.splitlines())} lines, {MAX_LINES} are enough")
    return problems


def check_readme(root):
    """The first C++ block of README.md is examples/embed.cpp, word for word."""
    with open(os.path.join(root, "README.md"), encoding="utf-8") as file:
        block = re.search(r"```cpp\n(.*?)```", file.read(), re.DOTALL)
    example = os.path.join(root, "examples", "embed.cpp")
    if not os.path.isfile(example):
        return ["examples/embed.cpp: README's example is missing"]
    with open(example, encoding="utf-8") as file:
        program = file.read()
    if not block:
        return ["README.md: the example is missing"]
    if block.group(1) != program:
        return ["README.md: its example differs from examples/embed.cpp"]
    return []


def check_links(root):
    """Every relative link of a document leads to a file, and every script that it names is there."""
    problems = []
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        with open(os.path.join(root, name), encoding="utf-8") as file:
            text = file.read()
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            if "://" not in target and not os.path.exists(os.path.join(root, target)):
                problems.append(f"{name}: a link to {target}, which is not there")
    return problems


def check_scripts(root):
    """Every script can be parsed by bash and is executable."""
    problems = []
    for path in files(root):
        full = os.path.join(root, path)
        if not (path.endswith(".sh") or path == ".ci/run"):
            continue
        done = subprocess.run(["bash", "-n", full], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            problems.append(f"{path}: {done.stderr.strip()}")
    return problems


def self_check():
    """Each kind of problem is found where it is planted."""
    planted = {
        "not ASCII": "int a;  // \xe4\n".encode("utf-8"),
        "path of one machine": ('f("/ho' + 'me/someone/x");\n').encode(),
        "unfinished": ("// TO" + "DO: more\n").encode(),
        "blank at the end": b"int a; \n",
        "are enough": b"//\n" * (MAX_LINES + 1),
    }
    return [f"this test is blind: {expected}" for expected, octets in planted.items()
            if not any(expected in line for line in check_text("src/planted.cpp", octets))]


def main():
    root = os.path.abspath(sys.argv[1])
    problems, count = self_check(), 0
    for path in files(root):
        with open(os.path.join(root, path), "rb") as file:
            problems += check_text(path, file.read())
        count += 1
    problems += check_readme(root) + check_links(root) + check_scripts(root)
    for line in problems:
        print(line)
    print(f"{count} files, {len(problems)} problems")
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
