"""The text of docs/, as tests/house/text.py sees the rest of the tree; and every link of every
document leads somewhere, also into the middle of a page.

documents.py ROOT
"""

import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common
import text as house

WIDTH = 100


def anchors_of(page):
    """What GitHub makes of the headings of a page."""
    page = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}


def links_of(page):
    page = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", page)


def check_links(pages, exists):
    """`pages`: path to text; `exists(path)`: is there such a file or folder?"""
    problems = []
    for path, page in pages.items():
        for link in links_of(page):
            if "://" in link:
                continue
            target, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(path), target)) if target else path
            if not exists(target):
                problems.append(f"{path}: a link to {link}, which is not there")
            elif anchor and (target not in pages or anchor not in anchors_of(pages[target])):
                problems.append(f"{path}: a link to {link}, which has no such heading")
    return problems


def check_width(path, page):
    return [f"{path}:{number}: {len(line)} columns, {WIDTH} are enough"
            for number, line in enumerate(page.splitlines(), 1)
            if len(line) > WIDTH and not line.startswith("|")]


def main():
    root = sys.argv[1]
    pages, problems, count = {}, [], 0
    for path in sorted(glob.glob(os.path.join(root, "docs", "**", "*"), recursive=True)):
        if not os.path.isfile(path):
            continue
        name = os.path.relpath(path, root)
        with open(path, "rb") as file:
            octets = file.read()
        problems += house.check_text(name, octets)
        problems += check_width(name, octets.decode("latin-1"))
        count += 1
    for path in glob.glob(os.path.join(root, "*.md")) + glob.glob(os.path.join(root, "docs", "*.md")):
        with open(path, encoding="utf-8") as file:
            pages[os.path.relpath(path, root)] = file.read()
    problems += check_links(pages, lambda path: os.path.exists(os.path.join(root, path)))
    # Not blind.
    planted = {"a.md": "[x](nothing.md) [y](#none) [z](#a-heading)\n# A heading\n", "docs/b.md":
               "[x](../a.md#a-heading) [y](../a.md#none)\n```\n[z](code)\n```\n"}
    if len(check_links(planted, planted.__contains__)) != 3 or not check_width("x", "a" * 101):
        problems.append("this test is blind")
    for line in problems:
        print(line)
    print(f"{count} files of docs, {len(pages)} documents with links")
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
