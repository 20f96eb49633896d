"""What siptls-server and siptls-client put on the wire, seen by a peer that is Python's ssl."""

import os
import re
import select
import shutil
import socket
import ssl
import tempfile
import threading

import tools
from tools import CLIENT, SERVER

# What a test waits for in vain; long enough for a handshake on a loaded machine.
SHORT = "2s"

ROWS = ("Via: SIP/2.0/TLS client.example;branch=z9hG4bK1\r\n"
        "From: <sip:a@client.example>;tag=9\r\nTo: <sip:b@server.example>\r\n"
        "Call-ID: 77@client.example\r\nCSeq: 5 OPTIONS\r\nMax-Forwards: 70\r\n")


def request(rows=ROWS, method="OPTIONS", body=""):
    return (f"{method} sip:{SERVER} SIP/2.0\r\n{rows}Content-Length: {len(body)}\r\n\r\n"
            f"{body}").encode()


def values(message, name):
    return re.findall(rf"(?m)^{name}: (.*?)\r$", message)


class Wire(tools.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="siptls-tools-")
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.pki = tools.Pki(folder)

    def tls(self, protocol, identity):
        context = ssl.SSLContext(protocol)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.pki.path(identity, "CAList.pem"))
        context.load_cert_chain(self.pki.path(identity, "publickey.pem"),
                                self.pki.path(identity, "privateKey.pem"))
        return context

    def new_server(self, *arguments):
        server = tools.Server(self.pki.credentials(SERVER), *arguments)
        self.addCleanup(server.__exit__)
        return server

    def connect(self, server):
        plain = socket.create_connection((server.address, server.port), tools.PATIENCE)
        secure = self.tls(ssl.PROTOCOL_TLS_CLIENT, CLIENT).wrap_socket(
            plain, server_hostname=SERVER, suppress_ragged_eofs=False)
        self.addCleanup(secure.close)
        return secure

    @staticmethod
    def read(secure, count=1):
        """Reads `count` messages without a body."""
        octets = b""
        while octets.count(b"\r\n\r\n") < count:
            piece = secure.recv(65536)
            if not piece:
                raise AssertionError(f"the stream ended after {octets!r}")
            octets += piece
        return octets.decode()


class ServerOnTheWire(Wire):
    def ask(self, secure, rows):
        secure.sendall(request(rows))
        response = self.read(secure)
        self.assertTrue(response.startswith("SIP/2.0 200 OK\r\n"), response)
        self.assertEqual(response.count("Content-Length: 0\r\n\r\n"), 1)
        return response

    def test_a_response_has_the_rows_of_its_request(self):
        secure = self.connect(self.new_server())
        response = self.ask(secure, ROWS)
        self.assertEqual(values(response, "From"), ["<sip:a@client.example>;tag=9"])
        self.assertRegex(values(response, "To")[0],
                         r"^<sip:b@server\.example>;tag=[0-9a-f]{16}$")
        self.assertEqual(values(response, "Call-ID"), ["77@client.example"])
        self.assertEqual(values(response, "CSeq"), ["5 OPTIONS"])
        self.assertEqual(values(response, "Max-Forwards"), [])
        tags = {values(self.ask(secure, ROWS), "To")[0] for _ in range(3)}
        self.assertEqual(len(tags), 3)

    def test_a_tag_is_added_only_where_there_is_none(self):
        secure = self.connect(self.new_server())
        rows = [("<sip:b@b>;tag=1", False), ("sip:b@b;tag=1", False), ("sip:b@b ; TAG = 1", False),
                ("<sip:b@b;tag=1>", True), ('"x;tag=1" <sip:b@b>', True),
                ('"a\\";tag=1" <sip:b@b>', True), ("<sip:b@b>;tags=1", True)]
        for to, added in rows:
            with self.subTest(to=to):
                response = self.ask(secure, ROWS.replace("<sip:b@server.example>", to))
                self.assertRegex(values(response, "To")[0], "^" + re.escape(to) +
                                 (";tag=[0-9a-f]{16}$" if added else "$"))

    def test_the_top_via_tells_where_the_request_came_from(self):
        secure = self.connect(self.new_server())
        address, port = secure.getsockname()
        received, rport = f"received={address}", f"rport={port}"
        rows = [
            ("SIP/2.0/TLS c.example;branch=z9", f"SIP/2.0/TLS c.example;branch=z9;{received}"),
            (f"SIP/2.0/TLS {address}:5061;branch=z9", f"SIP/2.0/TLS {address}:5061;branch=z9"),
            ("SIP/2.0/TLS 192.0.2.9;branch=z9", f"SIP/2.0/TLS 192.0.2.9;branch=z9;{received}"),
            ("SIP/2.0/TLS [2001:db8::9];branch=z9",
             f"SIP/2.0/TLS [2001:db8::9];branch=z9;{received}"),
            (f"SIP/2.0/TLS {address};rport;branch=z9",
             f"SIP/2.0/TLS {address};{rport};branch=z9;{received}"),
            (f"SIP/2.0/TLS {address} ; RPort ;branch=z9",
             f"SIP/2.0/TLS {address};RPort={port};branch=z9;{received}"),
            ("SIP/2.0/TLS c.example;received=6.6.6.6;branch=z9",
             f"SIP/2.0/TLS c.example;branch=z9;{received}"),
            ("SIP/2.0/TLS c.example;branch=z9, SIP/2.0/UDP d.example;branch=z8;rport",
             f"SIP/2.0/TLS c.example;branch=z9;{received}, SIP/2.0/UDP d.example;branch=z8;rport"),
            ('SIP/2.0/TLS c.example;x="a,;b";branch=z9',
             f'SIP/2.0/TLS c.example;x="a,;b";branch=z9;{received}'),
            ("SIP/2.0/TLS\r\n c.example\r\n\t;branch=z9",
             f"SIP/2.0/TLS c.example;branch=z9;{received}"),
        ]
        for via, expected in rows:
            with self.subTest(via=via):
                response = self.ask(secure, ROWS.replace("SIP/2.0/TLS client.example;branch=z9hG4bK1",
                                                         via))
                self.assertEqual(values(response, "Via"), [expected])

    def test_every_via_is_copied_in_its_order(self):
        secure = self.connect(self.new_server())
        response = self.ask(secure, "v: SIP/2.0/TLS one;branch=z1\r\nf: <sip:a@a>;tag=1\r\n"
                                    "t: <sip:b@b>;tag=2\r\nVIA: SIP/2.0/UDP two;branch=z2;rport\r\n"
                                    "i: 1\r\nCSeq: 1 OPTIONS\r\nVia: SIP/2.0/TCP three;branch=z3\r\n")
        self.assertEqual(values(response, "Via"),
                         ["SIP/2.0/TLS one;branch=z1;received=127.0.0.1",
                          "SIP/2.0/UDP two;branch=z2;rport", "SIP/2.0/TCP three;branch=z3"])
        self.assertEqual(values(response, "Call-ID"), ["1"])

    def test_a_refusal_for_sips_has_a_warning(self):
        secure = self.connect(self.new_server("--sips", "required"))
        secure.sendall(request())
        response = self.read(secure)
        self.assertTrue(response.startswith("SIP/2.0 480 "), response)
        self.assertEqual(values(response, "Warning"), ['381 siptls-server "SIPS Required"'])

    def test_neither_ack_nor_a_response_is_answered(self):
        server = self.new_server()
        secure = self.connect(server)
        secure.sendall(request(method="ACK") + b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n" +
                       request(ROWS.replace("77@", "78@")))
        self.assertEqual(values(self.read(secure), "Call-ID"), ["78@client.example"])
        self.assertEqual([server.expect("request")["method"] for _ in range(2)],
                         ["ACK", "OPTIONS"])

    def test_a_ping_gets_its_pong(self):
        secure = self.connect(self.new_server())
        secure.sendall(b"\r\n\r\n")
        self.assertEqual(secure.recv(100), b"\r\n")

    def test_a_stream_that_is_no_sip_is_closed_with_its_reason(self):
        rows = [(b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n", "missing_content_length"),
                (b"GET / HTTP/1.1\r\n\r\n", "invalid_start_line")]
        server = self.new_server()
        for octets, reason in rows:
            with self.subTest(reason=reason):
                secure = self.connect(server)
                connection = server.expect("connected")["connection"]
                secure.sendall(octets)
                self.assertEqual(server.expect("error")["reason"], reason)
                closed = server.expect("closed", connection=connection)
                self.assertEqual((closed["clean"], closed["reason"]), (False, reason))
                secure.close()
        self.ask(self.connect(server), ROWS)

    def test_a_stream_that_is_cut_inside_a_message_is_truncated(self):
        server = self.new_server()
        secure = self.connect(server)
        secure.sendall(request()[:-10])
        server.expect("connected")
        socket.socket(fileno=secure.detach()).close()
        closed = server.expect("closed")
        self.assertEqual((closed["clean"], closed["truncated"], closed["reason"]),
                         (False, True, "truncated"))

    def test_an_idle_connection_is_closed(self):
        server = self.new_server("--idle-timeout", "100ms")
        secure = self.connect(server)
        self.assertEqual(secure.recv(100), b"")  # close_notify, not a reset
        secure.unwrap()
        self.assertEqual(server.expect("closed")["reason"], "idle_timeout")

    def test_sigterm_closes_open_connections_and_succeeds(self):
        server = self.new_server()
        open_ones = [self.connect(server) for _ in range(3)]
        for secure in open_ones:
            self.ask(secure, ROWS)
        server.process.terminate()
        for secure in open_ones:
            self.assertEqual(secure.recv(100), b"")
            secure.unwrap()
        self.assertEqual(server.finish(), 0)
        closed = [event for event in server.seen if event["event"] == "closed"]
        self.assertEqual([event["clean"] for event in closed], [True] * 3)

    def test_a_full_server_lets_others_wait_until_there_is_room(self):
        server = self.new_server("--max-connections", "1")
        first = self.connect(server)
        self.assertEqual(server.expect("warning")["reason"], "too_many_connections")
        waiting = socket.create_connection((server.address, server.port), tools.PATIENCE)
        self.ask(first, ROWS)
        first.unwrap()
        server.expect("closed")
        with self.tls(ssl.PROTOCOL_TLS_CLIENT, CLIENT).wrap_socket(
                waiting, server_hostname=SERVER) as second:
            self.ask(second, ROWS)

    def test_a_client_that_does_not_read_is_not_read_either_and_loses_nothing(self):
        count = 25000
        server = self.new_server()
        secure = self.connect(server)
        secure.setblocking(False)
        pending = b"".join(request(ROWS.replace("77@", f"{i}@")) for i in range(count))
        view, sent, answers, reading = memoryview(pending), 0, 0, False
        tail = b""
        while answers < count:
            # Writes until the server takes no more, and only then reads.
            want_write = sent < len(pending)
            readable, writable, _ = select.select([secure] if reading else [],
                                                  [secure] if want_write else [], [],
                                                  tools.PATIENCE if reading else 0.5)
            if not readable and not writable:
                self.assertFalse(reading, f"{answers} of {count} answers")
                reading = True
            reading = reading or not want_write
            if writable:
                try:
                    sent += secure.send(view[sent:sent + 16384])
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
            if readable:
                try:
                    while True:
                        piece = secure.recv(65536)
                        self.assertTrue(piece, f"{answers} of {count} answers")
                        answers += (tail + piece).count(b"\r\n\r\n") - tail.count(b"\r\n\r\n")
                        tail = piece[-3:]
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
        self.assertEqual(answers, count)
        self.assertEqual(server.stop(), 0)


class ClientOnTheWire(Wire):
    def serve(self, behaviour):
        """Accepts one connection in a thread and calls behaviour(self, secure)."""
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(tools.PATIENCE)
        failures = []

        def accept():
            try:
                plain, _ = listener.accept()
                plain.settimeout(tools.PATIENCE)
                with self.tls(ssl.PROTOCOL_TLS_SERVER, SERVER).wrap_socket(
                        plain, server_side=True) as secure:
                    behaviour(secure)
            except Exception as failure:  # pylint: disable=broad-except
                failures.append(failure)

        thread = threading.Thread(target=accept)
        thread.start()

        def finish():
            thread.join(tools.PATIENCE)
            listener.close()
            self.assertEqual(failures, [])
        self.addCleanup(finish)
        return listener.getsockname()[1]

    def client(self, port, *arguments):
        return tools.run("siptls-client", "--json", "--connect", f"127.0.0.1:{port}", "--domain",
                         SERVER, *self.pki.credentials(CLIENT), *arguments)

    @staticmethod
    def answer(secure, message, status="200 OK", call_id=None):
        copied = "".join(f"{name}: {values(message, name)[0]}\r\n"
                         for name in ("Via", "From", "To", "CSeq"))
        call_id = call_id or values(message, "Call-ID")[0]
        secure.sendall(f"SIP/2.0 {status}\r\n{copied}Call-ID: {call_id}\r\n"
                       "Content-Length: 0\r\n\r\n".encode())

    @staticmethod
    def until_closed(secure):
        while secure.recv(65536):
            pass
        secure.unwrap()

    def test_the_request_is_what_sip_wants(self):
        seen = []

        def behaviour(secure):
            seen.append((self.read(secure), secure.getpeername(), secure.getpeercert()))
            self.answer(secure, seen[0][0])
            self.until_closed(secure)
        outcome = self.client(self.serve(behaviour), "--options", f"sip:ping@{SERVER}")
        self.assertEqual((outcome.status, outcome.err), (0, ""))
        message, (address, port), certificate = seen[0]
        self.assertIn(("DNS", CLIENT), certificate["subjectAltName"])
        self.assertTrue(message.startswith(f"OPTIONS sip:ping@{SERVER} SIP/2.0\r\n"), message)
        self.assertRegex(values(message, "Via")[0],
                         rf"^SIP/2\.0/TLS {address}:{port};branch=z9hG4bK[0-9a-f-]{{16,}}$")
        self.assertEqual(values(message, "Max-Forwards"), ["70"])
        self.assertRegex(values(message, "From")[0], rf"^<sip:{CLIENT}>;tag=[0-9a-f]{{8,}}$")
        self.assertEqual(values(message, "To"), [f"<sip:ping@{SERVER}>"])
        self.assertEqual(values(message, "CSeq"), ["1 OPTIONS"])
        self.assertEqual(values(message, "Content-Length"), ["0"])
        self.assertEqual(len(values(message, "Call-ID")), 1)

    def test_provisional_responses_do_not_end_a_request(self):
        def behaviour(secure):
            message = self.read(secure)
            self.answer(secure, message, "100 Trying")
            self.answer(secure, message, "180 Ringing")
            self.answer(secure, message, "486 Busy Here")
            self.until_closed(secure)
        outcome = self.client(self.serve(behaviour))
        self.assertEqual(outcome.status, 0, outcome.err)
        self.assertEqual([(event["status"], event["reason_phrase"])
                          for event in outcome.named("response")],
                         [(100, "Trying"), (180, "Ringing"), (486, "Busy Here")])

    def test_no_more_requests_are_on_their_way_than_the_pipeline_allows(self):
        def behaviour(secure):
            octets = self.read(secure, 3)
            messages = [part + "\r\n\r\n" for part in octets.split("\r\n\r\n")[:-1]]
            self.assertEqual(len(messages), 3)
            # Answers may come in any order, and each makes room for one request.
            for message in reversed(messages):
                self.answer(secure, message)
            octets = self.read(secure, 2)
            self.assertEqual(octets.count("OPTIONS sip:"), 2)
            for message in [part + "\r\n\r\n" for part in octets.split("\r\n\r\n")[:-1]]:
                self.answer(secure, message)
            self.until_closed(secure)
        outcome = self.client(self.serve(behaviour), "--count", 5, "--pipeline", 3)
        self.assertEqual((outcome.status, outcome.err), (0, ""), outcome.text)
        self.assertEqual(len(outcome.named("response")), 5)

    def test_a_server_that_does_not_answer_is_given_up(self):
        outcome = self.client(self.serve(self.until_closed), "--timeout", SHORT)
        self.assert_error_event(outcome, "idle_timeout")
        self.assertIn("1 of 1 messages sent, 1 without a final response", outcome.err)
        self.assertEqual(len(outcome.named("closed")), 1)

    def test_an_answer_to_something_else_does_not_count(self):
        def behaviour(secure):
            self.answer(secure, self.read(secure), call_id="another")
            self.until_closed(secure)
        outcome = self.client(self.serve(behaviour), "--timeout", SHORT)
        self.assert_error_event(outcome, "idle_timeout")
        self.assertEqual([event["call_id"] for event in outcome.named("response")], ["another"])

    def test_a_server_that_closes_without_an_answer_is_a_failure(self):
        def behaviour(secure):
            self.read(secure)
            secure.unwrap()
        outcome = self.client(self.serve(behaviour))
        self.assert_error_event(outcome, "connection_closed")

    def test_a_server_that_accepts_and_says_nothing_is_given_up(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            outcome = self.client(listener.getsockname()[1], "--timeout", "200ms")
        self.assert_error_event(outcome, "handshake_timeout")


if __name__ == "__main__":
    tools.main()
