"""What a program that was built against an older header relies on: where the fields of each struct
are, how large it is, the number of each enumerator, and the order of the plugin's table. All of it
is in layout.txt; a line there may follow others, and none may change.

layout.py SOURCE_FOLDER CC           compares
layout.py SOURCE_FOLDER CC --write   writes layout.txt anew: before a release only
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def headers(root):
    folder = os.path.join(root, "include/siptls/c")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), encoding="ascii") as file:
            yield COMMENT.sub("", file.read())


def fields_of(body):
    """The names of a struct's members, pointers to functions and arrays included."""
    for member in body.split(";"):
        found = re.search(r"\(\*(\w+)\)|(\w+)(?:\[\d+\])?\s*$", member.strip())
        names = [name for name in re.findall(r"(\w+)\s*(?=,|$)", member.strip())] \
            if "," in member and "(" not in member else None
        if names:
            yield from names
        elif found:
            yield found.group(1) or found.group(2)


def program(root):
    lines = []
    for text in headers(root):
        for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", text, re.DOTALL):
            lines.append(f'  printf("sizeof {name} %zu\\n", sizeof({name}));')
            lines += [f'  printf("{name}.{field} %zu\\n", offsetof({name}, {field}));'
                      for field in fields_of(body)]
        for body in re.findall(r"enum \w+ \{(.*?)\};", text, re.DOTALL):
            lines += [f'  printf("{name} %d\\n", (int){name});'
                      for name in re.findall(r"\bSIPTLS_\w+", body)]
    return ("#include <stddef.h>\n#include <stdio.h>\n#include \"siptls/siptls.h\"\n"
            "int main(void) {\n" + "\n".join(lines) + "\n  return 0;\n}\n")


def layout(root, compiler):
    with tempfile.TemporaryDirectory(prefix="siptls-layout-") as folder:
        source = os.path.join(folder, "layout.c")
        with open(source, "w", encoding="ascii") as file:
            file.write(program(root))
        binary = os.path.join(folder, "layout")
        subprocess.run([compiler, "-std=c99", "-I", os.path.join(root, "include"), source, "-o",
                        binary], check=True)
        return subprocess.run([binary], check=True, capture_output=True,
                              text=True).stdout.splitlines()


def problems_of(known, now):
    """What a program built with `known` would find changed. More is no change."""
    found = dict(line.rsplit(" ", 1) for line in now)
    problems = []
    for line in known:
        name, number = line.rsplit(" ", 1)
        grown = name.startswith("sizeof ") and int(found.get(name, 0)) >= int(number)
        if found.get(name) != number and not grown:
            problems.append(f"{name} was {number} and is {found.get(name, 'gone')}")
    written = {line.rsplit(" ", 1)[0] for line in known}
    problems += [f"{name} is not in layout.txt" for name in found if name not in written]
    return problems


def main():
    root, compiler = sys.argv[1], sys.argv[2]
    if shutil.which(compiler) is None:
        print(f"{compiler} is not installed")
        sys.exit(77)
    path = os.path.join(root, "tests/capi/layout.txt")
    now = layout(root, compiler)
    if "--write" in sys.argv:
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(now) + "\n")
        return
    if sys.maxsize <= 2 ** 32:
        print("layout.txt is of 64-bit machines")
        sys.exit(77)
    with open(path, encoding="ascii") as file:
        known = file.read().splitlines()
    problems = problems_of(known, now)
    for planted, what in ((["siptls_event.kind 0"], "a moved field"),
                          (["SIPTLS_OK 1"], "another number"), (["sizeof siptls_event 9999"],
                                                                "a smaller struct")):
        if not problems_of(planted, now)[0].startswith(planted[0].rsplit(" ", 1)[0]):
            problems.append(f"this test is blind to {what}")
    for line in problems:
        print(line)
    print(f"{len(now)} numbers, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
