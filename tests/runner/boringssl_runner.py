#!/usr/bin/env python3
"""siptls under BoringSSL's own test runner.

The runner is not part of this tree. Whoever wants this test takes the sources of BoringSSL of API
version 17 (in Debian the source package android-platform-external-boringssl), makes the test
program of the Go package ssl/test/runner, and names it in SIPTLS_BORINGSSL_RUNNER; without that
variable the test is skipped. Newer runners make their certificates themselves, without a name that
a SIP client could match, and cannot be used.

The keys and certificates that the runner reads are made here: siptls always judges its peer, and
the runner's own are out of date and name nobody. Errors are compared by their alerts only, since
the runner knows BoringSSL's words and not ours.
"""

import argparse
import collections
import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile

from expectations import ABSENT, DEVIATIONS

HOSTS = ("runner.example", "example.com", "test0123456789.example", "www.example.com")
EXTENSIONS = ["-addext", "subjectAltName=" + ",".join("DNS:" + host for host in HOSTS)]
KEYS = {  # the runner's file names, and how OpenSSL makes such a key
    "": ["rsa:2048"],
    "rsa_1024_": ["rsa:1024"],
    "rsa_chain_": ["rsa:2048"],
    "ecdsa_p224_": ["ec", "-pkeyopt", "ec_paramgen_curve:P-224"],
    "ecdsa_p256_": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ecdsa_p384_": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "ecdsa_p521_": ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "ed25519_": ["ed25519"],
    "channel_id_": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
}
UNTRUSTED = ("rsa_1024_", "rsa_chain_", "ecdsa_p224_", "channel_id_")


def openssl(where, *words):
    made = subprocess.run(["openssl", *words], cwd=where, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if made.returncode != 0:
        sys.exit(f"openssl {words[0]} failed: {made.stdout.decode()}")


def read(*path):
    with open(os.path.join(*path), encoding="ascii") as file:
        return file.read()


def make_certificates(where):
    """Self-signed ones, and one chain of two; CAList.pem trusts all that siptls can trust."""
    for prefix, kind in KEYS.items():
        openssl(where, "req", "-x509", "-newkey", *kind, "-nodes", "-days", "30", "-sha256",
                "-keyout", prefix + "key.pem", "-out", prefix + "cert.pem",
                "-subj", f"/CN=Runner {prefix or 'rsa_'}", *EXTENSIONS)
    openssl(where, "ec", "-in", "channel_id_key.pem", "-out", "channel_id_key.pem")
    openssl(where, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-sha256",
            "-keyout", "root_key.pem", "-out", "root.pem", "-subj", "/CN=Runner Root")
    openssl(where, "req", "-new", "-key", "rsa_chain_key.pem", "-out", "chain.csr",
            "-subj", "/CN=Runner chain")
    with open(os.path.join(where, "chain.ext"), "w", encoding="ascii") as file:
        file.write(EXTENSIONS[1] + "\n")
    openssl(where, "x509", "-req", "-in", "chain.csr", "-CA", "root.pem", "-CAkey", "root_key.pem",
            "-CAcreateserial", "-days", "30", "-sha256", "-extfile", "chain.ext",
            "-out", "rsa_chain_leaf.pem")
    with open(os.path.join(where, "rsa_chain_cert.pem"), "w", encoding="ascii") as file:
        file.write(read(where, "rsa_chain_leaf.pem") + read(where, "root.pem"))
    with open(os.path.join(where, "CAList.pem"), "w", encoding="ascii") as file:
        file.write(read(where, "root.pem"))
        for prefix in KEYS:
            if prefix not in UNTRUSTED:
                file.write(read(where, prefix + "cert.pem"))


def run_runner(runner, shim, where, chosen):
    """The outcome of each test by name, and what the runner printed."""
    with open(os.path.join(where, "config.json"), "w", encoding="ascii") as file:
        json.dump({"DisabledTests": ABSENT, "AllCurves": [29, 23, 24, 25]}, file)
    results = os.path.join(where, "results.json")
    command = [runner, "-shim-path", shim, "-shim-config", os.path.join(where, "config.json"),
               "-resource-dir", where, "-allow-unimplemented", "-loose-errors", "-pipe",
               "-json-output", results]
    if chosen:
        command += ["-test", chosen]
    trust = {"SIPTLS_RUNNER_TRUST": os.path.join(where, "CAList.pem")}
    done = subprocess.run(command, cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, **trust}, check=False)
    output = done.stdout.decode("utf-8", "replace")
    if not os.path.exists(results):
        sys.exit(f"the runner wrote no results:\n{output[-3000:]}")
    tests = json.loads(read(results))["tests"]
    return {name: test["actual"] for name, test in tests.items()}, output


def reason_for(name):
    for pattern, reason in DEVIATIONS.items():
        if fnmatch.fnmatchcase(name, pattern):
            return pattern, reason
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shim", required=True)
    parser.add_argument("--test", default="", help="patterns of tests, for the runner")
    arguments = parser.parse_args()
    runner = os.environ.get("SIPTLS_BORINGSSL_RUNNER")
    if not runner:
        print("skipped: SIPTLS_BORINGSSL_RUNNER does not name BoringSSL's test runner")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="siptls-runner-") as where:
        make_certificates(where)
        outcomes, output = run_runner(os.path.abspath(runner), os.path.abspath(arguments.shim),
                                      where, arguments.test)
    failed = [name for name, outcome in outcomes.items() if outcome == "FAIL"]
    unexpected = [name for name in failed if not reason_for(name)]
    hit = collections.Counter(reason_for(name)[0] for name in failed if reason_for(name))
    for pattern, reason in DEVIATIONS.items():
        if hit[pattern]:
            print(f"deviation {pattern} ({hit[pattern]}): {reason}")
        elif not arguments.test:
            print(f"failed    {pattern}: no test deviates any more")
            unexpected.append(pattern)
    for name in unexpected:
        said = re.search(rf"^FAILED \({re.escape(name)}\)\n(.*?)(?=^FAILED|^UNIMPL|^PASSED|\Z)",
                         output, re.S | re.M)
        print(f"failed    {name}: {said.group(1)[:1500] if said else ''}")
    counts = collections.Counter(outcomes.values())
    print(f"{sum(hit.values())} tests deviate for the reasons above; skipped are those with a flag "
          "that asks for what siptls does not do")
    print(f"{counts['PASS']} passed, {len(unexpected)} failed, {counts['SKIP']} skipped")
    sys.exit(1 if unexpected else 0)


if __name__ == "__main__":
    main()
