#!/usr/bin/env python3
"""GnuTLS's gnutls-cli as caller of siptls-server, and gnutls-serv as server for siptls-client.

gnutls-serv listens on every address and cannot be told otherwise, so everything happens in a
network namespace of its own, which has nothing but a loopback interface.
"""

import ctypes
import fcntl
import os
import re
import socket
import struct
import subprocess

from certificates import authority, make_with_openssl
from peers import (CLIENT, SERVER, VERSIONS, Process, Skipped, check_answer, check_proof,
                   check_refusal, find_message, folder, main, make_answer, make_options, require,
                   siptls_client, siptls_server, start_listener, tool)

OUTPUT = {"TLS 1.2": "TLS1.2", "TLS 1.3": "TLS1.3"}
TRUSTED = "- Status: The certificate is trusted. \n"
REFUSED = r"\*\*\* Received alert \[48\]: CA is unknown"

no_namespace = None  # why there is no namespace of our own


def enter_namespace():
    """Moves this process into a network namespace with only a loopback interface, and lights it."""
    clone_newnet, clone_newuser = 0x40000000, 0x10000000
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    # Root may do it; others may where the system lets them have a user namespace.
    if unshare(clone_newnet) != 0 and unshare(clone_newuser | clone_newnet) != 0:
        return f"no network namespace: {os.strerror(ctypes.get_errno())}"
    siocsifflags, up_and_running = 0x8914, 0x41
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sH14x", b"lo", up_and_running))
    return None


def priority(version):
    return f"NORMAL:-VERS-ALL:+VERS-{OUTPUT[version]}"


def gnutls_cli(port, credentials, version):
    return Process([tool("gnutls-cli"), "--port", str(port), "--priority", priority(version),
                    "--sni-hostname", SERVER, "--verify-hostname", SERVER,
                    "--x509cafile", credentials.trust, "--x509certfile", credentials.chain,
                    "--x509keyfile", credentials.key, "127.0.0.1"], stdin=subprocess.PIPE)


def gnutls_serv(credentials, version):
    if no_namespace:
        raise Skipped(no_namespace)

    def command(port):
        return [tool("gnutls-serv"), "--port", str(port), "--priority", priority(version),
                "--echo", "--require-client-cert", "--verify-client-cert",
                "--x509cafile", credentials.trust, "--x509certfile", credentials.chain,
                "--x509keyfile", credentials.key]
    return start_listener(command, "sip")


def check_summary(peer, identity, version):
    """What GnuTLS prints of a handshake."""
    peer.wait_for_text(r"- Description: \(", "summary of the handshake")
    require(re.search(rf"- Description: \({OUTPUT[version]}[-)]", peer.output),
            "not the row's TLS version")
    require(TRUSTED in peer.output, "GnuTLS did not verify siptls's certificate")
    require(re.search(rf"[Ss]ubject[:` ]+CN={identity}\b", peer.output), "not siptls's name")


def gnutls_cli_calls(version, key):
    ours = authority(make_with_openssl, key)
    server = siptls_server(ours.server)
    caller = gnutls_cli(server.port, ours.client, version)
    caller.wait_for_text("- Simple Client Mode:", "end of the handshake")
    caller.write(make_options("gnutls-cli-1"))
    check_answer(caller.wait_for(lambda: find_message(caller.out, "SIP/2.0 "), "answer"),
                 "gnutls-cli-1")
    caller.end_input()
    require(caller.finish() == 0, f"gnutls-cli ended with status {caller.child.returncode}")
    check_summary(caller, SERVER, version)
    check_proof(server, CLIENT, version)
    require(server.events("request", method="OPTIONS", call_id="gnutls-cli-1"), "no request event")
    server.wait_for_event("closed", clean=True)


def gnutls_serv_answers(version, key):
    """gnutls-serv can only echo, so siptls-client sends the request and then its answer.

    The echo turns a CR LF at the end of what it reads into LF; bodies without it keep the framing.
    """
    ours = authority(make_with_openssl, key)
    peer, port = gnutls_serv(ours.server, version)
    messages = os.path.join(folder("messages"), "messages")
    request = make_options("gnutls-serv-1", body="question")
    with open(messages, "wb") as file:
        file.write(request + make_answer(request.decode(), body="answer"))
    client = siptls_client(port, ours.client, "--file", messages, "--pipeline", "2")
    require(client.finish() == 0, f"siptls-client ended with status {client.child.returncode}")
    check_proof(client, SERVER, version)
    require(client.events("response", status=200, call_id="gnutls-serv-1"), "no answer")
    check_summary(peer, CLIENT, version)
    require(f"- Given server name[1]: {SERVER}" in peer.output, "no server name indication")


def server_refuses_gnutls_cli(version):
    ours = authority(make_with_openssl, "P-256")
    stranger = authority(make_with_openssl, "P-256", "stranger")
    server = siptls_server(ours.server)
    caller = gnutls_cli(server.port, stranger.client.trusting(ours.client), version)
    caller.wait_for_text(REFUSED, "alert")
    require(caller.finish() != 0, "gnutls-cli ended well")
    check_refusal(server, "unknown_ca", "unknown_ca")


def gnutls_cli_refuses_server(version):
    ours = authority(make_with_openssl, "P-256")
    stranger = authority(make_with_openssl, "P-256", "stranger")
    server = siptls_server(ours.server)
    caller = gnutls_cli(server.port, ours.client.trusting(stranger.client), version)
    caller.wait_for_text(r"PKI verification of server certificate failed", "refusal")
    check_refusal(server, "peer_rejected_certificate", "bad_certificate")


def client_refuses_gnutls_serv(version):
    ours = authority(make_with_openssl, "P-256")
    stranger = authority(make_with_openssl, "P-256", "stranger")
    peer, port = gnutls_serv(stranger.server.trusting(ours.server), version)
    client = siptls_client(port, ours.client)
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "unknown_ca", "unknown_ca")
    peer.wait_for_text(r"Error in handshake: ", "end of the handshake")


def gnutls_serv_refuses_client(version):
    ours = authority(make_with_openssl, "P-256")
    stranger = authority(make_with_openssl, "P-256", "stranger")
    peer, port = gnutls_serv(ours.server, version)
    client = siptls_client(port, stranger.client.trusting(ours.client))
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "peer_denied_access", "access_denied")
    peer.wait_for_text(r"Error in handshake: Error in the certificate", "refusal")


def rows(report):
    global no_namespace
    no_namespace = enter_namespace()
    report.matrix("gnutls-cli calls siptls-server", gnutls_cli_calls)
    report.matrix("siptls-client calls gnutls-serv", gnutls_serv_answers)
    for version in VERSIONS:
        report.row(f"siptls-server refuses gnutls-cli of another CA, {version}",
                   server_refuses_gnutls_cli, version)
        report.row(f"gnutls-cli refuses siptls-server of another CA, {version}",
                   gnutls_cli_refuses_server, version)
        report.row(f"siptls-client refuses gnutls-serv of another CA, {version}",
                   client_refuses_gnutls_serv, version)
        report.row(f"gnutls-serv refuses siptls-client of another CA, {version}",
                   gnutls_serv_refuses_client, version)


if __name__ == "__main__":
    main(__doc__, rows)
