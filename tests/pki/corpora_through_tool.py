"""Judges the chains of NIST PKITS and C2SP/x509-limbo by siptls-verify, as somebody would who has
only the program: corpora_through_tool.py SIPTLS_VERIFY.

The corpora lie in the folder that SIPTLS_CORPORA names. A verdict that differs from the corpus's
expectation must stand in corpora_deviations.hpp, and what stands there must still differ.

Exit status: 0 all as expected, 1 not, 77 (skipped) without the corpora.
"""

import csv
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

NAME_ERRORS = ("no_sip_identity", "identity_mismatch")


def read_table(header, name):
    """The strings with which the rows of a table of the header begin."""
    body = re.search(name + r" = std::to_array<[^>]*>\(\{(.*?)\}\);", header, re.DOTALL).group(1)
    return set(re.findall(r'^\s*\{?"([^"]+)"', body, re.MULTILINE))


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def facts(folder):
    with open(os.path.join(folder, "case.txt"), encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)


class Case:
    """One run of the program and what is expected of it."""

    def __init__(self, identifier, good, folder, *arguments, crls=False, names=False):
        self.identifier, self.good, self.names = identifier, good, names
        at = facts(folder).get("validation_time") or "2026-01-01T00:00:00Z"
        self.arguments = ["--json", "--anchors", os.path.join(folder, "trusted.pem"),
                          "--chain", os.path.join(folder, "chain.pem"), "--at", at,
                          "--max-entries", "1000", *arguments]
        if crls:
            self.arguments += ["--crl", os.path.join(folder, "crls.pem")]

    def run(self, program):
        """What went wrong, or None; whether it is good or refused."""
        done = subprocess.run([program, *self.arguments], capture_output=True, timeout=60,
                              check=False)
        verdicts = [json.loads(line) for line in done.stdout.decode().splitlines()]
        if len(verdicts) != 1 or verdicts[0].get("event") != "verdict":
            return f"{self.identifier}: no verdict: {done.stderr.decode()}"
        verdict = verdicts[0]
        if done.returncode != (0 if verdict["ok"] else 1):
            return f"{self.identifier}: exit status {done.returncode}"
        # Without a name to ask for, the path is what is judged.
        good = verdict["ok"] or (not self.names and verdict["reason"] in NAME_ERRORS)
        deviates = self.identifier in DEVIATIONS
        if (good == self.good) != deviates:
            return None
        return (f"{self.identifier}: expected {'ok' if self.good else 'a refusal'}, got "
                f"{'ok' if good else verdict['reason']}"
                f"{', but a deviation is on record' if deviates else ''}")


def pkits(root):
    for row in rows(os.path.join(root, "index.tsv")):
        if row["needs"] == "policy":
            continue
        identifier, good = "pkits " + row["num"], row["expected"] == "SUCCESS"
        folder = os.path.join(root, row["dir"])
        if row["needs"] != "crl":
            yield Case(identifier, good, folder, "--max-depth", "5")
        yield Case(identifier + " with CRLs", good, folder, "--max-depth", "5", crls=True)


def limbo(root):
    for row in rows(os.path.join(root, "index.tsv")):
        folder = os.path.join(root, row["dir"])
        known = facts(folder)
        depth = known.get("max_chain_depth")  # without leaf and anchor
        most = min(int(depth) + 1, 100) if depth else 32  # the program takes no more than 100
        arguments = ["--max-depth", str(most),
                     "--role", "client" if known.get("validation_kind") == "CLIENT" else "server"]
        named = known.get("peer_name_kind") in ("DNS", "IP")
        if named:
            arguments += ["--identity", known["peer_name"]]
        crls = os.path.exists(os.path.join(folder, "crls.pem"))
        good = row["expected"] == "SUCCESS"
        yield Case(row["id"], good, folder, *arguments, crls=crls, names=named)
        if row["id"] in WITH_WILDCARD:
            yield Case(row["id"] + " with a wildcard", good, folder, *arguments,
                       "--wildcard", "one-label", crls=crls, names=named)


def main():
    program = sys.argv[1]
    corpora = os.environ.get("SIPTLS_CORPORA", "")
    if not os.path.isdir(os.path.join(corpora, "nist-pkits")):
        print("skipped: SIPTLS_CORPORA does not name a folder with nist-pkits and x509-limbo")
        return 77
    wrong = 0
    for name, cases in (("NIST PKITS", list(pkits(os.path.join(corpora, "nist-pkits")))),
                        ("x509-limbo", list(limbo(os.path.join(corpora, "x509-limbo"))))):
        with ThreadPoolExecutor(2) as pool:
            problems = [text for text in pool.map(lambda case: case.run(program), cases) if text]
        print("\n".join([*problems, f"{name}: {len(cases)} judged, {len(problems)} wrong"]))
        wrong += len(problems) + (0 if cases else 1)
    return 1 if wrong else 0


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpora_deviations.hpp"),
          encoding="utf-8") as deviations:
    HEADER = deviations.read()
DEVIATIONS = read_table(HEADER, "kDeviations")
WITH_WILDCARD = read_table(HEADER, "kAcceptedWithWildcard")

if __name__ == "__main__":
    sys.exit(main())
