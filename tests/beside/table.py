"""The plugin's table is the C interface: each function of include/siptls/c under its name and with
its type, nothing else, and in an order that never changes.

table.py SOURCE_TREE
"""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common  # noqa: E402


def without_comments(path):
    with open(path, encoding="ascii") as file:
        text = re.sub(r"/\*.*?\*/", " ", file.read(), flags=re.DOTALL)
    return re.sub(r"//[^\n]*|^\s*#[^\n]*", " ", text, flags=re.MULTILINE)


def plain(text):
    """One spelling for what may be spelled in several ways."""
    return re.sub(r"\s*([*(),])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()


def declared(folder):
    functions = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.h"))):
        text = without_comments(path)
        for result, name, arguments in re.findall(
                r"\bSIPTLS_C_API\s+([^;{}]*?)\b(siptls_\w+)\s*\(([^;{}]*)\)\s*;", text):
            functions[name] = plain(f"{result}({arguments})")
        count = len(re.findall(r"\bSIPTLS_C_API\s+[^;]*;", text))
        found = sum(1 for name in functions if f"{name}(" in text.replace(" (", "("))
        if found < count:
            common.fail(f"{path}: {count} declarations, of which {found} could be read")
    return functions


def table(path):
    text = without_comments(path)
    body = re.search(r"typedef struct siptls_functions\s*{(.*?)}\s*siptls_functions\s*;", text,
                     re.DOTALL).group(1)
    members = [plain(member) for member in body.split(";") if member.strip()]
    if members[0] != "size_t size":
        common.fail(f"the table begins with {members[0]}")
    rows = []
    for member in members[1:]:
        match = re.match(r"^(.*?)\(\*(\w+)\)\((.*)\)$", member)
        if not match:
            common.fail(f"no function: {member}")
        rows.append(("siptls_" + match.group(2), plain(f"{match.group(1)}({match.group(3)})")))
    return rows


def initialised(path):
    text = without_comments(path)
    return re.findall(r"&(siptls_\w+)", re.search(r"kFunctions{(.*?)};", text, re.DOTALL).group(1))


def main():
    tree, here = sys.argv[1], os.path.dirname(os.path.abspath(__file__))
    functions = declared(os.path.join(tree, "include", "siptls", "c"))
    rows = table(os.path.join(tree, "include", "siptls", "siptls_plugin.h"))
    names = [name for name, _ in rows]
    problems = [f"not in the table: {name}" for name in sorted(set(functions) - set(names))]
    problems += [f"in the table, but not declared: {name}"
                 for name in sorted(set(names) - set(functions))]
    problems += [f"{name}: `{kind}` in the table, declared as `{functions[name]}`"
                 for name, kind in rows if name in functions and functions[name] != kind]
    if len(names) != len(set(names)):
        problems.append("a name stands twice in the table")
    if initialised(os.path.join(tree, "src", "capi", "plugin.cpp")) != names:
        problems.append("src/capi/plugin.cpp fills the table in another order")
    with open(os.path.join(here, "table.txt"), encoding="ascii") as file:
        known = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    for place, name in enumerate(known):
        if place >= len(names) or names[place] != "siptls_" + name:
            problems.append(f"place {place} of the table was {name}'s and must stay it")
            break
    else:
        problems += [f"new, to be added at the end of tests/beside/table.txt: {name[7:]}"
                     for name in names[len(known):]]
    for line in problems:
        print(line)
    print(f"{len(functions)} functions, {len(rows)} rows, {len(problems)} problems")
    if not functions or problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
