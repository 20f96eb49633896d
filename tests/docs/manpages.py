"""The man pages of the tools tell what the tools are: the options of --help with their arguments,
the exit codes, the events of --json. Or, without BIN: groff and mandoc, whichever is there, find
nothing wrong with them.

manpages.py ROOT [BIN]
"""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common

TOOLS = ("pki", "server", "client", "verify", "frame")
SECTIONS = ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "JSON EVENTS", "EXAMPLES",
            "SEE ALSO")


def options_of_help(text):
    """Option to argument, empty for one without."""
    text = re.sub(r"\n {6}(?=\S)", "", text)  # alternatives that go on in the next line
    return {name: argument or "" for name, argument in
            re.findall(r"^  (--[\w-]+)(?: (\S+(?: \.\.\.)?))?(?=\s{2,}|$)", text, re.MULTILINE)}


def plain(text):
    """A line of a page without its markup."""
    return re.sub(r"\\f[BIRP]", "", text).replace("\\-", "-").strip()


def section_of(page, name):
    found = re.search(rf"^\.SH {name}$(.*?)(?=^\.SH |\Z)", page, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def entries_of(section):
    """The tagged paragraphs: what stands in the tag, and the text."""
    parts = re.split(r"^\.TP\n", section, flags=re.MULTILINE)[1:]
    return [(plain(re.sub(r"^\.BR? ", "", part.split("\n", 1)[0])), part.split("\n", 1)[1])
            for part in parts]


def options_of_page(page):
    found = {}
    for tag, text in entries_of(section_of(page, "OPTIONS")):
        name, _, argument = tag.partition(" ")
        if argument.isupper() and f"{argument} is one of" in text:
            listed = re.findall(r"^\.BR (\S+) [,.]$", text.split("is one of", 1)[1], re.MULTILINE)
            argument = "|".join(plain(word) for word in listed)
        found[name] = argument
    return found


def events_of_source(root, tool):
    with open(os.path.join(root, "examples", f"siptls_{tool}.cpp"), encoding="utf-8") as file:
        source = file.read()
    events = set(re.findall(r'\{"event", "(\w+)"\}', source)) | {"error"}
    for word, event in (("print_connected", "connected"), ("print_closed", "closed"),
                        (".warning(", "warning")):
        if word in source:
            events.add(event)
    return events


def differences(what, ours, theirs):
    """What is on the page alone, or in the tool alone."""
    return ([f"{what} {entry} is on the page and not in the tool" for entry in sorted(ours - theirs)]
            + [f"{what} {entry} is missing on the page" for entry in sorted(theirs - ours)])


def problems_of(page, help_text, events):
    def joined(options):
        return {f"{name} {argument}".strip() for name, argument in options.items()}

    problems = [f"no section {name}" for name in SECTIONS if not section_of(page, name)]
    problems += differences("option", joined(options_of_page(page)),
                            joined(options_of_help(help_text)))
    problems += differences("event", {tag for tag, _ in entries_of(section_of(page, "JSON EVENTS"))},
                            events)
    codes = set(re.findall(r"\d", help_text.rsplit("Exit status:", 1)[-1]))
    problems += differences("exit status", {tag for tag, _ in
                                            entries_of(section_of(page, "EXIT STATUS"))}, codes)
    return problems


def formatter_says(path):
    """Warnings of groff and mandoc, as far as they are installed."""
    commands = [["groff", "-ww", "-z", "-man", "-Tascii", path],
                ["mandoc", "-T", "lint", "-W", "warning", path]]
    said = ""
    for command in commands:
        if shutil.which(command[0]):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            said += done.stdout + done.stderr
    return said


def check_contents(pages, root, tools):
    problems = []
    for tool, path in pages.items():
        with open(path, encoding="ascii") as file:
            page = file.read()
        help_text = common.run_or_fail([os.path.join(tools, f"siptls-{tool}"), "--help"])
        events = events_of_source(root, tool)
        problems += [f"siptls-{tool}.1: {line}" for line in problems_of(page, help_text, events)]
        # Not blind: another option, on either side; an event more; another exit status.
        planted = [(page.replace("\\-\\-json", "\\-\\-jsn"), help_text, events),
                   (page, help_text.replace("  --json ", "  --jason "), events),
                   (page, help_text, events | {"planted"}),
                   (page.replace("\n.B 2\n", "\n.B 3\n"), help_text, events)]
        problems += [f"this test is blind ({tool}, {number})"
                     for number, what in enumerate(planted) if not problems_of(*what)]
    return problems


def check_format(pages):
    if not shutil.which("groff") and not shutil.which("mandoc"):
        common.skip("neither groff (Debian package groff-base) nor mandoc is installed")
    said = "".join(formatter_says(path) for path in pages.values())
    problems = [said] if said else []
    with common.temporary_folder() as folder:
        path = os.path.join(folder, "planted.1")
        with open(path, "w", encoding="ascii") as file:
            file.write('.TH PLANTED 1 2026-01-01 x "y"\n.SH NAME\nplanted \\- x\n.NOSUCH macro\n')
        if not formatter_says(path):
            problems.append("this test is blind")
    return problems


def main():
    root = sys.argv[1]
    pages = {tool: os.path.join(root, "docs", "man", f"siptls-{tool}.1") for tool in TOOLS}
    if len(sys.argv) > 2:
        problems = check_contents(pages, root, sys.argv[2])
    else:
        problems = check_format(pages)
    for line in problems:
        print(line)
    if problems:
        common.fail("see above")
    print(f"{len(pages)} pages")


if __name__ == "__main__":
    main()
