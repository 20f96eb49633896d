#!/usr/bin/env python3
"""How connections through siptls-relay end, and how the relay itself does."""

import fcntl
import os
import re
import signal
import ssl
import sys
import termios
import threading
import time

from relays import (LONG, Failed, Listener, Relay, answer, dial, dial_tls, free_port, is_listening,
                    main, ours, request, require, server_context, siptls_client, values,
                    wait_until)

BODY = "x" * 16384
SMALL = 64 * 1024  # the receive buffer of a stack that does not read
ENOUGH = 96 * 1024  # what the relay keeps for it, above what the kernel does; less than its most


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

    def __init__(self, *options, receive_buffer=None):
        self.listener = Listener(receive_buffer=receive_buffer)
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


def a_half_closed_stack_gets_what_is_answered_last():
    """A UAS repeats its 2xx, over TCP too (RFC 3261 section 13.3.1.4): it ends one request only."""
    with Outward() as (relay, stack, peer):
        for number in (1, 2):
            stack.send(request("INVITE", number))
        stack.shut_down()
        first, second = peer.message(), peer.message()
        for _ in range(3):
            peer.send(answer(first))
            stack.message()
        peer.send(answer(second))
        require(values(stack.message(), "Call-ID") == ["call-2"], "no answer")
        ends_cleanly(peer)
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


def in_kernel(stack):
    """What it holds of what the relay has written to the stack: unread there, or not yet there."""
    relays_port, own_port = stack.sock.getpeername()[1], stack.port
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in list(file)[1:]:
            local, remote, _, queues = line.split()[1:5]
            if (int(local.split(":")[1], 16), int(remote.split(":")[1], 16)) == (relays_port,
                                                                                 own_port):
                unread = fcntl.ioctl(stack.sock, termios.FIONREAD, bytes(4))
                return int(queues.split(":")[0], 16) + int.from_bytes(unread, sys.byteorder)
    raise Failed("the relay has no connection with the stack")


def leave_a_stack_that_does_not_read(relay, stack, peer, most=10**6):
    """The peer goes when the relay itself has to keep something for the stack, but not so much that
    it holds the peer back; or after `most` messages. Returns their number. One of them is read."""
    peer.send(request("MESSAGE", 0, body=BODY, via="TLS"))
    size, written, count = len(stack.message()), 0, 1
    while count < most and written < ENOUGH + in_kernel(stack):
        peer.send(request("MESSAGE", count, body=BODY, via="TLS"))
        written += size + 4 * (len(str(count)) - 1)  # the number stands in it four times
        count += 1
        if count % 2 == 0:
            wait_until(lambda: len(relay.events("request")) == count, "all of it in the relay")
    peer.sock.unwrap()
    peer.close()
    check_closed(relay)
    return count


def comes(condition, seconds):
    """Whether it does, within that time."""
    try:
        return wait_until(condition, "", seconds)
    except Failed:
        return False


def what_a_peer_sent_before_its_end_arrives(half_closed=False, most=10**6):
    """The stack reads later than anybody waits for its end; nothing is lost, nothing cut."""
    with Inward(receive_buffer=SMALL) as (relay, stack, peer):
        before = descriptors_of(relay)
        count = leave_a_stack_that_does_not_read(relay, stack, peer, most)
        if half_closed:
            stack.shut_down()
        else:
            require(not comes(lambda: descriptors_of(relay) < before - 1, 4), "it is given up")
        for number in range(1, count):
            got = stack.message()
            require(values(got, "Call-ID") == [f"call-{number}"] and got.endswith(BODY.encode()),
                    f"message {number} of {count} is {got[:300]!r}")
            if not half_closed:
                # To an inner connection that is closed this would bring a reset, and nothing more.
                stack.send(answer(got))
        require(stack.until_end() == b"", "more came")
        stack.close()
        wait_until(lambda: descriptors_of(relay) < before - 1, "release of its connection")
        require(not relay.events("error"), f"{relay.events('error')}")


def what_a_stack_does_not_read_is_given_up(how):
    """And told: after 64*T1 without progress, or where the stack itself ends it."""
    with Inward(receive_buffer=SMALL) as (relay, stack, peer):
        begin = time.monotonic()
        leave_a_stack_that_does_not_read(relay, stack, peer)
        if how == "it resets":
            stack.reset()
            lost = relay.failed("connection_reset")
        elif how == "SIGTERM":
            relay.child.send_signal(signal.SIGTERM)
            wait_until(lambda: not is_listening(relay.tls_port), "end of listening")
            relay.child.send_signal(signal.SIGTERM)
            lost = relay.failed("connection_closed")
        else:
            lost = wait_until(lambda: relay.events("error", reason="write_timeout"), "error", 60)[0]
            require(time.monotonic() - begin > 30, "it did not wait")
        octets = re.search(r"(\d+) octets", lost["evidence"])
        require(octets and ENOUGH // 2 < int(octets.group(1)) < 2 * ENOUGH, f"{lost}")


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


def sigterm_lets_transactions_end_behind_a_repeated_response():
    """As a UAS repeats the 2xx of an INVITE, and as a fork sends several."""
    for inward in (True, False):
        side = Inward("--drain", "30s") if inward else Outward("--drain", "30s")
        with side as (relay, stack, peer):
            caller, callee = (peer, stack) if inward else (stack, peer)
            caller.send(request("INVITE", 1) + request("CANCEL", 1) + request("INVITE", 2))
            asked = [callee.message() for _ in range(3)]
            for got, status in ((asked[0], "200 OK"), (asked[0], "200 OK"),
                                (asked[2], "180 Ringing"), (asked[0], "200 OK")):
                callee.send(answer(got, status))
                caller.message()
            relay.child.send_signal(signal.SIGTERM)
            # Its listeners are the first to go.
            port = relay.tls_port if inward else relay.tcp_port
            wait_until(lambda port=port: not is_listening(port), "end of listening")
            for got in (asked[2], asked[1]):
                callee.send(answer(got))
                require(values(caller.message(), "CSeq") == values(got, "CSeq"), "another response")
            ends_cleanly(peer)
            require(stack.until_end() == b"", "more came")
            stack.close()
            require(relay.finish() == 0, f"it ended with {relay.child.returncode}")


def only_so_many_open_requests_are_remembered():
    """Those of a peer that never answers, and never ends: memory stays, and so does service."""
    with Outward("--drain", "10m") as (relay, stack, peer):
        count = 10000
        reader = threading.Thread(target=lambda: [peer.message() for _ in range(count)])
        reader.start()
        for number in range(count):
            stack.send(request("OPTIONS", number))
        reader.join(60)
        require(not reader.is_alive(), "not all of them arrived")
        stack.send(request("OPTIONS", count))
        peer.send(answer(peer.message()))
        require(values(stack.message(), "Call-ID") == [f"call-{count}"], "another response")


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
            a_half_closed_stack_gets_its_responses,
            a_half_closed_stack_gets_what_is_answered_last,
            a_stack_that_is_done_ends_its_connection,
            what_a_stack_sent_before_its_end_arrives, a_stack_that_resets_ends_its_connection,
            a_stack_that_ends_inside_a_message_is_reported,
            what_a_peer_sent_before_its_end_arrives,
            a_peer_that_resets_ends_the_inner_connection, a_stack_that_is_not_there,
            a_next_hop_that_is_not_there, a_next_hop_that_is_somebody_else,
            a_stack_that_breaks_the_framing_is_told, pings_are_answered_on_both_sides,
            sigterm_lets_transactions_end,
            sigterm_lets_transactions_end_behind_a_repeated_response,
            only_so_many_open_requests_are_remembered,
            sigterm_does_not_wait_for_ever, a_second_sigterm_ends_it_at_once,
            a_relay_that_is_killed_can_be_started_again, nothing_is_left_of_many_connections):
        report.row(check.__name__.replace("_", " "), check)
    report.row("what a peer sent before its end arrives at a half-closed stack",
               what_a_peer_sent_before_its_end_arrives, True)
    report.row("what a peer sent before its end arrives, and the kernel holds all of it",
               what_a_peer_sent_before_its_end_arrives, False, 30)
    for how in ("it resets", "SIGTERM"):
        report.row(f"what a stack does not read is given up: {how}",
                   what_a_stack_does_not_read_is_given_up, how)
    if LONG:
        report.row("what a stack does not read is given up", what_a_stack_does_not_read_is_given_up,
                   "64*T1")
        report.row("a next hop that does not pong is given up",
                   a_next_hop_that_does_not_pong_is_given_up)


if __name__ == "__main__":
    main(__doc__, all_rows)
