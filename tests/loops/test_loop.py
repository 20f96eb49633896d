"""One server of examples/loops: mutual TLS, whole and broken messages, and a clean end.

test_loop.py BIN LOOP
"""

import os
import re
import signal
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "house"))
import common

PATIENCE = 60.0
REQUEST = ("OPTIONS sip:server.example SIP/2.0\r\n"
           "Via: SIP/2.0/TLS client.example;branch=z9hG4bK{0}\r\n"
           "From: <sip:client.example>;tag=a\r\n"
           "To: <sip:server.example>\r\n"
           "Call-ID: {0}@client.example\r\n"
           "CSeq: {0} OPTIONS\r\n"
           "Max-Forwards: 70\r\n"
           "Content-Length: 0\r\n\r\n")


def credentials(folder, identity):
    return os.path.join(folder, identity)


def ask(tools, address, folder, *more):
    """siptls-client against the server."""
    return common.run([os.path.join(tools, "siptls-client"), "--connect", address, "--domain",
                       "server.example", "--credentials", folder, *more], PATIENCE)


def connect(address, folder):
    """A connection of OpenSSL's."""
    context = ssl.create_default_context(cafile=os.path.join(folder, "CAList.pem"))
    context.load_cert_chain(os.path.join(folder, "publickey.pem"),
                            os.path.join(folder, "privateKey.pem"))
    host, port = address.rsplit(":", 1)
    plain = socket.create_connection((host, int(port)), PATIENCE)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="server.example")


def read_responses(connection, count):
    """What comes until `count` messages without body are there."""
    text = b""
    while text.count(b"\r\n\r\n") < count:
        piece = connection.recv(65536)
        if not piece:
            common.fail(f"the connection ended after {text!r}")
        text += piece
    return text.decode("ascii")


def check_exchanges(tools, address, folder):
    """Requests one by one and in flocks; a client that proves nothing gets no answer."""
    trusted = credentials(folder, "client.example")
    for more in ((), ("--count", "200", "--pipeline", "50")):
        done = ask(tools, address, trusted, *more)
        wanted = int(more[1]) if more else 1
        if done.returncode != 0 or done.stdout.count("SIP/2.0 200 OK") != wanted:
            common.fail(f"siptls-client {more} ended with {done.returncode}:\n{done.stdout}")
    common.make_pki(tools, os.path.join(folder, "other"))
    stranger = credentials(os.path.join(folder, "other"), "client.example")
    done = common.run([os.path.join(tools, "siptls-client"), "--connect", address, "--domain",
                       "server.example", "--key", os.path.join(stranger, "privateKey.pem"),
                       "--cert", os.path.join(stranger, "publickey.pem"), "--ca",
                       os.path.join(trusted, "CAList.pem")], PATIENCE)
    if done.returncode != 1 or "200 OK" in done.stdout or \
            not re.search("^error: peer_rejected_certificate", done.stdout, re.MULTILINE):
        common.fail(f"a stranger was let in ({done.returncode}):\n{done.stdout}")


def check_pieces(connection):
    """A request in pieces, each in a record of its own, and many requests in one record."""
    octets = REQUEST.format(1).encode("ascii")
    for begin in range(0, len(octets), 97):
        connection.sendall(octets[begin:begin + 97])
    flock = "".join(REQUEST.format(number) for number in range(2, 30))
    connection.sendall(flock.encode("ascii"))
    text = read_responses(connection, 29)
    found = [int(number) for number in re.findall(r"^CSeq: (\d+) OPTIONS\r$", text, re.MULTILINE)]
    if found != list(range(1, 30)):
        common.fail(f"the responses are to {found}:\n{text}")


def wait_for_handler(process):
    """Returns when the process blocks or catches SIGTERM."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with open(f"/proc/{process}/status", encoding="ascii") as file:
            masks = re.findall(r"^Sig(?:Blk|Cgt):\s*([0-9a-f]+)$", file.read(), re.MULTILINE)
        if any(int(mask, 16) >> (signal.SIGTERM - 1) & 1 for mask in masks):
            return
        time.sleep(0.005)
    common.fail("the server does nothing about SIGTERM")


def main():
    tools, loop = sys.argv[1:3]
    with common.temporary_folder() as folder:
        common.make_pki(tools, folder)
        command = [os.path.join(tools, f"siptls-echo-{loop}"),
                   credentials(folder, "server.example"), "127.0.0.1:0"]
        with common.Server(command, folder) as server:
            check_exchanges(tools, server.address, folder)
            connection = connect(server.address, credentials(folder, "client.example"))
            check_pieces(connection)
            # At its end one peer is connected, and one has not begun its handshake.
            host, port = server.address.rsplit(":", 1)
            silent = socket.create_connection((host, int(port)), PATIENCE)
            server.process.terminate()
            if connection.recv(1) != b"":
                common.fail("something came behind the last response")
            connection.unwrap().close()  # fails unless close_notify came
            silent.close()
            status = server.process.wait(PATIENCE)  # told once: the signal is not handled twice
            log = server.log()
        if status != 0 or "error" in log:
            common.fail(f"the server ended with {status}:\n{log}")
        with common.Server(command, folder) as server:
            wait_for_handler(server.process.pid)
            if server.stop() != 0:
                common.fail(f"without connections it ended with {server.process.returncode}")
    print(f"{loop}: 1 + 200 + 29 requests answered, a stranger refused, a clean end")


if __name__ == "__main__":
    main()
