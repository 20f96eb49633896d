"""What the tests of siptls-relay have in common: relays, and both kinds of their neighbours."""

import os
import re
import socket
import ssl
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../peers"))

import peers  # noqa: E402
from certificates import authority, make_with_siptls  # noqa: E402
from peers import (PATIENCE, Failed, Process, Skipped, Tool, folder, free_port,  # noqa: E402,F401
                   is_listening, main, require, run, siptls_client, siptls_server, start_listener,
                   tool, wait_until)

LONG = "--long" in sys.argv  # the rows that take long, too
if LONG:
    sys.argv.remove("--long")

A = peers.CLIENT  # the proven name of the side that calls
B = peers.SERVER  # of the side that is called
HEADER = "Siptls-Identity"


def proven(identity):
    """What the relay says of a peer with a certificate of these tests."""
    return f"{identity};source=sip_uri"


def ours():
    return authority(make_with_siptls, "P-256")


class Relay(Tool):
    """siptls-relay with what listens on a port of the kernel's choice."""

    def __init__(self, credentials, *options, inner=None, listen=0, next_hop=None, domain=B):
        line = ["--credentials", credentials.folder, *options]
        if inner is not None:
            line += ["--listen", f"127.0.0.1:{listen}", "--inner", f"127.0.0.1:{inner}"]
        if next_hop is not None:
            line += ["--inner-listen", "127.0.0.1:0", "--next-hop", f"127.0.0.1:{next_hop}",
                     "--domain", domain]
        super().__init__("siptls-relay", *line)
        if inner is not None:
            self.tls_port = self.wait_for_event("listening", side="outer")["port"]
        if next_hop is not None:
            self.tcp_port = self.wait_for_event("listening", side="inner")["port"]

    def check_end(self):
        require(self.child.returncode == 0,
                f"siptls-relay ended with status {self.child.returncode}")

    def failed(self, reason):
        return self.wait_for_event("error", reason=reason)


def relay_pair(inner_a, inner_b):
    """Two relays, each the next hop of the other, before the stacks on these ports."""
    for attempt in range(3):
        port = free_port()  # another program may take it meanwhile
        a = Relay(ours().client, inner=inner_a, next_hop=port, domain=B)
        try:
            b = Relay(ours().server, inner=inner_b, listen=port, next_hop=a.tls_port, domain=A)
            return a, b
        except Failed:
            a.stop()
            if attempt == 2:
                raise


# --- Neighbours -------------------------------------------------------------------------------


class Connection:
    """One end of a TCP or TLS connection that carries SIP."""

    def __init__(self, sock):
        sock.settimeout(PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.received = sock, b""

    def send(self, octets):
        self.sock.sendall(octets)

    def _more(self):
        try:
            octets = self.sock.recv(65536)
        except TimeoutError:
            raise Failed(f"nothing came within {PATIENCE:g} s; before: {self.received!r}") from None
        self.received += octets
        return octets != b""

    def message(self):
        """The next whole message."""
        while b"\r\n\r\n" not in self.received:
            require(self._more(), f"the stream ended inside a message: {self.received!r}")
        head, rest = self.received.split(b"\r\n\r\n", 1)
        size = int(re.search(rb"(?mi)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", head).group(1))
        while len(rest) < size:
            require(self._more(), f"the stream ended inside a message: {self.received!r}")
            rest = self.received.split(b"\r\n\r\n", 1)[1]
        whole = head + b"\r\n\r\n" + rest[:size]
        self.received = self.received[len(whole):]
        return whole

    def octets(self, count):
        while len(self.received) < count:
            require(self._more(), f"the stream ended after {self.received!r}")
        found, self.received = self.received[:count], self.received[count:]
        return found

    def until_end(self):
        """What comes until the stream ends; a reset is an end too."""
        try:
            while self._more():
                pass
        except (ConnectionError, ssl.SSLError):
            pass
        found, self.received = self.received, b""
        return found

    def shut_down(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    @property
    def port(self):
        return self.sock.getsockname()[1]


class Listener:
    """Accepts TCP, or TLS with `context`."""

    def __init__(self, context=None, receive_buffer=None):
        self.context = context
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen()
        self.sock.settimeout(PATIENCE)
        self.port = self.sock.getsockname()[1]

    def accept(self):
        try:
            accepted = self.sock.accept()[0]
        except TimeoutError:
            raise Failed(f"nobody connected within {PATIENCE:g} s") from None
        accepted.settimeout(PATIENCE)
        if self.context:
            accepted = self.context.wrap_socket(accepted, server_side=True)
        return Connection(accepted)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def dial(port):
    return Connection(socket.create_connection(("127.0.0.1", port), PATIENCE))


def server_context(credentials):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credentials.chain, credentials.key)
    context.load_verify_locations(credentials.trust)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def dial_tls(port, credentials, show_certificate=True):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(credentials.trust)
    if show_certificate:
        context.load_cert_chain(credentials.chain, credentials.key)
    return Connection(context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), PATIENCE)))


# --- Messages ---------------------------------------------------------------------------------


def request(method, number, more="", body="", via="TCP", hops="Max-Forwards: 70\r\n"):
    return (f"{method} sip:bob@{B} SIP/2.0\r\n"
            f"Via: SIP/2.0/{via} host.example;branch=z9hG4bK-{number}\r\n{hops}"
            f"From: <sip:alice@{A}>;tag=1\r\nTo: <sip:bob@{B}>\r\nCall-ID: call-{number}\r\n"
            f"CSeq: {number} {method}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}").encode()


def rows(message):
    """Name in lower case and value of each row, as a lenient stack might read them."""
    head = message.split(b"\r\n\r\n", 1)[0].decode("latin-1")
    lines = re.split(r"\r\n|\n|\r", re.sub(r"(\r\n|\n|\r)[ \t]+", " ", head))
    split = [line.partition(":") for line in lines[1:]]
    return [(name.strip(" \t\0").lower(), value.strip()) for name, _, value in split]


def values(message, name):
    return [value for found, value in rows(message) if found == name.lower()]


def answer(to, status="200 OK", more=""):
    """A response to `to`: its Vias, From, To, Call-ID and CSeq as they came."""
    head = to.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")[1:]
    kept = [row for row in head
            if row.split(":")[0].strip().lower() in
            ("via", "v", "from", "to", "call-id", "cseq", "record-route")]
    return (f"SIP/2.0 {status}\r\n" + "".join(row + "\r\n" for row in kept) + more +
            "Content-Length: 0\r\n\r\n").encode("latin-1")
