"""The error catalogue of docs/operators.md has a row for every reason of error.hpp, under its
category, with the number of the C interface; and no other row.

catalogue.py ROOT
"""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common


def read(root, *path):
    with open(os.path.join(root, *path), encoding="utf-8") as file:
        return file.read()


def reasons_of_header(text):
    """Reason to category, as the comments of the enumeration group them."""
    body = re.search(r"enum class Errc[^{]*\{(.*?)\n\};", text, re.DOTALL).group(1)
    found, category = {}, None
    for line in body.splitlines():
        heading = re.fullmatch(r"\s*// (\w+)", line)
        entry = re.match(r"\s*(\w+),", line)
        if heading:
            category = heading.group(1)
        elif entry:
            found[entry.group(1)] = category
    return found


def numbers_of_header(text):
    """Reason to number, of the C interface."""
    return {name.lower(): int(number)
            for name, number in re.findall(r"\bSIPTLS_E_(\w+) = (\d+)", text)}


def rows_of_catalogue(text):
    """Every row of the catalogue: reason, category, number, cause, cure."""
    catalogue = text[text.index("\n## Error catalogue\n"):]
    rows, category = [], None
    for line in catalogue.splitlines():
        heading = re.fullmatch(r"### (\w+)", line)
        row = re.fullmatch(r"\| `(\w+)` \((\d+)\) \| (.+) \| (.+) \|", line)
        if heading:
            category = heading.group(1)
        elif row:
            rows.append((row.group(1), category, int(row.group(2)), row.group(3), row.group(4)))
        elif line.startswith("| `"):
            rows.append((line, category, 0, "", ""))
    return rows


def compare(reasons, numbers, rows):
    problems = []
    listed = [row[0] for row in rows]
    for reason in reasons:
        if listed.count(reason) != 1:
            problems.append(f"{reason} has {listed.count(reason)} rows in the catalogue")
    for reason, category, number, cause, cure in rows:
        if reason not in reasons:
            problems.append(f"a row for {reason}, which is no reason")
        elif category != reasons[reason]:
            problems.append(f"{reason} stands under {category} and belongs to {reasons[reason]}")
        elif numbers and numbers.get(reason) != number:
            problems.append(f"{reason} has {number}, in the C interface {numbers.get(reason)}")
        elif not cause.strip() or not cure.strip():
            problems.append(f"{reason} has no cause or no cure")
    return problems


def main():
    root = sys.argv[1]
    reasons = reasons_of_header(read(root, "include", "siptls", "error.hpp"))
    numbers = numbers_of_header(read(root, "include", "siptls", "c", "error.h"))
    rows = rows_of_catalogue(read(root, "docs", "operators.md"))
    problems = compare(reasons, numbers, rows)
    if len(reasons) < 100 or None in reasons.values() or set(reasons) != set(numbers):
        problems.append("the reasons of the headers could not be read, or differ")
    # Not blind: a reason more, a row more, a row that stands elsewhere, another number.
    planted = [({**reasons, "planted": "io"}, numbers, rows),
               (reasons, numbers, rows + [("planted", "io", 1, "a", "b")]),
               ({**reasons, rows[0][0]: "io"}, numbers, rows),
               (reasons, {**numbers, rows[0][0]: 1}, rows)]
    problems += [f"this test is blind ({number})" for number, what in enumerate(planted)
                 if len(compare(*what)) <= len(compare(reasons, numbers, rows))]
    for line in problems:
        print(line)
    print(f"{len(reasons)} reasons, {len(rows)} rows")
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
