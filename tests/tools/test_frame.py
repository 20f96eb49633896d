"""siptls-frame: where messages begin and end, however the stream is cut."""

import tools

OPTIONS = (b"OPTIONS sip:a.example SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1\r\n"
           b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
MESSAGE = (b"MESSAGE sip:b.example SIP/2.0\r\nContent-Type: text/plain\r\nl : 0005\r\n\r\nhello")
RESPONSE = b"SIP/2.0 200 OK\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
PIECES = (1, 2, 7, 100, 65536)


def event_of(message, offset):
    header_length = message.index(b"\r\n\r\n") + 4
    return {"event": "message", "offset": offset, "length": len(message),
            "header_length": header_length, "body_length": len(message) - header_length,
            "start_line": message.split(b"\r\n")[0].decode()}


# stream, reason, bytes before the offending message
BROKEN = [
    (b"OPTIONS sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n", "missing_content_length"),
    (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\nl: 0\r\n\r\n", "duplicate_content_length"),
    (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", "invalid_content_length"),
    (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
     "content_length_too_large"),
    (b"HELO a\r\nContent-Length: 0\r\n\r\n", "invalid_start_line"),
    (b"OPTIONS sip:a SIP/2.0\nContent-Length: 0\n\n", "bare_line_feed"),
]


class Frame(tools.TestCase):
    def test_messages_and_keep_alives_are_told_with_their_places(self):
        stream = OPTIONS + b"\r\n\r\n" + MESSAGE + OPTIONS
        expected = [event_of(OPTIONS, 0),
                    {"event": "keepalive", "kind": "ping", "offset": len(OPTIONS), "length": 4},
                    event_of(MESSAGE, len(OPTIONS) + 4),
                    event_of(OPTIONS, len(OPTIONS) + 4 + len(MESSAGE))]
        for piece in PIECES:
            with self.subTest(piece=piece):
                outcome = tools.run("siptls-frame", "--json", "--split", piece, stdin=stream)
                self.assertEqual(outcome.events, expected)
                self.assertEqual([list(event) for event in outcome.events],
                                 [list(event) for event in expected])
                self.assertEqual((outcome.status, outcome.err), (0, ""))

    def test_a_file_and_standard_input_are_the_same(self):
        path = self.file("stream", OPTIONS + MESSAGE)
        by_name = tools.run("siptls-frame", "--json", path)
        by_dash = tools.run("siptls-frame", "--json", "-", stdin=OPTIONS + MESSAGE)
        self.assertEqual(by_name.events, [event_of(OPTIONS, 0), event_of(MESSAGE, len(OPTIONS))])
        self.assertEqual(by_dash.events, by_name.events)

    def test_a_stream_longer_than_the_buffer_is_read_to_its_end(self):
        body = bytes(range(256)) * 1000
        big = b"MESSAGE sip:a SIP/2.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        outcome = tools.run("siptls-frame", "--json", stdin=big + OPTIONS * 3000)
        self.assertEqual(outcome.status, 0)
        self.assertEqual(len(outcome.named("message")), 3001)
        self.assertEqual(outcome.events[0], event_of(big, 0))
        self.assertEqual(outcome.events[-1]["offset"], len(big) + 2999 * len(OPTIONS))

    def test_an_empty_stream_is_on_a_boundary(self):
        outcome = tools.run("siptls-frame", "--json")
        self.assertEqual((outcome.status, outcome.out, outcome.err), (0, b"", ""))

    def test_the_role_decides_what_a_bare_line_end_means(self):
        as_server = tools.run("siptls-frame", "--json", stdin=b"\r\n\r\n" + RESPONSE)
        self.assertEqual([event.get("kind") for event in as_server.events], ["ping", None])
        as_client = tools.run("siptls-frame", "--json", "--role", "client",
                              stdin=b"\r\n" + RESPONSE + b"\r\n")
        self.assertEqual([event.get("kind") for event in as_client.events], ["pong", None, "pong"])
        self.assertEqual(as_client.events[1]["start_line"], "SIP/2.0 200 OK")
        self.assertEqual(as_client.events[2]["offset"], 2 + len(RESPONSE))

    def test_a_stream_that_ends_inside_a_message_is_incomplete(self):
        for have in (1, 20, len(MESSAGE) - 5, len(MESSAGE) - 1):
            for piece in PIECES:
                with self.subTest(have=have, piece=piece):
                    outcome = tools.run("siptls-frame", "--json", "--split", piece,
                                        stdin=OPTIONS + MESSAGE[:have])
                    self.assert_failed(outcome, "truncated")
                    self.assertEqual(outcome.events[0], event_of(OPTIONS, 0))
                    incomplete = outcome.events[1]
                    self.assertEqual(list(incomplete), ["event", "offset", "have", "need_at_least"])
                    self.assertEqual((incomplete["event"], incomplete["offset"],
                                      incomplete["have"]), ("incomplete", len(OPTIONS), have))
                    missing = len(MESSAGE) - have
                    if missing <= 5:  # the header is complete, so the number is exact
                        self.assertEqual(incomplete["need_at_least"], missing)
                    else:
                        self.assertTrue(1 <= incomplete["need_at_least"] <= missing)

    def test_messages_before_an_error_are_printed(self):
        for broken, reason in BROKEN:
            for piece in PIECES:
                with self.subTest(reason=reason, piece=piece):
                    outcome = tools.run("siptls-frame", "--json", "--split", piece,
                                        stdin=OPTIONS + MESSAGE + broken + OPTIONS)
                    self.assert_error_event(outcome, reason)
                    self.assertEqual(outcome.events[:2], [event_of(OPTIONS, 0),
                                                          event_of(MESSAGE, len(OPTIONS))])
                    self.assertEqual(len(outcome.events), 3)
                    error = outcome.events[2]
                    self.assertEqual(list(error)[:3], ["event", "reason", "offset"])
                    begin = len(OPTIONS) + len(MESSAGE)
                    self.assertTrue(begin <= error["offset"] <= begin + len(broken), error)

    def test_a_refusal_that_a_host_could_send_is_shown(self):
        request = (b"OPTIONS sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/TLS a.example\r\n"
                   b"From: <sip:a@a.example>;tag=1\r\nTo: <sip:b@b.example>\r\n"
                   b"Call-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n")
        error = tools.run("siptls-frame", "--json", stdin=request).events[0]
        self.assertEqual((error["reason"], error["status"]), ("missing_content_length", 400))
        self.assertTrue(error["response"].startswith("SIP/2.0 400 Missing content length\r\nVia: "))
        again = tools.run("siptls-frame", "--json", "--role", "client",
                          stdin=error["response"].encode())
        self.assertEqual(again.status, 0, again.err)

    def test_limits_can_be_chosen(self):
        self.assertEqual(tools.run("siptls-frame", "--max-body", 5, stdin=MESSAGE).status, 0)
        self.assert_failed(tools.run("siptls-frame", "--max-body", 4, stdin=MESSAGE),
                           "content_length_too_large")
        header = len(OPTIONS)
        self.assertEqual(tools.run("siptls-frame", "--max-header", header, stdin=OPTIONS).status, 0)
        self.assert_failed(tools.run("siptls-frame", "--max-header", header - 1, stdin=OPTIONS),
                           "header_too_large")

    def test_octets_that_are_no_utf8_do_not_break_the_json(self):
        stream = b"OPTIONS sip:\xff\xfe@a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
        outcome = tools.run("siptls-frame", "--json", stdin=stream)
        self.assertEqual(outcome.status, 0, outcome.err)
        self.assertEqual(outcome.events[0]["start_line"], "OPTIONS sip:\ufffd\ufffd@a SIP/2.0")

    def test_files_that_cannot_be_read_are_named(self):
        for path, reason in ((self.folder + "/missing", "file_not_found"),
                             (self.folder, "file_not_regular")):
            with self.subTest(reason=reason):
                outcome = tools.run("siptls-frame", "--json", path)
                self.assert_error_event(outcome, reason)
                self.assertIn(path, outcome.err)

    def test_people_get_lines(self):
        outcome = tools.run("siptls-frame", stdin=MESSAGE + b"\r\n\r\n")
        self.assertEqual(outcome.text.splitlines(),
                         [f"message at 0: {len(MESSAGE)} octets ({len(MESSAGE) - 5} header, 5 body): "
                          "MESSAGE sip:b.example SIP/2.0",
                          f"keepalive at {len(MESSAGE)}: ping of 4 octets"])


if __name__ == "__main__":
    tools.main()
