"""What all tools share: --help, bad usage, and the form of their errors."""

import os

import tools

# The command lines that are promised. Adding is allowed, taking away is not.
OPTIONS = {
    "siptls-pki": "--out --key --identity --intermediates --eku --san --permit --exclude --crl "
                  "--ocsp --defect",
    "siptls-server": "--listen --credentials --key --cert --ca --client-cert --policy --allow "
                     "--staple --sips --clock --idle-timeout --handshake-timeout --max-connections "
                     "--max-connections-per-address --accept-rate --keylog",
    "siptls-client": "--connect --domain --credentials --key --cert --ca --options --file --count "
                     "--pipeline --policy --local --timeout --ladder --ladder-svg",
    "siptls-verify": "--anchors --chain --at --identity --role --max-depth --max-entries --crl "
                     "--ocsp --ocsp-policy --eku --wildcard --allow-cn",
    "siptls-frame": "--role --split --max-header --max-body",
}

CLIENT = ["--connect", "127.0.0.1", "--domain", "a.example"]

# tool, command line, what the evidence must name
BAD_USAGE = [
    ("siptls-pki", [], "--out"),
    ("siptls-pki", ["--out"], "--out"),
    ("siptls-pki", ["--out", "--json"], "--out"),
    ("siptls-pki", ["--out", "x", "--out", "y"], "--out"),
    ("siptls-pki", ["--out", "x", "--key", "rsa512"], "rsa512"),
    ("siptls-pki", ["--out", "x", "--defect", "rusty"], "rusty"),
    ("siptls-pki", ["--out", "x", "--defect", "path-length", "--intermediates", "0"],
     "--intermediates"),
    ("siptls-pki", ["--out", "x", "--eku", "mail"], "mail"),
    ("siptls-pki", ["--out", "x", "--ocsp", "bad"], "bad"),
    ("siptls-pki", ["--out", "x", "--permit", "rid:1.2"], "rid:1.2"),
    ("siptls-pki", ["--out", "x", "--intermediates", "-1"], "-1"),
    ("siptls-pki", ["--out", "x", "--intermediates", "33"], "33"),
    ("siptls-pki", ["--out", "x", "--identity", "ca"], "ca"),
    ("siptls-pki", ["--out", "x", "--identity", "../a"], "../a"),
    ("siptls-pki", ["--out", "x", "--identity", ""], "--identity"),
    ("siptls-server", [], "--listen"),
    ("siptls-server", ["--listen", "127.0.0.1:0"], "--credentials"),
    ("siptls-server", ["--listen", "127.0.0.1:0", "--key", "k", "--ca", "c"], "--cert"),
    ("siptls-server", ["--listen", "127.0.0.1:0", "--credentials", "x", "--ca", "c"],
     "--credentials"),
    ("siptls-server", ["--listen", "::1", "--credentials", "x", "--policy", "ssl3"], "ssl3"),
    ("siptls-server", ["--listen", "::1", "--credentials", "x", "--client-cert", "maybe"], "maybe"),
    ("siptls-server", ["--listen", "::1", "--credentials", "x", "--sips", "maybe"], "maybe"),
    ("siptls-server", ["--listen", "::1", "--credentials", "x", "--clock", "ignore"], "ignore"),
    ("siptls-server", ["--listen", "::1", "--credentials", "x", "--idle-timeout", "600"], "600"),
    ("siptls-server", ["--listen", "::1", "--credentials", "x", "--idle-timeout", "0s"], "0s"),
    ("siptls-server", ["--listen", "::1", "--credentials", "x", "--idle-timeout", "99999999h"],
     "99999999h"),
    ("siptls-server", ["--listen", "::1", "--credentials", "x", "--max-connections", "many"],
     "many"),
    ("siptls-server", ["--listen", "::1", "--credentials", "x", "left-over"], "left-over"),
    ("siptls-client", [], "--connect"),
    ("siptls-client", ["--connect", "127.0.0.1"], "--domain"),
    ("siptls-client", CLIENT, "--credentials"),
    ("siptls-client", [*CLIENT, "--key", "k"], "--cert"),
    ("siptls-client", [*CLIENT, "--credentials", "x", "--count", "0"], "--count"),
    ("siptls-client", [*CLIENT, "--credentials", "x", "--pipeline", "1x"], "1x"),
    ("siptls-client", [*CLIENT, "--credentials", "x", "--timeout", "5"], "--timeout"),
    ("siptls-client", [*CLIENT, "--credentials", "x", "--options", "tel:+1"], "tel:+1"),
    ("siptls-client", [*CLIENT, "--credentials", "x", "--options", "sip:a\r\nX: y"], "--options"),
    ("siptls-client", [*CLIENT, "--credentials", "x", "--options", "sip:a", "--file", "f"],
     "--file"),
    ("siptls-client", [*CLIENT, "--credentials", "x", "--ladder=yes"], "--ladder"),
    ("siptls-client", [*CLIENT, "--credentials", "x", "--ladder-svg"], "--ladder-svg"),
    ("siptls-verify", [], "--chain"),
    ("siptls-verify", ["--chain", "x"], "--anchors"),
    ("siptls-verify", ["--anchors", "x", "--chain", "y", "--at", "yesterday"], "--at"),
    ("siptls-verify", ["--anchors", "x", "--chain", "y", "--role", "proxy"], "proxy"),
    ("siptls-verify", ["--anchors", "x", "--chain", "y", "--eku", "none"], "none"),
    ("siptls-verify", ["--anchors", "x", "--chain", "y", "--ocsp-policy", "always"], "always"),
    ("siptls-verify", ["--anchors", "x", "--chain", "y", "--wildcard", "all"], "all"),
    ("siptls-verify", ["--anchors", "x", "--chain", "y", "--max-depth", "deep"], "deep"),
    ("siptls-verify", ["--anchors", "x", "--chain", "y", "--max-entries", "0"], "--max-entries"),
    ("siptls-frame", ["--role", "proxy"], "proxy"),
    ("siptls-frame", ["--split", "0"], "--split"),
    ("siptls-frame", ["--max-body", "18446744073709551616"], "18446744073709551616"),
    ("siptls-frame", ["a", "b"], "b"),
]

BAD_ENDPOINTS = ["localhost", "127.0.0.1:", "127.0.0.1:99999", "[::1", "256.0.0.1", "127.1:5061"]


class CommandLines(tools.TestCase):
    def test_help_names_every_option_and_succeeds(self):
        for tool, options in OPTIONS.items():
            for others in ([], ["--json"], ["--no-such-option"]):
                with self.subTest(tool=tool, others=others):
                    outcome = tools.run(tool, *others, "--help")
                    self.assertEqual((outcome.status, outcome.err), (0, ""))
                    for option in [*options.split(), "--json", "--help"]:
                        self.assertRegex(outcome.text, rf"(?m)^  {option}( |$)")

    def test_bad_usage_ends_with_2_and_names_what_is_wrong(self):
        unknown = [(tool, ["--no-such-option"], "--no-such-option") for tool in OPTIONS]
        for tool, arguments, evidence in BAD_USAGE + unknown:
            with self.subTest(tool=tool, arguments=arguments):
                outcome = tools.run(tool, *arguments)
                self.assert_failed(outcome, "invalid_argument", status=2)
                self.assertIn(evidence, outcome.err.splitlines()[0])
                if "--json" not in arguments:
                    self.assertEqual(outcome.out, b"")

    def test_bad_usage_is_an_event_with_json(self):
        for tool in OPTIONS:
            for arguments in (["--json", "--no-such-option"], ["--no-such-option", "--json"]):
                with self.subTest(tool=tool, arguments=arguments):
                    outcome = tools.run(tool, *arguments)
                    self.assert_error_event(outcome, "invalid_argument", status=2)
                    self.assertEqual(len(outcome.events), 1)

    def test_text_that_is_no_address_is_bad_usage(self):
        for endpoint in BAD_ENDPOINTS:
            for tool, arguments in (
                    ("siptls-server", ["--listen", endpoint]),
                    ("siptls-client", ["--connect", endpoint, "--domain", "a.example"]),
                    ("siptls-client", ["--connect", "::1", "--domain", "a.example", "--local",
                                       endpoint])):
                with self.subTest(tool=tool, arguments=arguments):
                    outcome = tools.run(tool, *arguments, "--credentials", self.folder)
                    self.assert_failed(outcome, "invalid_endpoint", status=2)

    def test_a_value_may_stand_behind_an_equals_sign(self):
        outcome = tools.run("siptls-frame", "--role=client", "--split=1", "--json",
                            stdin=b"\r\n")
        self.assertEqual([event["kind"] for event in outcome.named("keepalive")], ["pong"])
        self.assertEqual(outcome.status, 0)

    def test_behind_two_dashes_nothing_is_an_option(self):
        for operand in ("--help", "--json"):
            with self.subTest(operand=operand):
                outcome = tools.run("siptls-frame", "--", operand)
                self.assert_failed(outcome, "file_not_found")
                self.assertIn(operand, outcome.err.splitlines()[0])
                self.assertEqual(outcome.out, b"")

    def test_missing_credentials_are_named(self):
        for tool, arguments in (("siptls-server", ["--listen", "127.0.0.1:0"]),
                                ("siptls-client", CLIENT)):
            with self.subTest(tool=tool):
                outcome = tools.run(tool, "--json", *arguments, "--credentials", self.folder)
                self.assert_error_event(outcome, "file_not_found")
                self.assertIn(self.folder, outcome.err)

    def test_output_that_cannot_be_written_is_no_success(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full")
        import subprocess
        with open("/dev/full", "wb") as full:
            done = subprocess.run([os.path.join(tools.BIN, "siptls-frame")], input=b"\r\n\r\n",
                                  stdout=full, stderr=subprocess.PIPE, timeout=tools.PATIENCE,
                                  check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"error: io_failed: ", done.stderr)


if __name__ == "__main__":
    tools.main()
