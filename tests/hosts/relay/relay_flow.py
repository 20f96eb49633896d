#!/usr/bin/env python3
"""siptls-relay between sides of which one does not read: it holds little, and loses nothing."""

import os
import select
import socket
import threading

from relays import (PATIENCE, Failed, Listener, Relay, dial, dial_tls, main, ours, request,
                    require, server_context, values)

BODY = "x" * 16384
COUNT = 3000  # 50 MB, several times what kernel and relay hold between them
# What the relay may take up for it: both queues and the buffers of one connection.
MOST_MEMORY = 12 * 1024 * 1024
SMALL = 64 * 1024


def memory_of(process):
    with open(f"/proc/{process.child.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


class Pump(threading.Thread):
    """Sends COUNT messages, then the end; knows when it can send no more for a while."""

    def __init__(self, connection, via):
        super().__init__(daemon=True)
        self.connection, self.via = connection, via
        self.stuck, self.failure = threading.Event(), None
        self.start()

    def run(self):
        sock = self.connection.sock
        try:
            for number in range(COUNT):
                # No system says "the other end does not read": it is what a long silence means.
                if not select.select([], [sock], [], 1.0)[1]:
                    self.stuck.set()
                self.connection.send(request("ACK", number, body=BODY, via=self.via))
            if self.via == "TLS":
                sock.unwrap()
            else:
                sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.failure = error
        self.stuck.set()


def check_others(connect):
    """Other connections have their own way, and leave alone what waits on the slow one."""
    for number in range(3):
        sender, reader = connect()
        for part in range(5):
            sender.send(request("ACK", number * 5 + part, body="y" * 100_000))
            got = reader.message()
            require(values(got, "Call-ID") == [f"call-{number * 5 + part}"] and
                    got.endswith(b"y" * 100_000), f"another message: {got[:300]!r}")


def check_flow(relay, sender, reader, via, meanwhile):
    before = memory_of(relay)
    pump = Pump(sender, via)
    if not pump.stuck.wait(PATIENCE):
        raise Failed("the sender was never held back")
    require(pump.is_alive() and not pump.failure, f"all of it went somewhere: {pump.failure}")
    used = memory_of(relay) - before
    # A sanitizer keeps what was freed.
    require(used < MOST_MEMORY or os.environ.get("SIPTLS_SANITIZE"),
            f"siptls-relay has taken {used} octets")
    meanwhile()
    for number in range(COUNT):
        got = reader.message()
        require(values(got, "Call-ID") == [f"call-{number}"] and got.endswith(BODY.encode()),
                f"message {number} is {got[:300]!r}")
    require(reader.until_end() == b"", "more came")
    reader.close()
    pump.join(PATIENCE)
    require(not pump.is_alive() and not pump.failure, f"the sender: {pump.failure}")
    slow = relay.events("connected")[0]["connection"]
    require(relay.wait_for_event("closed", connection=slow)["clean"], "not closed cleanly")
    require(not relay.events("error", connection=slow), f"{relay.events('error')}")


def a_stack_that_does_not_read_holds_its_peer_back():
    with Listener(receive_buffer=SMALL) as inner:
        relay = Relay(ours().server, inner=inner.port)
        peer = dial_tls(relay.tls_port, ours().client)
        stack = inner.accept()
        check_flow(relay, peer, stack, "TLS", lambda: check_others(
            lambda: (dial_tls(relay.tls_port, ours().client), inner.accept())))


def a_peer_that_does_not_read_holds_its_stack_back():
    with Listener(server_context(ours().server), receive_buffer=SMALL) as outer:
        relay = Relay(ours().client, next_hop=outer.port)
        stack = dial(relay.tcp_port)
        peer = outer.accept()
        check_flow(relay, stack, peer, "TCP", lambda: check_others(
            lambda: (dial(relay.tcp_port), outer.accept())))


def a_stack_that_does_not_read_is_given_up_with_its_relay():
    """SIGTERM while everything stands still: the relay ends in time."""
    with Listener(receive_buffer=SMALL) as inner:
        relay = Relay(ours().server, "--drain", "100ms", inner=inner.port)
        peer = dial_tls(relay.tls_port, ours().client)
        stack = inner.accept()
        pump = Pump(peer, "TLS")
        require(pump.stuck.wait(PATIENCE), "the sender was never held back")
        relay.child.terminate()
        require(relay.finish() == 0, f"it ended with {relay.child.returncode}")
        require("octets" in relay.failed("connection_closed")["evidence"], "no account of it")
        stack.close()
        peer.close()
        pump.join(PATIENCE)


def a_slow_stack_that_resets_frees_its_peer():
    with Listener(receive_buffer=SMALL) as inner:
        relay = Relay(ours().server, inner=inner.port)
        slow = dial_tls(relay.tls_port, ours().client)
        stack = inner.accept()
        pump = Pump(slow, "TLS")
        require(pump.stuck.wait(PATIENCE), "the sender was never held back")
        stack.reset()
        pump.join(PATIENCE)
        require(not pump.is_alive(), "the peer goes on without its stack")
        relay.wait_for_event("closed")


def what_finds_all_buffers_full_waits_for_room():
    """Two other peers have taken it up, with messages that have not come to their end."""
    with Listener() as inner, Listener(server_context(ours().server)) as outer:
        relay = Relay(ours().server, "--max-buffered", "2", inner=inner.port, next_hop=outer.port)
        large = request("ACK", 1, body="x" * 900_000, via="TLS")
        holders = []
        for _ in range(2):
            sender = dial_tls(relay.tls_port, ours().client)
            holders.append((sender, inner.accept()))
            sender.send(large[:800_000])
        stack, peer = dial(relay.tcp_port), outer.accept()
        for _ in range(100):  # meanwhile the relay has read it
            stack.send(b"\r\n\r\n")
            stack.octets(2)
        messages = [request("ACK", number, body="y" * 900_000) for number in (2, 3)]
        writer = threading.Thread(target=lambda: [stack.send(one) for one in messages])
        writer.start()
        require(not select.select([peer.sock], [], [], 1.0)[0], "the buffers are not full")
        for sender, reader in holders:
            sender.send(large[800_000:])
            require(reader.message().endswith(b"x" * 900_000), "another message")
        for number in (2, 3):
            got = peer.message()
            require(values(got, "Call-ID") == [f"call-{number}"] and got.endswith(b"y" * 900_000),
                    f"another message: {got[:300]!r}")
        writer.join(PATIENCE)
        require(not relay.events("error") and not relay.events("closed"), "somebody had to go")


def all_rows(report):
    for check in (a_stack_that_does_not_read_holds_its_peer_back,
                  a_peer_that_does_not_read_holds_its_stack_back,
                  a_stack_that_does_not_read_is_given_up_with_its_relay,
                  a_slow_stack_that_resets_frees_its_peer,
                  what_finds_all_buffers_full_waits_for_room):
        report.row(check.__name__.replace("_", " "), check)


if __name__ == "__main__":
    main(__doc__, all_rows)
