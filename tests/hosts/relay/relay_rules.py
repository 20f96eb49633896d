#!/usr/bin/env python3
"""The rules of a proxy (RFC 3261 section 16) that siptls-relay keeps, and whose transactions are
whose."""

from relays import (A, B, Listener, Relay, answer, dial, dial_tls, main, ours, request, require,
                    server_context, siptls_client, values, wait_until)


def with_via(message, via):
    """`message` with that row, or these, instead of its Via."""
    begin = message.index(b"Via:")
    return message[:begin] + via.encode() + message[message.index(b"\r\n", begin):]


def branch(message):
    return values(message, "Via")[0].split("branch=")[1].split(";")[0]


def a_peer_is_told_where_its_requests_come_from():
    """RFC 3261 section 18.2.1, RFC 3581: what a request says of that itself counts for nothing."""
    with Listener() as inner, Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().server, inner=inner.port, next_hop=outer.port, domain=B)
        outside, inside = dial_tls(relay.tls_port, ours().client), dial(relay.tcp_port)
        for sender, reader in ((outside, inner.accept()), (inside, outer.accept())):
            here = "received=127.0.0.1"
            name = "Via: SIP/2.0/TCP a.example"
            for given, expected in (
                    (f"{name};branch=z9hG4bK1", f"{name};branch=z9hG4bK1;{here}"),
                    (f"{name};received=192.0.2.1;branch=z9hG4bK1;Received=\"x\"",
                     f"{name};branch=z9hG4bK1;{here}"),
                    (f"{name};rport;branch=z9hG4bK1",
                     f"{name};rport={sender.port};branch=z9hG4bK1;{here}"),
                    ("v: SIP/2.0/TCP 127.0.0.1;RPORT;branch=z9hG4bK1,\r\n SIP/2.0/TCP b;rport",
                     f"Via: SIP/2.0/TCP 127.0.0.1;RPORT={sender.port};branch=z9hG4bK1;{here}, "
                     "SIP/2.0/TCP b;rport"),
                    ("V :  SIP/2.0/TCP 127.0.0.1:1;x=\";\";branch=z9hG4bK1, SIP/2.0/TCP b", None)):
                sender.send(with_via(request("OPTIONS", 1), given))
                got = reader.message().decode()
                require(f"\r\n{expected or given}\r\n" in got, f"no {expected or given} in {got}")


def what_is_sips_is_recorded_as_sips():
    """Where TLS is; inside there is none (RFC 3261 section 16.6, item 4)."""
    with Listener() as inner, Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().server, inner=inner.port, next_hop=outer.port, domain=B)
        tls, tcp = f"127.0.0.1:{relay.tls_port}", f"127.0.0.1:{relay.tcp_port}"
        outside, inside = dial_tls(relay.tls_port, ours().client), dial(relay.tcp_port)
        for sender, reader, inward in ((outside, inner.accept(), True),
                                       (inside, outer.accept(), False)):
            for uri, route, is_sips in (
                    ("sip", "", False), ("SIPS", "", True), ("sip", "<sips:next;lr>", True),
                    ("sip", f"<sips:{tls};lr>, <sip:x;lr>\r\nRoute: <sips:y;lr>", False),
                    ("sip", f"<sip:{tcp};lr>\r\nRoute: <sips:{tls};lr>,<sips:next>", True)):
                asked = request("INVITE", 1, f"Route: {route}\r\n" if route else "")
                sender.send(asked.replace(b"INVITE sip:", f"INVITE {uri}:".encode()))
                expected = [f"<sip:{tcp};transport=tcp;lr>",
                            f"<sips:{tls};lr>" if is_sips else f"<sip:{tls};transport=tls;lr>"]
                found = values(reader.message(), "Record-Route")
                require(found == (expected if inward else expected[::-1]),
                        f"{uri}, {route}: {found}")


def what_a_request_requires_of_proxies_is_refused():
    with Listener() as inner, Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().server, inner=inner.port, next_hop=outer.port, domain=B)
        outside, inside = dial_tls(relay.tls_port, ours().client), dial(relay.tcp_port)
        for sender, reader in ((outside, inner.accept()), (inside, outer.accept())):
            rows = "Proxy-Require: foo\r\nproxy-require:\r\n bar , baz\r\n"
            sender.send(request("INVITE", 1, rows))
            refusal = sender.message()
            require(refusal.startswith(b"SIP/2.0 420 Bad Extension\r\n"), f"{refusal!r}")
            require(values(refusal, "Unsupported") == ["foo, bar, baz"], f"{refusal!r}")
            require(values(refusal, "Call-ID") == ["call-1"], f"{refusal!r}")
            # These go the way of their INVITE, whatever they say; and none is no tag.
            for number, (method, more) in enumerate([("ACK", rows), ("CANCEL", rows),
                                                     ("OPTIONS", "Proxy-Require:\r\n")], 2):
                sender.send(request(method, number, more))
                got = reader.message()
                require(values(got, "Call-ID") == [f"call-{number}"], f"{got!r}")


def a_response_that_is_for_the_relay_goes_no_further():
    with Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().client, next_hop=outer.port)
        stack, peer = dial(relay.tcp_port), outer.accept()
        stack.send(request("OPTIONS", 1))
        good = answer(peer.message())
        own, stacks = (f"Via: {value}\r\n".encode() for value in values(good, "Via"))
        peer.send(good.replace(stacks, b""))
        peer.send(good.replace(stacks, b"").replace(own, own[:-2] + b" ,\r\n"))
        peer.send(good.replace(b"200 OK", b"299 Good"))
        require(stack.message().startswith(b"SIP/2.0 299"), "a response without any Via came")
        require(len(relay.events("error", reason="invalid_header")) == 2, "no account of them")


def transactions_of_several_peers_are_apart():
    """Equal branches of two peers, or of two stacks behind one, are not equal inside."""
    with Listener() as inner:
        relay = Relay(ours().server, "--client-cert", "requested", inner=inner.port)
        found = {}
        for who, (credentials, shows, host) in enumerate((
                (ours().client, True, "x.example"), (ours().server, True, "x.example"),
                (ours().client, False, "x.example"), (ours().client, True, "x.example:5061"),
                (ours().client, True, "y.example"))):
            peer = dial_tls(relay.tls_port, credentials, shows)
            stack = inner.accept()
            via = f"Via: SIP/2.0/TLS {host};branch=z9hG4bK1"
            # RFC 3261 sections 9.1 and 17.1.1.3: these two bear the branch of their INVITE.
            for method in ("INVITE", "CANCEL", "ACK"):
                peer.send(with_via(request(method, 1), via))
                found.setdefault(branch(stack.message()), []).append((who, method))
        require(len(found) == 5, f"{found}")
        for ways in found.values():
            require(len(ways) == 3 and len({who for who, _ in ways}) == 1, f"{found}")


def nobody_answers_for_another():
    """A response comes from whom the request went to, on whatever connection."""
    with Listener() as inner, Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().server, inner=inner.port, next_hop=outer.port, domain=B)
        asking = dial(relay.tcp_port)
        outer_peer = outer.accept()
        asking.send(request("OPTIONS", 1))
        response = answer(outer_peer.message())
        other = dial_tls(relay.tls_port, ours().client)
        stack = inner.accept()
        other.send(response)
        other.send(request("OPTIONS", 2, via="TLS"))
        got = stack.message()
        require(got.startswith(b"OPTIONS"), f"{A} answered for {B}: {got!r}")
        require(len(relay.events("error", reason="invalid_header")) == 1, "no account of it")
        # The one that was asked, on a new connection.
        same = dial_tls(relay.tls_port, ours().server)
        stack = inner.accept()
        same.send(response)
        require(stack.message().startswith(b"SIP/2.0 200"), "no response")


def an_allow_list_lets_nobody_in_without_certificate():
    with Listener() as inner:
        relay = Relay(ours().server, "--client-cert", "requested", "--allow", A, inner=inner.port)
        peer = dial_tls(relay.tls_port, ours().client, show_certificate=False)
        try:
            peer.send(request("OPTIONS", 1, via="TLS"))
        except OSError:
            pass  # it may have been told already
        require(peer.until_end() == b"", "an answer to nobody")
        relay.failed("certificate_missing")
        require(not relay.events("connected"), "it was let in")
        client = siptls_client(relay.tls_port, ours().client)
        inner_stack = inner.accept()
        inner_stack.send(answer(inner_stack.message()))
        require(client.finish() == 0, f"siptls-client ended with {client.child.returncode}")
        wait_until(lambda: relay.events("closed"), "its end")


def all_rows(report):
    for check in (a_peer_is_told_where_its_requests_come_from,
                  what_is_sips_is_recorded_as_sips,
                  what_a_request_requires_of_proxies_is_refused,
                  a_response_that_is_for_the_relay_goes_no_further,
                  transactions_of_several_peers_are_apart, nobody_answers_for_another,
                  an_allow_list_lets_nobody_in_without_certificate):
        report.row(check.__name__.replace("_", " "), check)


if __name__ == "__main__":
    main(__doc__, all_rows)
