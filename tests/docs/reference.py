"""The API reference comes without a warning and says what the headers say.

reference.py ROOT FOLDER
"""

import glob
import html
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common


def run_doxygen(doxygen, root, folder, **more):
    """Its exit status and what it says, with docs/Doxyfile and some settings more."""
    with open(os.path.join(root, "docs", "Doxyfile"), encoding="utf-8") as file:
        settings = file.read()
    settings += "".join(f"{name} = {value}\n" for name, value in more.items())
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run([doxygen, "-"], input=settings + f"OUTPUT_DIRECTORY = {folder}\n",
                          cwd=root, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def words(text):
    return re.sub(r"[^\w]+", " ", text).strip()


def sentences_of(text):
    """The first line of every comment of a header, which is above a declaration or behind it."""
    # What is nobody's business but the library's is not in the reference.
    for hidden in (r"\nnamespace detail \{.*?\n\}", r"\n private:\n.*?\n\};"):
        text = re.sub(hidden, "\n", text, flags=re.DOTALL)
    found = re.findall(r"^ *// (?!---|namespace)(.+)\n *(?!//)\S", text, re.MULTILINE)  # one line
    found += re.findall(r"^ *[^/ \n][^\n]*  // (?!namespace)(.+)$", text, re.MULTILINE)
    found += re.findall(r"^ */\* (.+?)(?: \*/)?$", text, re.MULTILINE)
    return [words(line) for line in found]


def text_of_reference(folder):
    parts = []
    for path in glob.glob(os.path.join(folder, "html", "*.html")):
        if path.endswith("_source.html"):  # a copy of the header, comments and all
            continue
        with open(path, encoding="utf-8") as file:
            parts.append(words(html.unescape(re.sub(r"<[^>]*>", "", file.read()))))
    return "\n".join(parts)


def missing_sentences(root, reference):
    missing, count = [], 0
    for path in sorted(glob.glob(os.path.join(root, "include", "siptls", "**", "*.h*"),
                                 recursive=True)):
        with open(path, encoding="utf-8") as file:
            for sentence in sentences_of(file.read()):
                count += 1
                if sentence not in reference:
                    missing.append(f"{os.path.relpath(path, root)}: \"{sentence}\"")
    return missing, count


def main():
    root, folder = sys.argv[1:3]
    doxygen = common.need("doxygen", "doxygen")
    common.need("sed", "sed")
    status, said = run_doxygen(doxygen, root, folder)
    problems = []
    if status != 0 or said.strip():
        problems.append(f"doxygen ended with {status} and said:\n{said}")
    missing, count = missing_sentences(root, text_of_reference(folder))
    if count < 500 or len(missing) > count // 100:
        problems += [f"{len(missing)} of {count} comments are not in the reference", *missing]
    # Not blind: a wrong word of command is a warning, and the filter is what brings the text.
    with common.temporary_folder() as planted:
        header = os.path.join(planted, "planted.hpp")
        with open(header, "w", encoding="ascii") as file:
            file.write("#pragma once\nnamespace siptls {\n// Does it. @param none No such one.\n"
                       "void plant(int number);\n}  // namespace siptls\n")
        status, said = run_doxygen(doxygen, root, planted, INPUT=header)
        if status == 0 or "none" not in said:
            problems.append(f"this test is blind: {status} {said}")
    for line in problems:
        print(line)
    print(f"{count} comments, {len(missing)} of them not found in the reference")
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
