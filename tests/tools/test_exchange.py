"""siptls-server and siptls-client with each other: exchanges, refusals, limits, and their ends."""

import os
import signal
import socket
import xml.etree.ElementTree

import tools
from tools import CLIENT, SERVER

VERSIONS = {"modern": "TLS 1.3", "img2020": "TLS 1.2"}

# --defect, the reason of the side that judges, of the side that is judged; the reason of a server
# that judges a client with that defect
DEFECTS = [
    ("expired", "certificate_expired", "certificate_expired"),
    ("not-yet-valid", "certificate_not_yet_valid", "certificate_not_yet_valid"),
    ("wrong-ca", "unknown_ca", "unknown_ca"),
    ("wrong-identity", "identity_mismatch", "identity_not_allowed"),
    ("self-signed", "unknown_ca", "unknown_ca"),
]


class Exchange(tools.TestCase):
    @classmethod
    def setUpClass(cls):
        import shutil
        import tempfile
        folder = tempfile.mkdtemp(prefix="siptls-tools-")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.pki = tools.Pki(folder)

    def server(self, *arguments, credentials=None, **options):
        return tools.Server(credentials or self.pki.credentials(SERVER), *arguments, **options)

    def client_arguments(self, server, *arguments, credentials=None, domain=SERVER):
        return ("--connect", server.endpoint, "--domain", domain,
                *(credentials or self.pki.credentials(CLIENT)), *arguments)

    def client(self, server, *arguments, **options):
        return tools.run("siptls-client", "--json",
                         *self.client_arguments(server, *arguments, **options))

    def assert_answered(self, outcome, count=1):
        self.assertEqual((outcome.status, outcome.err), (0, ""), outcome.text)
        self.assertEqual([event["status"] for event in outcome.named("response")], [200] * count)
        closed = outcome.named("closed")
        self.assertEqual([(event["clean"], event["truncated"]) for event in closed],
                         [(True, False)])

    def test_both_sides_prove_themselves_and_exchange_a_request(self):
        for policy, version in VERSIONS.items():
            for key in ("p256", "rsa2048"):
                with self.subTest(policy=policy, key=key):
                    pki = tools.Pki(os.path.join(self.folder, policy + key), "--key", key)
                    with self.server(credentials=pki.credentials(SERVER)) as server:
                        outcome = self.client(server, "--policy", policy,
                                              credentials=pki.credentials(CLIENT))
                        self.assert_answered(outcome)
                        self.assertEqual([event["event"] for event in outcome.events],
                                         ["connected", "response", "closed"])
                        here, there = outcome.events[0], server.expect("connected")
                        for side, peer in ((here, SERVER), (there, CLIENT)):
                            self.assertEqual(list(side)[0], "event")
                            self.assertEqual(side["identities"], [peer])
                            self.assertEqual(side["version"], version)
                            self.assertEqual(side["resumed"], False)
                            self.assertEqual(side["authenticated"], True)
                        self.assertEqual(here["suite"], there["suite"])
                        self.assertRegex(here["suite"], "^TLS_[A-Z0-9_]+$")
                        self.assertEqual(here["remote"], server.endpoint)
                        self.assertEqual((here["local"], here["remote"]),
                                         (there["remote"], there["local"]))
                        request = server.expect("request")
                        self.assertEqual((request["method"], request["uri"]),
                                         ("OPTIONS", "sip:" + SERVER))
                        self.assertEqual(request["connection"], there["connection"])
                        self.assertEqual(request["call_id"], outcome.events[1]["call_id"])
                        self.assertTrue(server.expect("closed")["clean"])
                        self.assertEqual(server.stop(), 0)
                        self.assertEqual(server.stderr(), "")

    def test_people_get_lines(self):
        with self.server() as server:
            outcome = tools.run("siptls-client", *self.client_arguments(server))
        self.assertEqual((outcome.status, outcome.err), (0, ""))
        lines = outcome.text.splitlines()
        self.assertRegex(lines[0], rf"to {server.endpoint}, TLS 1\.3, TLS_")
        self.assertRegex(lines[1], rf"peer proved .*{SERVER}$")
        self.assertEqual(lines[2], "SIP/2.0 200 OK")
        self.assertRegex(lines[3], "closed cleanly$")

    def test_a_server_for_people_says_where_it_listens_first(self):
        import subprocess
        process = subprocess.Popen(
            [os.path.join(tools.BIN, "siptls-server"), "--listen", "127.0.0.1:0", "--listen",
             "127.0.0.1:0", *self.pki.credentials(SERVER)], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        try:
            for _ in range(2):
                self.assertRegex(process.stdout.readline(), r"^listening on 127\.0\.0\.1:[1-9]\d*$")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(tools.PATIENCE), 0)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()

    def test_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("no IPv6 on the loopback interface")
        with self.server(address="::1") as server:
            outcome = self.client(server, "--local", "[::1]:0")
            self.assert_answered(outcome)
            self.assertEqual(outcome.events[0]["remote"], f"[::1]:{server.port}")

    def test_a_thousand_requests_twenty_at_a_time(self):
        with self.server() as server:
            outcome = self.client(server, "--count", 1000, "--pipeline", 20)
            self.assert_answered(outcome, 1000)
            calls = {event["call_id"] for event in outcome.named("response")}
            self.assertEqual(len(calls), 1000)
            self.assertEqual(len(outcome.named("connected")), 1)
            server.expect("closed")
            self.assertEqual(sum(event["event"] == "request" for event in server.seen), 1000)

    def test_messages_of_a_file_are_sent_as_they_are(self):
        def message(method, number):
            return (f"{method} sip:{SERVER} SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK{number}\r\n"
                    f"From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: call{number}\r\n"
                    f"CSeq: {number} {method}\r\nContent-Length: 2\r\n\r\nhi")
        path = self.file("messages", "".join(
            [message("MESSAGE", 1), message("ACK", 2), message("INFO", 3)]).encode())
        with self.server() as server:
            outcome = self.client(server, "--file", path)
            self.assert_answered(outcome, 2)
            self.assertEqual([(event["call_id"], event["cseq"])
                              for event in outcome.named("response")],
                             [("call1", "1 MESSAGE"), ("call3", "3 INFO")])
            server.expect("closed")
            self.assertEqual([event["method"] for event in server.seen
                              if event["event"] == "request"], ["MESSAGE", "ACK", "INFO"])
            # The count goes on with the first message again.
            self.assert_answered(self.client(server, "--file", path, "--count", 7,
                                             "--pipeline", 3), 5)

    def test_a_file_that_is_no_sip_is_refused(self):
        with self.server() as server:
            for content, reason in ((b"GET / HTTP/1.1\r\n\r\n", "invalid_start_line"),
                                    (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 9\r\n\r\n",
                                     "truncated")):
                with self.subTest(reason=reason):
                    outcome = self.client(server, "--file", self.file("messages", content))
                    self.assert_error_event(outcome, reason)

    def test_each_defect_of_the_server_is_named_by_both_sides(self):
        for defect, reason, _ in DEFECTS:
            bad = tools.Pki(os.path.join(self.folder, defect), "--defect", defect)
            for policy in VERSIONS:
                with self.subTest(defect=defect, policy=policy):
                    with self.server(credentials=bad.mixed(SERVER, self.pki)) as server:
                        outcome = self.client(server, "--policy", policy,
                                              credentials=self.pki.mixed(CLIENT, bad))
                        self.assert_error_event(outcome, reason)
                        self.assertEqual(outcome.named("connected"), [])
                        error = server.expect("error")
                        self.assertEqual(error["reason"], "peer_rejected_certificate")
                        self.assertEqual(error["alert"], outcome.named("error")[0]["alert"])

    def test_each_defect_of_the_client_is_named_by_both_sides(self):
        for defect, _, reason in DEFECTS:
            bad = tools.Pki(os.path.join(self.folder, defect), "--defect", defect)
            for policy in VERSIONS:
                with self.subTest(defect=defect, policy=policy):
                    with self.server("--allow", CLIENT,
                                     credentials=self.pki.mixed(SERVER, bad)) as server:
                        outcome = self.client(server, "--policy", policy,
                                              credentials=bad.mixed(CLIENT, self.pki))
                        error = server.expect("error")
                        self.assertEqual(error["reason"], reason)
                        self.assertTrue(error["remote"].startswith("127.0.0.1:"))
                        seen = ("peer_denied_access" if reason == "identity_not_allowed"
                                else "peer_rejected_certificate")
                        self.assert_error_event(outcome, seen)
                        self.assertEqual(outcome.named("error")[0]["alert"], error["alert"])
                        self.assertEqual(outcome.named("response"), [])
                        # It goes on serving those who can prove themselves.
                        self.assertEqual(server.stop(), 0)
                        self.assertFalse([event for event in server.seen
                                          if event["event"] in ("connected", "request")])

    def test_credentials_that_do_not_belong_together_are_refused_at_once(self):
        bad = tools.Pki(self.folder, "--defect", "key-mismatch")
        for tool, arguments in (("siptls-server", ["--listen", "127.0.0.1:0"]),
                                ("siptls-client", ["--connect", "127.0.0.1:1", "--domain", SERVER])):
            with self.subTest(tool=tool):
                outcome = tools.run(tool, "--json", *arguments, *bad.credentials(CLIENT))
                self.assert_error_event(outcome, "key_mismatch")

    def test_a_refused_client_leaves_the_server_serving_others(self):
        stranger = tools.Pki(self.folder)
        with self.server() as server:
            self.assert_failed(self.client(server, credentials=stranger.mixed(CLIENT, self.pki)),
                               "peer_rejected_certificate")
            self.assertEqual(server.expect("error")["reason"], "unknown_ca")
            self.assert_answered(self.client(server))

    def test_only_allowed_identities_are_let_in(self):
        with self.server("--allow", "other.example", "--allow", CLIENT) as server:
            self.assert_answered(self.client(server))
        with self.server("--allow", "other.example") as server:
            self.assert_failed(self.client(server), "peer_denied_access")
            self.assertEqual(server.expect("error")["reason"], "identity_not_allowed")

    def test_who_needs_a_client_certificate(self):
        without = ("--ca", self.pki.path(CLIENT, "CAList.pem"))
        for mode, with_certificate, without_certificate in (
                ("required", [CLIENT], None), ("requested", [CLIENT], []), ("none", [], [])):
            for policy in VERSIONS:
                with self.subTest(mode=mode, policy=policy):
                    with self.server("--client-cert", mode) as server:
                        self.assert_answered(self.client(server, "--policy", policy))
                        self.assertEqual(server.expect("connected")["identities"], with_certificate)
                        outcome = self.client(server, "--policy", policy, credentials=without)
                        if without_certificate is None:
                            error = server.expect("error")
                            self.assertEqual(error["reason"], "certificate_missing")
                            # TLS 1.2 has no better alert for it than handshake_failure (RFC 5246
                            # section 7.4.6).
                            self.assert_error_event(outcome, "peer_rejected_certificate"
                                                    if policy == "modern"
                                                    else "peer_found_nothing_in_common")
                            self.assertEqual(outcome.named("error")[0]["alert"], error["alert"])
                        else:
                            self.assert_answered(outcome)
                            connected = server.expect("connected")
                            self.assertEqual((connected["identities"], connected["authenticated"]),
                                             (without_certificate, False))

    def test_the_server_must_prove_the_domain_that_was_asked_for(self):
        with self.server() as server:
            self.assert_error_event(self.client(server, domain="other.example"),
                                    "identity_mismatch")
            self.assert_error_event(self.client(server, domain="a b"), "invalid_domain", status=2)

    def test_no_common_version_and_suite(self):
        with self.server("--policy", "img2020") as server:
            self.assert_answered(self.client(server, "--policy", "interop"))
            self.assertEqual(server.expect("connected")["version"], "TLS 1.2")

    def test_nobody_listens(self):
        with socket.socket() as unused:  # bound, so that nobody else can listen there
            unused.bind(("127.0.0.1", 0))
            outcome = tools.run("siptls-client", "--json", "--connect",
                                f"127.0.0.1:{unused.getsockname()[1]}", "--domain", SERVER,
                                *self.pki.credentials(CLIENT))
        self.assert_error_event(outcome, "connection_refused")

    def test_a_port_that_is_taken(self):
        with self.server() as server:
            outcome = tools.run("siptls-server", "--json", "--listen", server.endpoint,
                                *self.pki.credentials(SERVER))
            self.assert_error_event(outcome, "address_in_use")

    def test_sips_can_be_refused_and_required(self):
        rows = [("disabled", "sips:", 480), ("disabled", "sip:", 200), ("enabled", "sips:", 200),
                ("enabled", "sip:", 200), ("required", "sip:", 480), ("required", "sips:", 200)]
        for mode, scheme, status in rows:
            with self.subTest(mode=mode, scheme=scheme):
                with self.server("--sips", mode) as server:
                    outcome = self.client(server, "--options", scheme + SERVER)
                    self.assertEqual(outcome.status, 0, outcome.err)
                    self.assertEqual([event["status"] for event in outcome.named("response")],
                                     [status])

    def test_a_server_can_insist_on_a_clock_that_is_kept(self):
        verdict = tools.run("siptls-verify", "--json",
                            "--anchors", self.pki.path(CLIENT, "CAList.pem"),
                            "--chain", self.pki.path(CLIENT, "publickey.pem")).events[0]
        with self.server("--clock", "require") as server:
            outcome = self.client(server)
            if verdict["clock"] == "synchronised":
                self.assert_answered(outcome)
            else:
                self.assertEqual(server.expect("error", reason="clock_not_trusted")["alert"],
                                 outcome.named("error")[0]["alert"])
                self.assertEqual(outcome.status, 1)

    def test_a_key_log_is_written_and_warned_of(self):
        path = os.path.join(self.folder, "keys.log")
        with self.server("--keylog", path) as server:
            self.assert_answered(self.client(server))
            self.assert_answered(self.client(server, "--policy", "img2020"))
            self.assertEqual(server.stop(), 0)
            self.assertRegex(server.stderr(), "(?m)^warning: .*decrypt")
        with open(path, encoding="ascii") as file:
            lines = file.read().splitlines()
        self.assertTrue(any(line.startswith("CLIENT_RANDOM ") for line in lines), lines)
        self.assertTrue(any(line.startswith("CLIENT_TRAFFIC_SECRET_0 ") for line in lines), lines)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_the_ladder_is_printed(self):
        with self.server() as server:
            outcome = tools.run("siptls-client", "--ladder", "--policy", "img2020",
                                *self.client_arguments(server))
            self.assertEqual(outcome.status, 0, outcome.err)
            ladder = outcome.text[outcome.text.index("closed cleanly"):]
            places = [ladder.index(name) for name in
                      ("ClientHello", "ServerHello", "CertificateRequest", "CertificateVerify",
                       "ChangeCipherSpec", "Finished", "Application data", "close_notify")]
            self.assertEqual(places, sorted(places))
            as_json = self.client(server, "--ladder")
            self.assertEqual([event["event"] for event in as_json.events],
                             ["connected", "response", "closed", "ladder"])
            self.assertIn("ClientHello", as_json.events[-1]["text"])

    def test_the_ladder_is_drawn(self):
        def drawn(path):
            root = xml.etree.ElementTree.parse(path).getroot()
            space = "{http://www.w3.org/2000/svg}"
            self.assertEqual(root.tag, space + "svg")
            return [text.text for text in root.iter(space + "text")]

        path = os.path.join(self.folder, "flow.svg")
        with self.server() as server:
            outcome = self.client(server, "--policy", "img2020", "--ladder-svg", path)
            self.assert_answered(outcome)
            self.assertEqual(outcome.named("ladder"), [])
            texts = drawn(path)
            self.assertEqual(texts[:3], ["TLS 1.2 call flow", "client", "server"])
            places = [texts.index(name) for name in ("ClientHello", "ServerHello", "Finished",
                                                     "Application data", "Alert close_notify")]
            self.assertEqual(places, sorted(places))
            # A handshake that fails is drawn as well, and over what was there.
            failed = self.client(server, "--ladder-svg", path, domain="other.example")
            self.assert_failed(failed, "identity_mismatch")
            self.assertIn("Alert bad_certificate", drawn(path))
            nowhere = self.client(server, "--ladder-svg", os.path.join(self.folder, "no", "file"))
            self.assert_error_event(nowhere, "io_failed")
            self.assertEqual(nowhere.named("connected"), [])

    def test_a_client_that_says_nothing_is_given_up(self):
        with self.server("--handshake-timeout", "2s") as server:
            with socket.create_connection(("127.0.0.1", server.port)) as silent:
                self.assertEqual(server.expect("error")["reason"], "handshake_timeout")
                silent.settimeout(tools.PATIENCE)
                try:
                    while silent.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
            self.assert_answered(self.client(server, "--timeout", "30s"))

    def test_garbage_is_no_tls(self):
        with self.server() as server:
            with socket.create_connection(("127.0.0.1", server.port)) as stranger:
                stranger.sendall(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n")
                self.assertEqual(server.expect("error")["reason"], "not_tls")
            self.assert_answered(self.client(server))


if __name__ == "__main__":
    tools.main()
