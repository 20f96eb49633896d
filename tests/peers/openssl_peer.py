#!/usr/bin/env python3
"""OpenSSL's s_client as caller of siptls-server, and its s_server as server for siptls-client."""

import os
import re
import subprocess

from certificates import authority, make_with_openssl
from peers import (CLIENT, SERVER, VERSIONS, Process, check_answer, check_proof, check_refusal,
                   find_message, folder, header, main, make_answer, make_options, require, siptls_client,
                   siptls_server, start_listener, tool)

OPTIONS = {"TLS 1.2": "-tls1_2", "TLS 1.3": "-tls1_3"}
OUTPUT = {"TLS 1.2": "TLSv1.2", "TLS 1.3": "TLSv1.3"}
ALERT_48 = r"alert unknown ca.*SSL alert number 48"
ALERT_40 = r"alert handshake failure.*SSL alert number 40"
ALERT_42 = r"alert bad certificate.*SSL alert number 42"
SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")


# s_client and s_server read this where their command lines have no such option.
WITHOUT_EXTENDED_MASTER_SECRET = """openssl_conf = all
[all]
ssl_conf = tls
[tls]
system_default = defaults
[defaults]
Options = -ExtendedMasterSecret
"""


def without_extended_master_secret():
    """The environment of an OpenSSL that does without RFC 7627."""
    path = os.path.join(folder("openssl"), "openssl.cnf")
    with open(path, "w", encoding="ascii") as file:
        file.write(WITHOUT_EXTENDED_MASTER_SECRET)
    return {"OPENSSL_CONF": path}


def s_client(port, credentials, version, *options, environment=None):
    return Process([tool("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-brief",
                    OPTIONS[version], "-servername", SERVER, "-verify_hostname", SERVER,
                    "-verify_return_error", "-CAfile", credentials.trust,
                    "-cert", credentials.chain, "-cert_chain", credentials.issuers,
                    "-key", credentials.key, *options], environment, stdin=subprocess.PIPE)


def s_server(credentials, version, environment=None):
    def command(port):
        return [tool("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-brief",
                OPTIONS[version], "-Verify", "4", "-verify_return_error",
                "-CAfile", credentials.trust, "-cert", credentials.chain,
                "-cert_chain", credentials.issuers, "-key", credentials.key]
    return start_listener(command, "sip", environment=environment, stdin=subprocess.PIPE)


def check_summary(peer, identity, version):
    """What -brief prints of a handshake."""
    peer.wait_for_text(r"Verification: ", "summary of the handshake")
    require(f"Protocol version: {OUTPUT[version]}\n" in peer.err, "not the row's TLS version")
    require("Verification: OK\n" in peer.err, "OpenSSL did not verify siptls's certificate")
    require(re.search(rf"Peer certificate: CN ?= ?{identity}\n", peer.err), "not siptls's name")


def s_client_calls(version, key):
    ours = authority(make_with_openssl, key)
    server = siptls_server(ours.server)
    caller = s_client(server.port, ours.client, version)
    caller.write(make_options("s-client-1"))
    check_answer(caller.wait_for(lambda: find_message(caller.out, "SIP/2.0 "), "answer"),
                 "s-client-1")
    caller.end_input()
    require(caller.finish() == 0, f"s_client ended with status {caller.child.returncode}")
    check_summary(caller, SERVER, version)
    require(f"Verified peername: {SERVER}\n" in caller.err, "s_client did not match the name")
    check_proof(server, CLIENT, version)
    require(server.events("request", method="OPTIONS", call_id="s-client-1"), "no request event")
    server.wait_for_event("closed", clean=True)


def s_server_answers(version, key):
    ours = authority(make_with_openssl, key)
    peer, port = s_server(ours.server, version)
    client = siptls_client(port, ours.client)
    request = peer.wait_for(lambda: find_message(peer.out, "OPTIONS "), "request")
    peer.write(make_answer(request))
    require(client.finish() == 0, f"siptls-client ended with status {client.child.returncode}")
    check_proof(client, SERVER, version)
    require(len(client.events("response", status=200)) == 1, "not one answer")
    require(client.events("response")[0]["call_id"] == header(request, "Call-ID"),
            "the answer has another Call-ID")
    check_summary(peer, CLIENT, version)


def s_client_offers(suite):
    """A TLS 1.3 suite that cannot be chosen on our side."""
    ours = authority(make_with_openssl, "P-256")
    server = siptls_server(ours.server)
    caller = s_client(server.port, ours.client, "TLS 1.3", "-ciphersuites", suite)
    caller.write(make_options("s-client-2"))
    check_answer(caller.wait_for(lambda: find_message(caller.out, "SIP/2.0 "), "answer"),
                 "s-client-2")
    require(f"Ciphersuite: {suite}\n" in caller.err, "not the row's suite")
    require(server.events("connected", suite=suite), "siptls-server tells of another suite")


def client_refuses_name(version):
    ours = authority(make_with_openssl, "P-256")
    peer, port = s_server(ours.client, version)  # a good certificate, of somebody else
    client = siptls_client(port, ours.client)
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "identity_mismatch", "bad_certificate")
    peer.wait_for_text(ALERT_42, "alert")


def server_refuses_s_client(version):
    ours = authority(make_with_openssl, "P-256")
    stranger = authority(make_with_openssl, "P-256", "stranger")
    server = siptls_server(ours.server)
    caller = s_client(server.port, stranger.client.trusting(ours.client), version)
    caller.wait_for_text(ALERT_48, "alert")
    require(caller.finish() != 0, "s_client ended well")
    check_refusal(server, "unknown_ca", "unknown_ca")


def s_client_refuses_server(version):
    ours = authority(make_with_openssl, "P-256")
    stranger = authority(make_with_openssl, "P-256", "stranger")
    server = siptls_server(ours.server)
    caller = s_client(server.port, ours.client.trusting(stranger.client), version)
    caller.wait_for_text(r"certificate verify failed", "refusal")
    check_refusal(server, "peer_rejected_certificate", "unknown_ca")


def client_refuses_s_server(version):
    ours = authority(make_with_openssl, "P-256")
    stranger = authority(make_with_openssl, "P-256", "stranger")
    peer, port = s_server(stranger.server.trusting(ours.server), version)
    client = siptls_client(port, ours.client)
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "unknown_ca", "unknown_ca")
    peer.wait_for_text(ALERT_48, "alert")


def s_server_refuses_client(version):
    ours = authority(make_with_openssl, "P-256")
    stranger = authority(make_with_openssl, "P-256", "stranger")
    peer, port = s_server(ours.server, version)
    client = siptls_client(port, stranger.client.trusting(ours.client))
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "peer_rejected_certificate", "unknown_ca")
    peer.wait_for_text(r"certificate verify failed", "refusal")


def server_wants_extended_master_secret():
    ours = authority(make_with_openssl, "P-256")
    server = siptls_server(ours.server)
    caller = s_client(server.port, ours.client, "TLS 1.2",
                      environment=without_extended_master_secret())
    caller.wait_for_text(ALERT_40, "alert")
    require(caller.finish() != 0, "s_client ended well")
    check_refusal(server, "extended_master_secret_missing", "handshake_failure")


def client_wants_extended_master_secret():
    ours = authority(make_with_openssl, "P-256")
    peer, port = s_server(ours.server, "TLS 1.2", without_extended_master_secret())
    client = siptls_client(port, ours.client)
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "extended_master_secret_missing", "handshake_failure")
    peer.wait_for_text(ALERT_40, "alert")


def rows(report):
    report.matrix("s_client calls siptls-server", s_client_calls)
    report.matrix("siptls-client calls s_server", s_server_answers)
    for suite in SUITES:
        report.row(f"s_client offers {suite} alone", s_client_offers, suite)
    for version in VERSIONS:
        report.row(f"siptls-server refuses s_client of another CA, {version}",
                   server_refuses_s_client, version)
        report.row(f"s_client refuses siptls-server of another CA, {version}",
                   s_client_refuses_server, version)
        report.row(f"siptls-client refuses s_server of another CA, {version}",
                   client_refuses_s_server, version)
        report.row(f"s_server refuses siptls-client of another CA, {version}",
                   s_server_refuses_client, version)
        report.row(f"siptls-client refuses s_server of another name, {version}",
                   client_refuses_name, version)
    report.row("siptls-server refuses s_client without the extended master secret",
               server_wants_extended_master_secret)
    report.row("siptls-client refuses s_server without the extended master secret",
               client_wants_extended_master_secret)


if __name__ == "__main__":
    main(__doc__, rows)
