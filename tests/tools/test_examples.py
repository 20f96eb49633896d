"""The examples that are whole programs: siptls-many-cores, and the README's siptls-embed."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import tools
from tools import CLIENT, SERVER
import test_wire
from test_wire import ROWS, request, values

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))

from gnutls_peer import enter_namespace  # noqa: E402
from peers import is_listening, wait_until  # noqa: E402

EMBED_PORT = 5061  # stands in the example, so that it runs in a network namespace of its own
TO = "<sip:b@server.example>"

# To, and whether a tag is to be added
SIMPLE_TAGS = [
    (TO, True), (f"{TO};tag=1", False), (f"{TO} ; tag=abc", False), (f"{TO}\r\n ;tag=1", False),
    (f"{TO};x=y;tag=1", False), (f'{TO};x=">";tag=1', False), ("sip:b@b", True),
    ("sip:b@b;tag=1", False), ("<sip:b@b;tag=1>", True), ("<sip:b@b;tag=1>;tag=2", False),
    (f"{TO};tags=1", True), (f'"x;tag=1" {TO}', True), (f'"a\\";tag=1" {TO}', True),
    (f'"a\\\\" {TO};tag=1', False), (f'"<" {TO};tag=1', False), ('"\\', True),
]
TAGS = SIMPLE_TAGS + [
    (f"{TO}\t;\tTag = 1", False), (f'{TO};tag=1;x=">"', False), (f'{TO};x=";tag=1"', True),
    ('"never closed;tag=1', True), ("<never closed;tag=1", True),
]

no_namespace = None  # why there is no namespace of our own


class Example(test_wire.Wire):
    """A program of which a test knows where it listens."""

    def start(self, name, *arguments, **options):
        self.errors = tempfile.TemporaryFile()
        self.addCleanup(self.errors.close)
        self.process = subprocess.Popen(
            [os.path.join(tools.BIN, name), *arguments], stderr=self.errors,
            preexec_fn=tools.die_with_the_test, **options)
        self.addCleanup(self.end)

    def end(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    def ask(self, secure, to):
        secure.sendall(request(ROWS.replace(TO, to)))
        response = self.read(secure)
        self.assertTrue(response.startswith("SIP/2.0 200 OK\r\n"), response)
        return response

    def check_tags(self, secure, tags):
        for to, added in tags:
            with self.subTest(to=to):
                tag = r";tag=\d+" if added else ""
                self.assertRegex(self.ask(secure, to), rf"\r\nTo: {re.escape(to)}{tag}\r\n[^ \t]")
        tags = {values(self.ask(secure, TO), "To")[0] for _ in range(3)}
        self.assertEqual(len(tags), 3)

    def check_what_gets_no_answer(self, secure, *methods):
        """What comes is in order, so an answer would come before the one to OPTIONS."""
        rows = ROWS.replace("5 OPTIONS", "4 {}")
        for method in ("ACK", *methods):
            secure.sendall(request(rows.format(method), method))
        for line in ("SIP/2.0 200 OK", "SIP/2.0 100 Trying", "SIP/2.0 503 Service Unavailable"):
            secure.sendall(f"{line}\r\n{rows.format('OPTIONS')}Content-Length: 0\r\n\r\n".encode())
        secure.sendall(request())
        response = self.read(secure)
        self.assertEqual(values(response, "CSeq"), ["5 OPTIONS"], response)
        for name, value in (("Via", "SIP/2.0/TLS client.example;branch=z9hG4bK1"),
                            ("From", "<sip:a@client.example>;tag=9"),
                            ("Call-ID", "77@client.example")):
            self.assertEqual(values(response, name), [value])

    def check_client(self, count):
        outcome = tools.run("siptls-client", "--json", "--connect", f"127.0.0.1:{self.port}",
                            "--domain", SERVER, *self.pki.credentials(CLIENT), "--count", count,
                            "--pipeline", 10)
        self.assertEqual(outcome.status, 0, outcome.err)
        self.assertEqual([event["status"] for event in outcome.named("response")], [200] * count)


class ManyCores(Example):
    address = "127.0.0.1"

    def setUp(self):
        super().setUp()
        self.start("siptls-many-cores", os.path.join(self.pki.folder, SERVER), "3",
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        self.assertRegex(line, r"^3 threads on 127\.0\.0\.1:\d+\n$", self.stderr())
        self.port = int(line.rsplit(":", 1)[1])

    def test_siptls_client_gets_its_answers(self):
        for _ in range(6):  # on one thread or another
            self.check_client(50)

    def test_a_tag_is_added_only_where_there_is_none(self):
        self.check_tags(self.connect(self), TAGS)

    def test_only_requests_other_than_ack_are_answered(self):
        secure = self.connect(self)
        self.check_what_gets_no_answer(secure)
        self.process.stdin.close()
        self.assertEqual(secure.recv(1), b"")

    def test_it_ends_with_its_input_and_tells_everybody(self):
        secure = [self.connect(self) for _ in range(6)]
        for connection in secure:
            self.ask(connection, TO)
        self.process.stdin.write(b"not yet\n")
        self.process.stdin.flush()
        self.ask(secure[0], TO)
        self.process.stdin.close()
        for connection in secure:
            connection.unwrap()  # fails unless close_notify came, and nothing before it
        self.assertEqual(self.process.wait(tools.PATIENCE), 0)
        self.assertEqual(self.stderr(), "")

    def test_it_ends_with_its_input_when_nobody_is_there(self):
        self.process.stdin.close()
        self.assertEqual(self.process.wait(tools.PATIENCE), 0)

    def test_what_it_cannot_use_is_named(self):
        for arguments, status, told in (
                ([], 2, "usage: "), (["a", "2", "b"], 2, "usage: "),
                ([os.path.join(self.folder, "nothing")], 1, "error: file_not_found: ")):
            outcome = tools.run("siptls-many-cores", *arguments)
            self.assertEqual((outcome.status, outcome.out), (status, b""))
            self.assertTrue(outcome.err.startswith(told), outcome.err)


class Embed(Example):
    address, port = "127.0.0.1", EMBED_PORT

    def setUp(self):
        super().setUp()
        if no_namespace:
            self.skipTest(no_namespace)
        self.start("siptls-embed", cwd=os.path.join(self.pki.folder, SERVER))
        wait_until(lambda: is_listening(self.port) or self.process.poll() is not None, "listener")
        self.assertIsNone(self.process.poll(), self.stderr())

    def test_siptls_client_gets_its_answers(self):
        self.check_client(50)

    def test_a_tag_is_added_only_where_there_is_none(self):
        self.check_tags(self.connect(self), SIMPLE_TAGS)

    def test_only_options_are_answered(self):
        self.check_what_gets_no_answer(self.connect(self), "INVITE", "MESSAGE")


class EmbedWithoutFiles(unittest.TestCase):
    def test_what_is_missing_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([os.path.join(tools.BIN, "siptls-embed")], cwd=folder,
                                  capture_output=True, timeout=tools.PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rb"^error: file_not_found: .*\.pem: ")


if __name__ == "__main__":
    no_namespace = enter_namespace()
    tools.main()
