#!/usr/bin/env python3
"""tlsfuzzer's scripts against a siptls server: hostile TLS clients that speak SIP at last.

tlsfuzzer is not part of this tree. Whoever wants these rows gets it and the Python packages that it
needs (tlslite-ng, ecdsa), names its checkout in SIPTLS_TLSFUZZER, and lets Python find the packages
(PYTHONPATH, or a virtual environment); without the variable the test is skipped. Each of its
scripts is a row here, or is listed in tlsfuzzer_scripts.py with the reason why it does not apply;
one that is in neither list fails, so that a newer checkout is looked at. A row passes if the script
ran, some of its probes passed, and whatever it calls a failure is a deviation of that list.
SIPTLS_TLSFUZZER_PROBES is how many probes of each script are taken (at random; 40), 0 is all.
"""

import glob
import os
import re
import subprocess
import sys

import peers
from certificates import Credentials, make_with_siptls
from peers import Process, Skipped, folder, main, require, run
from tlsfuzzer_scripts import ABSENT, SCRIPTS

HERE = os.path.dirname(os.path.abspath(__file__))
PROBES = os.environ.get("SIPTLS_TLSFUZZER_PROBES", "40")
KEYS = {"rsa": "RSA-2048", "p256": "P-256"}


def checkout():
    where = os.environ.get("SIPTLS_TLSFUZZER")
    if not where:
        raise Skipped("SIPTLS_TLSFUZZER does not name a checkout of tlsfuzzer")
    require(os.path.isdir(os.path.join(where, "scripts")), f"{where} has no folder scripts")
    return os.path.abspath(where)


def program_of(where, name):
    """Newer checkouts keep a script's text in the package, and a stub in the folder scripts."""
    inner = os.path.join(where, "tlsfuzzer", "_apps", name.replace("-", "_") + ".py")
    return inner if os.path.exists(inner) else os.path.join(where, "scripts", name + ".py")


_sides = {}


def sides(key):
    """The server's credentials below an intermediate, and a client's right below its root, because
    the scripts send one certificate."""
    if key not in _sides:
        server, client = folder("server"), folder("client")
        make_with_siptls(server, KEYS[key])
        made = run([os.path.join(peers.arguments.bin, "siptls-pki"), "--out", client,
                    "--intermediates", "0", "--key", "p256" if key == "p256" else "rsa2048",
                    "--identity", peers.CLIENT])
        require(made.child.returncode == 0, f"siptls-pki failed: {made.err}")
        _sides[key] = (Credentials(os.path.join(server, peers.SERVER)),
                       Credentials(os.path.join(client, peers.CLIENT)))
    return _sides[key]


class Host(Process):
    """fuzz_host, which outlives its rows: what one script does to it the next one meets."""

    def __init__(self, key, client_certificate):
        server, client = sides(key)
        super().__init__([os.path.join(peers.arguments.bin, "fuzz_host"), server.key,
                          server.chain, client.trust, client_certificate])
        self.port = int(self.wait_for_text(r"listening on 127\.0\.0\.1:(\d+)", "port").group(1))


_hosts = {}


def host(key, client_certificate):
    if (key, client_certificate) not in _hosts:
        _hosts[key, client_certificate] = Host(key, client_certificate)
    return _hosts[key, client_certificate]


def failures(output):
    """(probe, what the script says of it) for each probe that went otherwise than it expects."""
    found = []
    parts = re.split(r"^Error while processing$", output, flags=re.M)
    for before, after in zip(parts, parts[1:]):
        names = re.findall(r"^(.*) \.\.\.$", before, re.M)
        block = re.split(r"^.* \.\.\.$", after, maxsplit=1, flags=re.M)[0]
        errors = re.findall(r"^(?!Error encountered)\w*(?:Error|timeout)\b.*", block, re.M)
        if not re.search(r"^OK-expected failure$", block, re.M):
            found.append((names[-1] if names else "?", errors[-1] if errors else "no reason"))
    return found


def run_script(where, name, row):
    server = host(row.key, row.client_certificate)
    words = ["-h", "127.0.0.1", "-p", str(server.port), *row.options]
    if row.shows_certificate:
        client = sides(row.key)[1]
        words += ["-k", client.key, "-c", client.chain]
    if row.sampled:
        words += ["-n", PROBES]
    scsv = ["--scsv"] if row.scsv else []
    path = os.pathsep.join([where, os.environ.get("PYTHONPATH", "")])
    script = Process([sys.executable, "-B", os.path.join(HERE, "tlsfuzzer_script.py"),
                      program_of(where, name), *scsv, *words], {"PYTHONPATH": path})
    script.finish(row.patience)
    script.check_end = lambda: None
    return script


def script_passes(where, name, row):
    script = run_script(where, name, row)
    output = script.output
    require("No module named" not in output, f"a package is missing: {output.splitlines()[-1:]}")
    counts = dict(re.findall(r"^(TOTAL|PASS|XFAIL|FAIL|XPASS): (\d+)", output, re.M))
    require("TOTAL" in counts and "FAIL" in counts, f"the script gave up: {output[-800:]}")
    require(int(counts["PASS"]) + int(counts["XFAIL"]) > 0, "not one probe passed")
    found = failures(output)
    require(len(found) >= int(counts["FAIL"]) or not int(counts["FAIL"]),
            "the script counts more failures than it shows")
    unknown = [(probe, error) for probe, error in found if not row.explains(error)]
    require(not unknown, f"{len(unknown)} probes deviate: " +
            "; ".join(f"'{probe}': {error}" for probe, error in unknown[:5]))
    require(host(row.key, row.client_certificate).running, "fuzz_host ended")
    totals["probes"] += int(counts["TOTAL"])
    totals["deviating"] += len(found)
    for reason in sorted({row.explains(error) for _, error in found}):
        count = sum(row.explains(error) == reason for _, error in found)
        print(f"        {count} of {counts['TOTAL']} probes deviate: {reason}")


totals = {"probes": 0, "deviating": 0}


def rows(report):
    try:
        where = checkout()
    except Skipped as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    present = sorted(os.path.splitext(os.path.basename(path))[0]
                     for path in glob.glob(os.path.join(where, "scripts", "test-*.py")))
    for key in sorted(KEYS):
        for client_certificate in ("none", "requested"):
            host(key, client_certificate)
    del peers.started[:]  # they end with this script, not with the first row
    for name in present:
        if name in SCRIPTS:
            report.row(name, script_passes, where, name, SCRIPTS[name])
        elif name in ABSENT:
            print(f"absent  {name}: {ABSENT[name]}")
        else:
            report.row(name, require, False, "a script that nobody has looked at")
    for server in _hosts.values():
        server.stop()
        report.row(f"fuzz_host ends well, {' '.join(server.argv[4:])}", require,
                   server.child.returncode == 0, f"it ended with status {server.child.returncode}")
    print(f"{totals['probes']} probes of tlsfuzzer, {totals['deviating']} of them deviate")


if __name__ == "__main__":
    main(__doc__, rows)
