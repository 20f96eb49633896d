#!/usr/bin/env python3
"""How connections through siptls-relay end, and how the relay itself does."""

import os
import signal
import ssl
import time

from relays import (LONG, Listener, Relay, answer, dial, dial_tls, free_port, is_listening, main,
                    ours, request, require, server_context, siptls_client, values, wait_until)


class Outward:
    """A stack inside, its relay, and a TLS server as the next hop."""

    def __init__(self, *options):
        self.listener = Listener(server_context(ours().server))
        self.relay = Relay(ours().client, *options, next_hop=self.listener.port)
        self.stack = dial(self.relay.tcp_port)
        self.peer = self.listener.accept()

    def __enter__(self):
        return self.relay, self.stack, self.peer

    def __exit__(self, *_):
        self.listener.close()


class Inward:
    """A TLS client outside, a relay, and the stack behind it."""

    def __init__(self, *options):
        self.listener = Listener()
        self.relay = Relay(ours().server, *options, inner=self.listener.port)
        self.peer = dial_tls(self.relay.tls_port, ours().client)
        self.stack = self.listener.accept()

    __enter__ = Outward.__enter__
    __exit__ = Outward.__exit__


def ends_cleanly(peer):
    """Python says so by an empty read: without close_notify it raises. Says close_notify too."""
    peer.sock.suppress_ragged_eofs = False
    try:
        while peer.sock.recv(65536) != b"":
            pass
        peer.sock.unwrap().close()
    except (ssl.SSLError, OSError) as error:
        require(False, f"the TLS connection ended with {error}")


def check_closed(relay, clean=True):
    closed = relay.wait_for_event("closed")
    require(closed["clean"] == clean, f"{closed}")


def a_half_closed_stack_gets_its_responses():
    with Outward() as (relay, stack, peer):
        for number in range(3):
            stack.send(request("OPTIONS", number))
        stack.shut_down()
        asked = [peer.message() for _ in range(3)]
        for got in asked:
            peer.send(answer(got, "100 Trying"))
        for number, got in enumerate(asked):
            require(not relay.events("closed"), f"closed before response {number}")
            peer.send(answer(got))
            while not stack.message().startswith(b"SIP/2.0 200"):
                pass
        ends_cleanly(peer)
        require(stack.until_end() == b"", "more came")
        check_closed(relay)


def a_stack_that_is_done_ends_its_connection():
    with Outward() as (relay, stack, peer):
        stack.send(request("OPTIONS", 1))
        stack.send(request("ACK", 2))  # nobody waits for its answer
        peer.send(answer(peer.message()))
        peer.message()
        stack.message()
        stack.shut_down()
        ends_cleanly(peer)
        check_closed(relay)


def what_a_stack_sent_before_its_end_arrives():
    """A megabyte in front of FIN: close() must not overtake it."""
    with Outward() as (relay, stack, peer):
        count, body = 64, "x" * 16384
        for number in range(count):
            stack.send(request("ACK", number, body=body))
        stack.close()
        for number in range(count):
            require(values(peer.message(), "Call-ID") == [f"call-{number}"], "not in order")
        ends_cleanly(peer)
        check_closed(relay)


def a_stack_that_resets_ends_its_connection():
    for inward in (False, True):
        with (Inward() if inward else Outward()) as (relay, stack, peer):
            stack.reset()
            ends_cleanly(peer)
            relay.failed("connection_reset")


def a_stack_that_ends_inside_a_message_is_reported():
    with Outward() as (relay, stack, peer):
        stack.send(request("OPTIONS", 1)[:-20])
        stack.close()
        ends_cleanly(peer)
        relay.failed("truncated")
        require(not relay.events("request"), "half a request went out")


def what_a_peer_sent_before_its_end_arrives():
    """The stack reads late; nothing is taken back by the end."""
    with Inward() as (relay, stack, peer):
        count, body = 64, "x" * 16384
        for number in range(count):
            peer.send(request("MESSAGE", number, body=body, via="TLS"))
        peer.sock.unwrap()
        peer.close()
        for number in range(count):
            require(values(stack.message(), "Call-ID") == [f"call-{number}"], "not in order")
        require(stack.until_end() == b"", "more came")
        stack.close()
        check_closed(relay)


def a_peer_that_resets_ends_the_inner_connection():
    with Inward() as (relay, stack, peer):
        peer.send(request("OPTIONS", 1, via="TLS"))
        got = stack.message()
        peer.reset()
        require(stack.until_end() == b"", "more came")
        check_closed(relay, clean=False)
        # A stack that answers all the same must not hurt anybody.
        try:
            stack.send(answer(got))
        except ConnectionError:
            pass
        stack.close()


def a_stack_that_is_not_there():
    relay = Relay(ours().server, inner=free_port())
    for count in (1, 2):
        client = siptls_client(relay.tls_port, ours().client)
        require(client.finish() == 1, "siptls-client found somebody")
        wait_until(lambda: len(relay.events("error", reason="connection_refused")) == count,
                   "account of it")
    wait_until(lambda: len(relay.events("closed", clean=True)) == 2, "clean close")


def a_next_hop_that_is_not_there():
    relay = Relay(ours().client, next_hop=free_port())
    stack = dial(relay.tcp_port)
    stack.send(request("OPTIONS", 1))
    require(stack.until_end() == b"", "an answer from nobody")
    relay.failed("connection_refused")


def a_next_hop_that_is_somebody_else():
    with Listener(server_context(ours().client)) as listener:
        relay = Relay(ours().client, next_hop=listener.port)
        stack = dial(relay.tcp_port)
        stack.send(request("OPTIONS", 1))
        try:
            require(listener.accept().until_end() == b"", "a request went to somebody else")
        except ssl.SSLError:
            pass
        require(stack.until_end() == b"", "an answer from somebody else")
        relay.failed("identity_mismatch")


def a_stack_that_breaks_the_framing_is_told():
    with Outward() as (relay, stack, peer):
        stack.send(request("OPTIONS", 1))
        peer.send(answer(peer.message()))
        stack.message()
        stack.send(request("OPTIONS", 2).replace(b"Content-Length", b"Content-Langth") +
                   request("OPTIONS", 3))
        require(stack.message().startswith(b"SIP/2.0 400"), "no 400")
        require(stack.until_end() == b"", "more came")
        ends_cleanly(peer)
        relay.failed("missing_content_length")
        require(len(relay.events("request")) == 1, "it went on behind the error")


def pings_are_answered_on_both_sides():
    with Outward() as (_, stack, peer):
        stack.send(b"\r\n\r\n" * 3 + request("OPTIONS", 1))
        require(stack.octets(6) == b"\r\n" * 3, "no pongs")
        peer.send(b"\r\n" + answer(peer.message()))  # a pong that nobody waits for
        require(stack.message().startswith(b"SIP/2.0 200"), "no answer behind a pong")
    with Inward() as (_, stack, peer):
        peer.send(b"\r\n\r\n" + request("OPTIONS", 1, via="TLS"))
        require(peer.octets(2) == b"\r\n", "no pong")
        stack.send(b"\r\n" + answer(stack.message()))
        require(peer.message().startswith(b"SIP/2.0 200"), "no answer behind a pong")


def a_next_hop_that_does_not_pong_is_given_up():
    """siptls-relay pings; Python's server does not answer. It takes pong_timeout, 10 s."""
    begin = time.monotonic()
    with Outward("--keep-alive", "100ms") as (relay, stack, peer):
        require(peer.octets(4) == b"\r\n\r\n", "no ping")
        require(stack.until_end() == b"", "something came")
        relay.failed("flow_failed")
        require(time.monotonic() - begin > 5, "given up at once")


def sigterm_lets_transactions_end():
    with Inward("--drain", "30s") as (relay, stack, peer):
        idle = dial_tls(relay.tls_port, ours().client)
        peer.send(request("INVITE", 1, via="TLS"))
        got = stack.message()
        stack.send(answer(got, "180 Ringing"))
        peer.message()
        relay.child.send_signal(signal.SIGTERM)
        ends_cleanly(idle)
        require(relay.running, "it ended with a transaction open")
        stack.send(answer(got))
        require(peer.message().startswith(b"SIP/2.0 200"), "no 200")
        ends_cleanly(peer)
        require(stack.until_end() == b"", "more came")
        stack.close()
        begin = time.monotonic()
        require(relay.finish() == 0, f"it ended with {relay.child.returncode}")
        require(time.monotonic() - begin < 10, "it waited for nothing")


def sigterm_does_not_wait_for_ever():
    with Outward("--drain", "200ms") as (relay, stack, peer):
        stack.send(request("INVITE", 1))
        peer.message()
        relay.child.send_signal(signal.SIGTERM)
        ends_cleanly(peer)
        require(stack.until_end() == b"", "something came")
        require(relay.finish() == 0, f"it ended with {relay.child.returncode}")


def a_second_sigterm_ends_it_at_once():
    with Outward("--drain", "10m") as (relay, stack, peer):
        stack.send(request("INVITE", 1))
        peer.message()
        relay.child.send_signal(signal.SIGTERM)
        # Its inner listener is the first to go.
        wait_until(lambda: not is_listening(relay.tcp_port), "end of listening")
        relay.child.send_signal(signal.SIGTERM)
        require(relay.finish(5) == 0, f"it ended with {relay.child.returncode}")
        stack.until_end()


def a_relay_that_is_killed_can_be_started_again():
    with Listener() as inner:
        relay = Relay(ours().server, inner=inner.port)
        peer = dial_tls(relay.tls_port, ours().client)
        peer.send(request("OPTIONS", 1, via="TLS"))
        stack = inner.accept()
        stack.message()
        relay.child.send_signal(signal.SIGKILL)
        require(stack.until_end() == b"" and peer.until_end() == b"", "something came")
        relay.finish()
        relay.check_end = lambda: None
        again = Relay(ours().server, inner=inner.port, listen=relay.tls_port)
        peer = dial_tls(again.tls_port, ours().client)
        stack = inner.accept()
        peer.send(request("OPTIONS", 2, via="TLS"))
        stack.send(answer(stack.message()))
        require(peer.message().startswith(b"SIP/2.0 200"), "no answer")


def descriptors_of(process):
    return len(os.listdir(f"/proc/{process.child.pid}/fd"))


def nothing_is_left_of_many_connections():
    """A hundred in each direction, ended by either side in turn."""
    with Listener() as inner, Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().server, inner=inner.port, next_hop=outer.port)
        before = descriptors_of(relay)
        for number in range(50):
            for caller, callee in ((dial_tls(relay.tls_port, ours().client), inner.accept()),
                                   (dial(relay.tcp_port), outer.accept())):
                first, second = (caller, callee) if number % 2 else (callee, caller)
                first.close()
                second.until_end()
                second.close()
        wait_until(lambda: len(relay.events("closed")) == 100, "close of each")
        wait_until(lambda: descriptors_of(relay) <= before, "release of descriptors")


def all_rows(report):
    for check in (
            a_half_closed_stack_gets_its_responses, a_stack_that_is_done_ends_its_connection,
            what_a_stack_sent_before_its_end_arrives, a_stack_that_resets_ends_its_connection,
            a_stack_that_ends_inside_a_message_is_reported,
            what_a_peer_sent_before_its_end_arrives,
            a_peer_that_resets_ends_the_inner_connection, a_stack_that_is_not_there,
            a_next_hop_that_is_not_there, a_next_hop_that_is_somebody_else,
            a_stack_that_breaks_the_framing_is_told, pings_are_answered_on_both_sides,
            sigterm_lets_transactions_end,
            sigterm_does_not_wait_for_ever, a_second_sigterm_ends_it_at_once,
            a_relay_that_is_killed_can_be_started_again, nothing_is_left_of_many_connections):
        report.row(check.__name__.replace("_", " "), check)
    if LONG:
        report.row("a next hop that does not pong is given up",
                   a_next_hop_that_does_not_pong_is_given_up)


if __name__ == "__main__":
    main(__doc__, all_rows)
