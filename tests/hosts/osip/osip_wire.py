#!/usr/bin/env python3
"""osip-agent against a peer made by hand: what it sends, again and again or on another connection,
and what it answers to requests that it cannot serve."""

import os
import re
import signal

from osips import Agent, callee, caller, check_ended, ours, refusing_port
from peers import CLIENT, PATIENCE, SERVER, main, require, wait_until
from relays import Listener, answer, dial_tls, server_context, values

TAG = "To: <sip:bob@server.example>;tag=theirs\r\n"


opened = []  # connections of this side


def dial(agent, credentials=None):
    opened.append(dial_tls(agent.port, (credentials or ours().client)))
    return opened[-1]


def accept(listener):
    opened.append(listener.accept())
    return opened[-1]


def peer_to_call():
    return Listener(server_context(ours().server))


def call_from(connection, agent, number=1, port=5061, more="", method="INVITE", uri=None,
              tag="1", contact=True):
    """A request that begins something, as client.example."""
    uri = uri or f"sip:bob@{SERVER}:{agent.port};transport=tls"
    contact = f"Contact: <sip:alice@{CLIENT}:{port};transport=tls>\r\n" if contact else ""
    connection.send(
        (f"{method} {uri} SIP/2.0\r\n"
         f"Via: SIP/2.0/TLS {CLIENT}:{port};branch=z9hG4bK-{method}-{number}\r\n"
         f"Max-Forwards: 70\r\nFrom: <sip:alice@{CLIENT}>;tag={tag}\r\n"
         f"To: <sip:bob@{SERVER}>\r\nCall-ID: call-{number}\r\nCSeq: {number} {method}\r\n"
         f"{contact}{more}Content-Length: 0\r\n\r\n").encode())


def within(connection, agent, response, method, number=1, cseq=1, port=5061, branch=None, more=""):
    """A request in the dialog of `response`, or the CANCEL of its INVITE."""
    branch = branch or f"z9hG4bK-{method}-{number}-{cseq}"
    to = values(response, "To")[0] if method != "CANCEL" else f"<sip:bob@{SERVER}>"
    connection.send(
        (f"{method} sip:agent@{SERVER}:{agent.port};transport=tls SIP/2.0\r\n"
         f"Via: SIP/2.0/TLS {CLIENT}:{port};branch={branch}\r\n"
         f"Max-Forwards: 70\r\nFrom: <sip:alice@{CLIENT}>;tag=1\r\nTo: {to}\r\n"
         f"Call-ID: call-{number}\r\nCSeq: {cseq} {method}\r\n{more}"
         f"Content-Length: 0\r\n\r\n").encode())


def start_line(message):
    return message.split(b"\r\n", 1)[0].decode()


def expect(connection, begin):
    """The next message, which must begin so."""
    message = connection.message()
    require(start_line(message).startswith(begin), f"{message!r} does not begin with {begin}")
    return message


def expect_status(connection, status, cseq):
    message = expect(connection, f"SIP/2.0 {status} ")
    require(values(message, "CSeq") == [cseq], f"not the response to {cseq}: {message!r}")
    return message


def answered(message, listener, status="200 OK"):
    """A final response to an INVITE, with the listener as Contact."""
    return tagged(answer(message, status,
                         f"Contact: <sip:bob@{SERVER}:{listener.port};transport=tls>\r\n"))


def tagged(response, tag="theirs"):
    """With a tag in To."""
    return re.sub(rb"(?m)^(To: <[^>]*>)\r$", rb"\1;tag=" + tag.encode() + b"\r", response)


def called(listener, *options, status=0):
    """An agent that calls, and the connection and INVITE that it brings."""
    alice = caller(listener.port, *options, status=status)
    connection = accept(listener)
    return alice, connection, expect(connection, "INVITE ")


def check_over(agent, peer):
    """The agent ends the connection, and itself."""
    peer.until_end()
    peer.close()
    agent.check_finish()


# --- What is sent again ---------------------------------------------------------------------------


def a_2xx_is_sent_until_its_ack():
    bob = callee()
    peer = dial(bob)
    call_from(peer, bob)
    expect_status(peer, 180, "1 INVITE")
    first = expect_status(peer, 200, "1 INVITE")
    again = peer.message()
    require(again == first, f"not the same 2xx again: {again}")
    within(peer, bob, first, "ACK", cseq=2)  # of another request
    require(peer.message() == first, "an ACK of another CSeq was taken")
    within(peer, bob, first, "ACK")
    bob.wait_for_event("request", method="ACK")
    within(peer, bob, first, "BYE", cseq=2)
    expect_status(peer, 200, "2 BYE")
    check_ended(bob, "peer_hung_up")


def every_2xx_is_acknowledged():
    """Also the one of another end, to which the call was forked: it is hung up."""
    with peer_to_call() as listener:
        alice, peer, invite = called(listener, "--hang-up", "never")
        response = answered(invite, listener)
        peer.send(response)
        ack = expect(peer, "ACK ")
        require(values(ack, "CSeq") == ["1 ACK"], f"{ack!r}")
        require(values(ack, "To")[0].endswith(";tag=theirs"), f"{ack!r}")
        require(values(ack, "Max-Forwards") == ["70"], f"{ack!r}")
        for _ in range(3):
            peer.send(response)
            require(expect(peer, "ACK ") == ack, "not the same ACK again")
        peer.send(tagged(answered(invite, listener).replace(b";tag=theirs", b""), "fork"))
        other = expect(peer, "ACK ")
        bye = expect(peer, "BYE ")
        for message in (other, bye):
            require(values(message, "To")[0].endswith(";tag=fork"), f"{message!r}")
        require(values(bye, "CSeq") == ["2 BYE"], f"{bye!r}")
        peer.send(answer(bye))
        require(not alice.events("ended"), "the first call was ended")
        os.kill(alice.child.pid, signal.SIGTERM)
        peer.send(answer(expect(peer, "BYE ")))
        check_over(alice, peer)
        check_ended(alice, "hung_up")


def a_refusal_is_acknowledged():
    """By oSIP, on the same branch; with the Max-Forwards that oSIP leaves out."""
    with peer_to_call() as listener:
        alice, peer, invite = called(listener, status=1)
        peer.send(tagged(answer(invite, "486 Busy Here")))
        ack = expect(peer, "ACK ")
        require(values(ack, "Via") == values(invite, "Via"), f"{ack!r} is not for {invite!r}")
        require(values(ack, "Max-Forwards") == ["70"], f"{ack!r}")
        check_ended(alice, "refused")
        check_over(alice, peer)


def no_request_is_repeated():
    """TLS is reliable (RFC 3261 section 17.1.2.2): oSIP's timers A and E must not run."""
    with peer_to_call() as first, peer_to_call() as second:
        alice, invited, _ = called(first)
        asking = Agent(ours().client, "--options", f"sips:{SERVER}:{second.port}")
        asked = accept(second)
        expect(asked, "OPTIONS ")
        # They wait for 2 s, which is more than T1 and 2*T1.
        for agent in (alice, asking):
            os.kill(agent.child.pid, signal.SIGTERM)
        for agent, peer in ((alice, invited), (asking, asked)):
            more = peer.until_end()
            require(more == b"", f"more came: {more!r}")
            peer.close()
            agent.check_finish()


def a_cancel_waits_for_a_provisional_response():
    with peer_to_call() as listener:
        alice, peer, invite = called(listener, "--timeout", "1ms")
        peer.send(answer(invite, "100 Trying"))
        cancel = expect(peer, "CANCEL ")
        for name in ("Via", "From", "To", "Call-ID"):
            require(values(cancel, name) == values(invite, name), f"{name} of {cancel!r}")
        require(values(cancel, "CSeq") == ["1 CANCEL"], f"{cancel!r}")
        peer.send(answer(cancel))
        peer.send(tagged(answer(invite, "487 Request Terminated")))
        expect(peer, "ACK ")
        check_ended(alice, "cancelled")
        check_over(alice, peer)


def a_cancel_comes_too_late():
    with peer_to_call() as listener:
        alice, peer, invite = called(listener, "--timeout", "1ms", "--hang-up", "never")
        peer.send(answer(invite, "180 Ringing"))
        cancel = expect(peer, "CANCEL ")
        peer.send(answered(invite, listener))
        peer.send(answer(cancel, "481 Gone"))
        expect(peer, "ACK ")
        peer.send(answer(expect(peer, "BYE ")))
        check_ended(alice, "hung_up")
        check_over(alice, peer)


# --- Connections that end -------------------------------------------------------------------------


def a_connection_breaks():
    """A request waits on it: it fails at once, and not after 64*T1."""
    with peer_to_call() as listener:
        alice, peer, invite = called(listener, status=1)
        peer.send(answer(invite, "180 Ringing"))
        alice.wait_for_event("response", status=180)
        peer.reset()
        alice.check_finish()
        check_ended(alice, "failed")
        closed = alice.wait_for_event("closed")
        require(not closed["clean"] and closed["reason"] in ("connection_reset", "truncated"),
                f"{closed}")


def a_response_comes_on_another_connection():
    """RFC 3261 section 18.2.2: the peer closed the first one in order."""
    with peer_to_call() as listener:
        alice = Agent(ours().client, "--options", f"sips:{SERVER}:{listener.port}")
        peer = accept(listener)
        options = expect(peer, "OPTIONS ")
        sent_by = re.fullmatch(r"SIP/2.0/TLS client.example:(\d+);branch=z9hG4bK\w+;alias",
                               values(options, "Via")[0])
        require(sent_by and int(sent_by.group(1)) == alice.port, f"the Via of {options!r}")
        peer.sock = peer.sock.unwrap()
        peer.close()
        alice.wait_for_event("closed", clean=True)
        peer = dial(alice, ours().server)
        peer.send(tagged(answer(options)))
        check_over(alice, peer)
        require(alice.count("response", status=200) == 1, "no response")


def a_response_takes_another_connection():
    """To the sent-by of the request, whose peer must prove who it was."""
    with Listener(server_context(ours().client)) as listener:
        bob = callee("--ring", "200ms")
        peer = dial(bob)
        call_from(peer, bob, port=listener.port)
        ringing = expect_status(peer, 180, "1 INVITE")
        peer.sock = peer.sock.unwrap()
        peer.close()
        peer = accept(listener)
        ok = expect_status(peer, 200, "1 INVITE")
        require(values(ok, "To") == values(ringing, "To"), "another dialog")
        within(peer, bob, ok, "ACK")
        within(peer, bob, ok, "BYE", cseq=2)
        expect_status(peer, 200, "2 BYE")
        check_ended(bob, "peer_hung_up")
        connected = bob.events("connected")
        require([event["role"] for event in connected] == ["server", "client"], f"{connected}")


def a_response_has_nowhere_to_go():
    """The agent says so, and serves the next caller."""
    bob = callee("--ring", "50ms")
    with refusing_port() as port:
        peer = dial(bob)
        call_from(peer, bob, port=port)
        expect_status(peer, 180, "1 INVITE")
        peer.sock = peer.sock.unwrap()
        peer.close()
        bob.wait_for_event("send_failed", reason="connection_refused")
    caller(bob.port).check_finish()


# --- Requests that are refused --------------------------------------------------------------------


def requests_that_are_refused():
    bob = callee()
    peer = dial(bob)
    table = [
        (481, dict(method="BYE", more="")), (405, dict(method="MESSAGE")),
        (405, dict(method="REGISTER")), (420, dict(more="Require: 100rel\r\n")),
        (416, dict(uri="tel:+358-555-1234567")), (400, dict(contact=False)),
        (200, dict(method="OPTIONS"))]
    for number, (status, how) in enumerate(table, 10):
        call_from(peer, bob, number, **how)
        response = expect_status(peer, status, f"{number} {how.get('method', 'INVITE')}")
        require(";tag=" in values(response, "To")[0], f"no tag in {response!r}")
        if status in (200, 405):
            require(values(response, "Allow") == ["INVITE, ACK, CANCEL, BYE, OPTIONS"],
                    f"{response!r}")
        if "method" not in how:
            within(peer, bob, response, "ACK", number, number,
                   branch=f"z9hG4bK-INVITE-{number}")
        if status == 420:
            require(unsupported(response) == ["100rel"], f"{response!r}")
    within(peer, bob, response, "CANCEL", number=99)
    expect_status(peer, 481, "1 CANCEL")
    require(not bob.events("answered"), "a call was answered")


def unsupported(response):
    """The tags of all its rows."""
    return [tag.strip() for row in values(response, "Unsupported") for tag in row.split(",")]


def every_extension_is_refused():
    """RFC 3261 section 8.2.2.3, in a request that begins a call and in one that would end it."""
    bob = callee()
    peer = dial(bob)
    more = "Require: 100rel, timer\r\nSubject: x\r\nrequire: nonsense\r\n"
    call_from(peer, bob, more=more)
    refusal = expect_status(peer, 420, "1 INVITE")
    require(unsupported(refusal) == ["100rel", "timer", "nonsense"], f"{refusal!r}")
    within(peer, bob, refusal, "ACK", branch="z9hG4bK-INVITE-1")
    call_from(peer, bob, 2)
    expect_status(peer, 180, "2 INVITE")
    ok = expect_status(peer, 200, "2 INVITE")
    within(peer, bob, ok, "ACK", number=2, cseq=2)
    within(peer, bob, ok, "BYE", number=2, cseq=3, more=more)
    refusal = expect_status(peer, 420, "3 BYE")
    require(unsupported(refusal) == ["100rel", "timer", "nonsense"], f"{refusal!r}")
    require(not bob.events("ended"), "the call has ended")
    within(peer, bob, ok, "BYE", number=2, cseq=4)
    expect_status(peer, 200, "4 BYE")
    check_ended(bob, "peer_hung_up")


def requests_in_a_call():
    bob = callee()
    peer = dial(bob)
    call_from(peer, bob, number=5)
    expect_status(peer, 180, "5 INVITE")
    ok = expect_status(peer, 200, "5 INVITE")
    within(peer, bob, ok, "ACK", number=5, cseq=5)
    contact = f"Contact: <sip:alice@{CLIENT}:5061;transport=tls>\r\n"
    within(peer, bob, ok, "INVITE", number=5, cseq=6, more=contact, branch="z9hG4bK-again")
    refusal = expect_status(peer, 488, "6 INVITE")
    within(peer, bob, refusal, "ACK", number=5, cseq=6, branch="z9hG4bK-again")
    within(peer, bob, ok, "BYE", number=5, cseq=4)
    expect_status(peer, 500, "4 BYE")  # older than what came before it
    peer.send(f"INVITE sip:bob@{SERVER} SIP/2.0\r\n"
              f"Via: SIP/2.0/TLS {CLIENT}:5061;branch=z9hG4bK-merged\r\nMax-Forwards: 70\r\n"
              f"From: <sip:alice@{CLIENT}>;tag=1\r\nTo: <sip:bob@{SERVER}>\r\n"
              f"Call-ID: call-5\r\nCSeq: 5 INVITE\r\n{contact}Content-Length: 0\r\n\r\n".encode())
    refusal = expect_status(peer, 482, "5 INVITE")  # the same request by another way
    within(peer, bob, refusal, "ACK", number=5, cseq=5, branch="z9hG4bK-merged")
    within(peer, bob, tagged(answer(ok).replace(values(ok, "To")[0].encode(),
                                                f"<sip:bob@{SERVER}>".encode())),
           "BYE", number=5, cseq=7)
    expect_status(peer, 481, "7 BYE")  # of another dialog of this call
    peer.send(f"BYE sip:bob@{SERVER} SIP/2.0\r\n"
              f"Via: SIP/2.0/TLS {CLIENT}:5061;branch=z9hG4bK-tag\r\n"
              f"From: <sip:alice@{CLIENT}>;tag\r\nTo: {values(ok, 'To')[0]}\r\nCall-ID: call-5\r\n"
              "CSeq: 9 BYE\r\nContent-Length: 0\r\n\r\n".encode())  # not for oSIP to compare
    bob.wait_for_event("error", reason="invalid_header")
    within(peer, bob, ok, "BYE", number=5, cseq=8)
    expect_status(peer, 200, "8 BYE")
    check_ended(bob, "peer_hung_up")


def a_bye_ends_a_call_that_rings():
    bob = callee("--ring", "forever")
    peer = dial(bob)
    call_from(peer, bob)
    ringing = expect_status(peer, 180, "1 INVITE")
    within(peer, bob, ringing, "BYE", cseq=2)
    got = sorted((peer.message() for _ in range(2)), key=start_line)
    require([start_line(message)[:12] for message in got] == ["SIP/2.0 200 ", "SIP/2.0 487 "],
            f"{got}")
    within(peer, bob, got[1], "ACK", branch="z9hG4bK-INVITE-1")
    check_ended(bob, "peer_hung_up")


def what_osip_cannot_read():
    """Whole for the framer, which wants nothing but a start-line and Content-Length."""
    bob = callee()
    peer = dial(bob)
    for rows in ("", "Via: SIP/2.0/TLS a;branch=z9hG4bK1\r\n", "From: <sip:a@b\r\nTo: <<\r\n",
                 f"Via: SIP/2.0/TLS a;branch=z9hG4bK2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
                 "Call-ID: 1\r\n", "CSeq: 1 INVITE\r\n"):
        for line in ("OPTIONS sip:a SIP/2.0", "ACK sip:a SIP/2.0", "INVITE sip:a SIP/2.0",
                     "SIP/2.0 200 OK", "SIP/2.0 180 Ringing"):
            peer.send(f"{line}\r\n{rows}Content-Length: 0\r\n\r\n".encode())
    call_from(peer, bob, 7, method="OPTIONS")
    expect_status(peer, 200, "7 OPTIONS")
    wait_until(lambda: bob.count("error", reason="invalid_header") >= 20, "errors", PATIENCE)


def responses_of_nobody():
    """They match nothing and are dropped."""
    bob = callee()
    peer = dial(bob)
    for status in ("100 Trying", "200 OK", "404 Not Found"):
        for method in ("INVITE", "OPTIONS", "BYE"):
            peer.send(f"SIP/2.0 {status}\r\nVia: SIP/2.0/TLS x;branch=z9hG4bK-no\r\n"
                      f"From: <sip:a@x>;tag=1\r\n{TAG}Call-ID: none\r\nCSeq: 1 {method}\r\n"
                      "Content-Length: 0\r\n\r\n".encode())
    call_from(peer, bob, 7, method="OPTIONS")
    expect_status(peer, 200, "7 OPTIONS")
    require(not bob.events("response"), "a response of nobody was taken")


def closing(check):
    try:
        check()
    finally:
        while opened:
            opened.pop().close()


def rows(report):
    for check in (a_2xx_is_sent_until_its_ack, every_2xx_is_acknowledged,
                  a_refusal_is_acknowledged, no_request_is_repeated,
                  a_cancel_waits_for_a_provisional_response,
                  a_cancel_comes_too_late, a_connection_breaks,
                  a_response_comes_on_another_connection, a_response_takes_another_connection,
                  a_response_has_nowhere_to_go, requests_that_are_refused,
                  every_extension_is_refused, requests_in_a_call,
                  a_bye_ends_a_call_that_rings, what_osip_cannot_read, responses_of_nobody):
        report.row(check.__name__.replace("_", " "), closing, check)


if __name__ == "__main__":
    main(__doc__, rows)
