#!/usr/bin/env python3
"""What siptls-relay changes in a message, and that nobody can forge what it says of a peer."""

import os

import relays
from relays import (A, B, HEADER, Listener, Relay, answer, dial, dial_tls, folder, main, ours,
                    proven, request, require, run, server_context, siptls_client, siptls_server,
                    values)

EVIL = "evil.example;source=sip_uri"
# Rows that a peer writes to be taken for somebody else. Each is sent at the beginning of the
# header, within it, and at its end.
FORGERIES = [
    f"{HEADER}: {EVIL}\r\n",
    f"{HEADER.lower()}: {EVIL}\r\n",
    f"{HEADER.upper()}:{EVIL}\r\n",
    f"{HEADER} \t : {EVIL}\r\n",
    f"{HEADER}:\r\n {EVIL}\r\n",
    f"{HEADER}: a,\r\n\t{EVIL},\r\n  {EVIL}\r\n",
    f"{HEADER}:\r\n" * 3 + f"{HEADER}: {EVIL}\r\n" * 3,
    f"Subject: a\r\n {HEADER}: {EVIL}\r\n",  # the value of Subject, and no row
]
# What a lenient parser would take for the end of a row: the framing does not let it in.
BROKEN = [
    f"Subject: a\n{HEADER}: {EVIL}\r\n",
    f"Subject: a\r{HEADER}: {EVIL}\r\n",
    f"Subject: a\0\n{HEADER}: {EVIL}\r\n",
    f"{HEADER}\r\n : {EVIL}\r\n",
]


def check_identity(message, expected, name=HEADER):
    found = values(message, name)
    require(found == ([expected] if expected else []), f"{name} is {found} in {message!r}")


def forged(position, rows, number):
    """A request with `rows` at that place of its header."""
    text = request("OPTIONS", number, via="TLS").decode()
    lines = text.split("\r\n")
    at = {"first": 1, "middle": 4, "last": len(lines) - 2}[position]
    return ("\r\n".join(lines[:at]) + "\r\n" + rows + "\r\n".join(lines[at:])).encode()


def nobody_outside_forges(*options):
    name = options[1] if options else HEADER
    with Listener() as inner:
        relay = Relay(ours().server, *options, inner=inner.port)
        peer = dial_tls(relay.tls_port, ours().client)
        stack = inner.accept()
        number = 0
        for row in FORGERIES:
            for position in ("first", "middle", "last"):
                number += 1
                peer.send(forged(position, row.replace(HEADER, name)
                                 .replace(HEADER.lower(), name.lower())
                                 .replace(HEADER.upper(), name.upper()), number))
                got = stack.message()
                check_identity(got, proven(A), name)
                require("Subject" in row or b"evil" not in got, f"{got!r}")
                # A response is no better a way.
                stack.send(answer(got))
                check_identity(peer.message(), None, name)


def what_breaks_the_framing_stays_outside():
    for row in BROKEN:
        with Listener() as inner:
            relay = Relay(ours().server, inner=inner.port)
            peer = dial_tls(relay.tls_port, ours().client)
            stack = inner.accept()
            peer.send(forged("middle", row, 1))
            require(stack.until_end() == b"", f"something of {row!r} came inside")
            relay.wait_for_event("error")


def a_client_without_certificate_has_no_identity():
    with Listener() as inner:
        relay = Relay(ours().server, "--client-cert", "requested", inner=inner.port)
        for show, expected in ((False, None), (True, proven(A))):
            peer = dial_tls(relay.tls_port, ours().client, show)
            stack = inner.accept()
            peer.send(forged("first", FORGERIES[0], 1))
            check_identity(stack.message(), expected)


def siptls_client_cannot_forge():
    path = os.path.join(folder("messages"), "messages")
    with open(path, "wb") as file:
        for number, row in enumerate(FORGERIES):
            file.write(forged("middle", row, number))
    with Listener() as inner:
        relay = Relay(ours().server, inner=inner.port)
        client = siptls_client(relay.tls_port, ours().client, "--file", path)
        stack = inner.accept()
        for _ in FORGERIES:
            got = stack.message()
            check_identity(got, proven(A))
            stack.send(answer(got))
        require(client.finish() == 0, f"siptls-client ended with {client.child.returncode}")


def what_goes_out_names_nobody():
    with Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().client, next_hop=outer.port)
        stack = dial(relay.tcp_port)
        peer = outer.accept()
        for number, row in enumerate(FORGERIES):
            stack.send(forged("middle", row, number))
            got = peer.message()
            check_identity(got, None)
            peer.send(answer(got, more=FORGERIES[0]))
            check_identity(stack.message(), proven(B))


def a_request_and_its_response_through_two_relays():
    """Octet by octet: what is put in, what is taken out, and that the rest is left alone."""
    with Listener() as inner_b, Listener() as inner_a:
        a, b = relays.relay_pair(inner_a.port, inner_b.port)
        caller = dial(a.tcp_port)
        own_route = f"Route: <sip:127.0.0.1:{a.tcp_port};transport=tcp;lr>\r\n"
        odd = ("s: a\r\n  folded   subject\r\nv: SIP/2.0/UDP other.example;branch=old ,\r\n"
               " SIP/2.0/UDP third.example\r\nX-Odd :  \"q,<\\\"\" \r\n"
               "Record-Route: <sip:r;lr>\r\n")
        body = "\r\nSiptls-Identity: body\r\n\0"
        # Route comes first here; a stack may write it anywhere.
        sent = request("INVITE", 1, odd, body).replace(b"\r\nVia", b"\r\n" + own_route.encode() +
                                                       b"Via", 1)
        caller.send(sent)
        callee = inner_b.accept()
        got = callee.message()
        a_tls, b_tls = f"127.0.0.1:{a.tls_port}", f"127.0.0.1:{b.tls_port}"
        a_tcp, b_tcp = f"127.0.0.1:{a.tcp_port}", f"127.0.0.1:{b.tcp_port}"
        # Who the peer outside is, who had sent it, and what that had called it.
        a_branch = f"z9hG4bKsiptls-relay-{B}%3Bsource%3Dsip_uri~host.example~-1"
        b_branch = (f"z9hG4bKsiptls-relay-{A}%3Bsource%3Dsip_uri~127.0.0.1%3A{a.tls_port}~" +
                    a_branch[len("z9hG4bK"):])
        put_in = (f"Via: SIP/2.0/TCP {b_tcp};branch={b_branch}\r\n"
                  f"Record-Route: <sip:{b_tcp};transport=tcp;lr>\r\n"
                  f"Record-Route: <sip:{b_tls};transport=tls;lr>\r\n"
                  f"{HEADER}: {proven(A)}\r\n"
                  f"Via: SIP/2.0/TLS {a_tls};branch={a_branch}\r\n"
                  f"Record-Route: <sip:{a_tls};transport=tls;lr>\r\n"
                  f"Record-Route: <sip:{a_tcp};transport=tcp;lr>\r\n")
        left = sent.decode()
        for before, after in ((own_route, ""), ("Max-Forwards: 70", "Max-Forwards: 68"),
                              ("branch=z9hG4bK-1", "branch=z9hG4bK-1;received=127.0.0.1")):
            left = left.replace(before, after)
        start, rest = left.split("\r\n", 1)
        expected = f"{start}\r\n{put_in}{rest}".encode()
        require(got == expected, f"got {got!r}, not {expected!r}")

        response = answer(got, "180 Ringing", "X-Odd: kept\r\n")
        callee.send(response)
        came = caller.message()
        vias = "".join(f"Via: SIP/2.0/T{kind}\r\n" for kind in (
            f"CP {b_tcp};branch={b_branch}", f"LS {a_tls};branch={a_branch}"))
        expected = response.decode()
        for row in vias.splitlines(True):
            require(row in expected, f"no {row} in {expected}")
            expected = expected.replace(row, "")
        start, rest = expected.split("\r\n", 1)
        expected = f"{start}\r\n{HEADER}: {proven(B)}\r\n{rest}".encode()
        require(came == expected, f"came {came!r}, not {expected!r}")

        # The way back of a request within the dialog, on a new connection of the callee's.
        routes = "".join(f"Route: {value}\r\n" for value in values(got, "Record-Route"))
        back = dial(b.tcp_port)
        back.send(request("BYE", 2, routes))
        bye = inner_a.accept().message()
        require(values(bye, "Route") == ["<sip:r;lr>"], f"{bye!r}")
        check_identity(bye, proven(B))


def routes_are_taken_out_in_any_form():
    with Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().client, next_hop=outer.port)
        stack = dial(relay.tcp_port)
        peer = outer.accept()
        own = f"127.0.0.1:{relay.tcp_port}"
        for number, (route, expected) in enumerate([
                (f"Route: <sip:{own};lr>", []),
                (f"Route: \"a, b\" <sip:x@{own};lr;a=\"<\">;c=d , <sip:next;lr>",
                 ["<sip:next;lr>"]),
                (f"ROUTE: sip:{own};lr", []),
                (f"Route: <sip:{own}>,\r\n <SIP:{own};lr>,<sip:n1;lr>,<sip:{own};lr>",
                 [f"<sip:n1;lr>,<sip:{own};lr>"]),
                (f"Route: <sip:n1;lr>\r\nRoute: <sip:{own};lr>",
                 ["<sip:n1;lr>", f"<sip:{own};lr>"]),
                ("Route: <sip:127.0.0.1:1;lr>", ["<sip:127.0.0.1:1;lr>"]),
                ("Route: <sip:127.0.0.1;lr>", ["<sip:127.0.0.1;lr>"])]):
            stack.send(request("OPTIONS", number, route + "\r\n"))
            got = peer.message()
            require(values(got, "Route") == expected, f"{route}: {got!r}")


def hops_are_counted():
    with Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().client, next_hop=outer.port)
        stack = dial(relay.tcp_port)
        peer = outer.accept()
        for number, (hops, expected) in enumerate(
                [("Max-Forwards: 1\r\n", "0"), ("", "70"), ("max-forwards:\r\n 009\r\n", "8")]):
            stack.send(request("OPTIONS", number, hops=hops))
            require(values(peer.message(), "Max-Forwards") == [expected], f"{hops!r}")
        for number, (hops, status) in enumerate([("Max-Forwards: 0\r\n", b"483"),
                                                 ("Max-Forwards: -1\r\n", b"400"),
                                                 ("Max-Forwards: 4294967296\r\n", b"400")]):
            stack.send(request("ACK", 20 + number, hops=hops))  # never answered
            stack.send(request("OPTIONS", 10 + number, hops=hops))
            refusal = stack.message()
            require(refusal.startswith(b"SIP/2.0 " + status), f"{hops!r}: {refusal!r}")
            require(values(refusal, "Call-ID") == [f"call-{10 + number}"], f"{refusal!r}")
        # Nothing of these had gone out.
        stack.send(request("OPTIONS", 99))
        require(values(peer.message(), "Call-ID") == ["call-99"], "a refused request went out")


def responses_to_nothing_are_dropped():
    with Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().client, next_hop=outer.port)
        stack = dial(relay.tcp_port)
        peer = outer.accept()
        stack.send(request("OPTIONS", 1))
        got = peer.message()
        good = answer(got)
        own = values(got, "Via")[0].encode()
        for bad in (own.replace(b"siptls-relay-", b""), own.replace(b"127.0.0.1", b"127.0.0.2"),
                    b"SIP/2.0/TLS"):
            peer.send(good.replace(own, bad, 1))
        peer.send(good.replace(b"200 OK", b"299 Good"))
        require(stack.message().startswith(b"SIP/2.0 299"), "a response with a foreign Via came")
        require(len(relay.events("error", reason="invalid_header")) == 3, "no account of them")


def a_registration_is_not_routed_back():
    server = siptls_server(ours().server)
    relay = Relay(ours().client, next_hop=server.port)
    stack = dial(relay.tcp_port)
    stack.send(request("REGISTER", 1))
    require(stack.message().startswith(b"SIP/2.0 200"), "no 200")
    with Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().client, next_hop=outer.port)
        stack = dial(relay.tcp_port)
        stack.send(request("REGISTER", 1))
        require(values(outer.accept().message(), "Record-Route") == [], "Record-Route")


def bad_command_lines():
    program = os.path.join(relays.peers.arguments.bin, "siptls-relay")
    inside = ["--inner-listen", "127.0.0.1:0", "--next-hop", "127.0.0.1:5061", "--domain", "a"]
    outside = ["--listen", "127.0.0.1:0", "--inner", "127.0.0.1:5060"]
    known = ["--credentials", ours().client.folder]
    for line, evidence in (
            ([], "--listen"), (["--listen", "127.0.0.1"], "--inner"), (inside[:2], "--next-hop"),
            (inside[:4], "--domain"), (inside, "--credentials"),
            (["--listen", "127.0.0.1", "--inner", "192.0.2.1:5060"], "192.0.2.1"),
            (["--inner-listen", "0.0.0.0:0", *inside[2:]], "0.0.0.0"),
            (["--listen", "0.0.0.0", *outside[2:]], "--advertise"),
            ([*outside, "--identity-header", "Via"], "--identity-header"),
            ([*outside, "--identity-header", "x"], "--identity-header"),
            ([*outside, "--identity-header", "A B"], "--identity-header"),
            *(([*outside, "--advertise", bad], "--advertise") for bad in (
                "a b", "", "a.example:abc", "a.example:99999", "a.example:0", "a.example:",
                "a.example:+1", ":5061", "a.example;lr", "a.example?x=y", "alice@a.example",
                "a.example:5061;lr", "[a.example]", "[::1", "::1", "[::1]:", "a..example",
                "sip:a.example", "a.example,b.example", "<a>")),
            ([*inside[:5], "a b", *known], "a b"), ([*inside[:5], "", *known], "domain"),
            ([*outside, "--domain", "a"], "--next-hop"),
            ([*outside, "--keep-alive", "1s"], "--next-hop"),
            ([*inside, "--client-cert", "none"], "--listen"),
            ([*inside, "--allow", "a"], "--listen"),
            ([*outside, "--client-cert", "none", "--allow", "a", *known], "--allow"),
            ([*outside, "--max-buffered", "1", *known], "--max-buffered"),
            ([*outside, "--drain", "5"], "--drain"), (["--bogus"], "--bogus")):
        done = run([program, *line])
        require(done.child.returncode == 2, f"{line} ends with {done.child.returncode}: {done.err}")
        require(evidence in done.err, f"{line}: {done.err}")
    for good in ("a.example", "a.example:1", "192.0.2.1", "[2001:db8::1]", "[::1]:65535", "a_b."):
        # It gets as far as its credentials.
        done = run([program, *outside, "--advertise", good, "--credentials", "missing"])
        require(done.child.returncode == 1, f"{good}: {done.err}")
    done = run([program, *inside, "--credentials", "missing"])
    require(done.child.returncode == 1 and "error: file_not_found: " in done.err, done.err)
    done = run([program, "--help"])
    require(done.child.returncode == 0 and "--identity-header NAME" in done.out, done.out)


def all_rows(report):
    report.row("a request and its response through two relays",
               a_request_and_its_response_through_two_relays)
    report.row("nobody outside forges the identity", nobody_outside_forges)
    report.row("nobody outside forges it under another name", nobody_outside_forges,
               "--identity-header", "X-Peer")
    report.row("what breaks the framing stays outside", what_breaks_the_framing_stays_outside)
    report.row("a client without certificate has no identity",
               a_client_without_certificate_has_no_identity)
    report.row("siptls-client cannot forge the identity", siptls_client_cannot_forge)
    report.row("what goes out names nobody", what_goes_out_names_nobody)
    report.row("own routes are taken out in any form", routes_are_taken_out_in_any_form)
    report.row("hops are counted", hops_are_counted)
    report.row("responses to nothing are dropped", responses_to_nothing_are_dropped)
    report.row("a registration is not routed back", a_registration_is_not_routed_back)
    report.row("bad command lines", bad_command_lines)


if __name__ == "__main__":
    main(__doc__, all_rows)
