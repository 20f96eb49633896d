"""Every C++ and C snippet of the documents compiles.

snippets.py ROOT FOLDER CXX CC

A snippet is a fenced block of README.md, another document at the top, or docs/*.md that begins with
```cpp or ```c. There are three kinds:
- with a line that begins with #include it is a whole program, compiled as it is;
- one whose last line is a brace in the first column, and whose first line does not look like a
  statement (for, while, if, switch or do; an assignment; a semicolon at its end), is a definition;
- anything else is statements: the body of a function that has what prelude.hpp (prelude.h for C)
  gives it.
Definitions and statements of one document can use the definitions that stand above them. What is
compiled is put into FOLDER; the lines that the compiler names are those of the document.
"""

import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common

COMPILED = ("cpp", "c")
OTHERS = ("cmake", "sh", "text", "ini")
STATEMENT = re.compile(r"(for|while|if|switch|do)\b|[^(]* = |.*;$")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unused-parameter",
            "-Wno-unused-variable", "-Wno-unused-but-set-variable"]
DIALECT = {"cpp": ["-x", "c++", "-std=c++20"],
           "c": ["-x", "c", "-std=c99", "-D_POSIX_C_SOURCE=200809L"]}


class Snippet:
    def __init__(self, document, line, language, text):
        self.document, self.line, self.language, self.text = document, line, language, text

    @property
    def kind(self):
        code = [line for line in self.text.splitlines()
                if line.strip() and not line.startswith(("//", "/*", " *"))]
        if re.search(r"^#include", self.text, re.MULTILINE):
            return "program"
        if code[-1] in ("}", "};") and not STATEMENT.match(code[0]):
            return "definition"
        return "statements"

    def where(self):
        return f'#line {self.line} "{self.document}"\n'


def snippets_of(document, text):
    """The snippets of a document, and what is wrong with its fences."""
    found, problems, inside = [], [], None
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r"```(.*)$", line)
        if fence and inside is None:
            inside = (number + 1, fence.group(1), [])
            if inside[1] not in COMPILED + OTHERS:
                problems.append(f"{document}:{number}: a block of \"{inside[1]}\"; known are "
                                + ", ".join(COMPILED + OTHERS))
        elif fence:
            if inside[1] in COMPILED:
                found.append(Snippet(document, inside[0], inside[1], "\n".join(inside[2]) + "\n"))
            inside = None
        elif inside:
            inside[2].append(line)
    if inside:
        problems.append(f"{document}:{inside[0]}: a block that does not end")
    return found, problems


def unit_of(snippets, prelude, language):
    """One translation unit of all definitions and statements."""
    parts, document = [prelude], None
    for number, snippet in enumerate(snippets):
        if snippet.document != document and language == "cpp":
            parts.append("}\n" if document else "")
            parts.append("namespace %s {\n" % re.sub(r"\W", "_", snippet.document))
            document = snippet.document
        if snippet.kind == "definition":
            parts.append(snippet.where() + snippet.text)
        elif language == "cpp":
            parts.append(f"Result<void> snippet{number}(GIVEN) {{\n{snippet.where()}"
                         f"{snippet.text}return {{}};\n}}\n")
        else:
            parts.append(f"int snippet{number}(void);\nint snippet{number}(void) {{\n"
                         f"{snippet.where()}{snippet.text}return 0;\n}}\n")
    return "".join(parts) + ("}\n" if document else "")


def compile_unit(compiler, language, path, text, include):
    """What the compiler says about a translation unit; empty if it is good."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    done = subprocess.run([*compiler.split(), *DIALECT[language], *WARNINGS, "-fsyntax-only",
                           *include, path], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode or done.stderr else ""


def self_check(folder, compiler):
    """A snippet that does not compile is found, at the line where it stands."""
    text = ("# Planted\n```cpp\nint number = 1;\nnumber = nullptr;\n```\n```cpp\n"
            "int f() {\n  return \"text\";\n}\n```\n```perl\n```\n```cpp\n")
    snippets, problems = snippets_of("planted.md", text)
    prelude = "template <typename T> struct Result {};\n#define GIVEN\n"
    said = compile_unit(compiler, "cpp", os.path.join(folder, "planted.cpp"),
                        unit_of(snippets, prelude, "cpp"), [])
    expected = [("planted.md:4:", said), ("planted.md:8:", said), ('"perl"', str(problems)),
                ("does not end", str(problems))]
    return [f"this test is blind: {what}" for what, where in expected if what not in where]


def main():
    root, folder, cxx, cc = sys.argv[1:5]
    os.makedirs(folder, exist_ok=True)
    problems, snippets = self_check(folder, cxx), []
    for path in sorted(glob.glob(os.path.join(root, "*.md")) +
                       glob.glob(os.path.join(root, "docs", "*.md"))):
        with open(path, encoding="utf-8") as file:
            found, wrong = snippets_of(os.path.relpath(path, root), file.read())
        snippets += found
        problems += wrong
    include = ["-I" + os.path.join(root, "include")]
    here = os.path.dirname(os.path.abspath(__file__))
    for language, compiler, ending in (("cpp", cxx, "hpp"), ("c", cc, "h")):
        mine = [snippet for snippet in snippets if snippet.language == language]
        parts = [snippet for snippet in mine if snippet.kind != "program"]
        units = [("fragments", unit_of(parts, f'#include "{here}/prelude.{ending}"\n', language))]
        units += [(f"program{number}", snippet.where() + snippet.text)
                  for number, snippet in enumerate(mine) if snippet.kind == "program"]
        for name, text in units:
            said = compile_unit(compiler, language, os.path.join(folder, f"{name}.{language}"),
                                text, include)
            if said:
                problems.append(said)
    count = {kind: sum(snippet.kind == kind for snippet in snippets)
             for kind in ("program", "definition", "statements")}
    print(f"{len(snippets)} snippets: {count}")
    if not all(count.values()):
        problems.append("a kind of snippet has none left")
    for line in problems:
        print(line)
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
