#!/usr/bin/env python3
"""Kamailio as server for siptls-client and, relaying with t_relay, as client of siptls-server."""

import os
import re
import socket
import time

import peers
from certificates import authority, make_with_siptls
from peers import (CLIENT, SERVER, Failed, Skipped, check_answer, check_proof, check_refusal,
                   folder, header, main, make_options, require, siptls_client, siptls_server,
                   start_listener, tool)

# Kamailio 5.6 knows no exact TLS 1.3; with a floor of 1.2 both sides take their best.
METHODS = {"TLS 1.2": "TLSv1.2", "TLS 1.3": "TLSv1.2+"}
OUTPUT = {"TLS 1.2": "TLSv1.2", "TLS 1.3": "TLSv1.3"}

DOMAIN = """[{role}:default]
method = {method}
verify_certificate = yes
require_certificate = yes
private_key = {credentials.key}
certificate = {credentials.chain}
ca_list = {credentials.trust}
"""


def kamailio(credentials, version, config=None):
    """Starts it with the same credentials in both roles; its port serves TLS and UDP."""
    where = folder("kamailio-run")
    config = config or os.path.join(os.path.dirname(__file__), "kamailio.cfg")
    with open(config, encoding="ascii") as file:
        template = file.read()
    with open(os.path.join(where, "tls.cfg"), "w", encoding="ascii") as file:
        for role in ("server", "client"):
            file.write(DOMAIN.format(role=role, method=METHODS[version], credentials=credentials))

    def command(port):
        path = os.path.join(where, "kamailio.cfg")
        with open(path, "w", encoding="ascii") as file:
            file.write(template.replace("@PORT@", str(port)).replace("@FOLDER@", where))
        return [tool("kamailio"), "-DD", "-E", "-f", path, "-m", "64", "-M", "8", "-w", where,
                "-Y", where, "-P", os.path.join(where, "pid")]
    try:
        return start_listener(command, "sip")
    except Failed as failure:
        if "could not find module <tls" in str(failure):
            raise Skipped("Kamailio's TLS modules are not installed") from None
        raise


def check_account(peer, role, identity, version, call_id):
    """Kamailio's own log line of a request that it answered or whose answer it relayed."""
    peer.wait_for_text(rf"{role} {re.escape(OUTPUT[version])} verified=1 "
                       rf"sip:{identity} {re.escape(call_id)}\b", f"{role} log line")


def ask_over_udp(port, target_port, call_id):
    """Sends Kamailio a request for 127.0.0.1:target_port over TLS; gives the final answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        request = make_options(call_id, f"sip:relay@127.0.0.1:{target_port};transport=tls", "UDP",
                               f"127.0.0.1:{udp.getsockname()[1]}")
        deadline = time.monotonic() + peers.PATIENCE
        resend = 0.0
        udp.settimeout(0.1)
        while time.monotonic() < deadline:
            if time.monotonic() > resend:  # UDP: the children of Kamailio may not read yet
                udp.sendto(request, ("127.0.0.1", port))
                resend = time.monotonic() + 0.5
            try:
                answer = udp.recv(65536).decode()
            except TimeoutError:
                continue
            if not answer.startswith("SIP/2.0 1"):
                return answer
    raise Failed("no final answer from Kamailio")


def kamailio_answers(version, key):
    ours = authority(make_with_siptls, key)
    peer, port = kamailio(ours.server, version)
    client = siptls_client(port, ours.client)
    require(client.finish() == 0, f"siptls-client ended with status {client.child.returncode}")
    check_proof(client, SERVER, version)
    answers = client.events("response", status=200)
    require(len(answers) == 1, "not one answer")
    check_account(peer, "CALLER", CLIENT, version, answers[0]["call_id"])


def kamailio_relays(version, key):
    ours = authority(make_with_siptls, key)
    server = siptls_server(ours.server)
    peer, port = kamailio(ours.client, version)
    answer = ask_over_udp(port, server.port, "kamailio-relays-1")
    check_answer(answer, "kamailio-relays-1")
    require(len(re.findall(r"(?m)^Via:", answer)) == 1, f"not one Via in {answer}")
    require(";tag=" in header(answer, "To"), "the answer's To has no tag of siptls-server")
    check_proof(server, CLIENT, version)
    require(server.events("request", method="OPTIONS", call_id="kamailio-relays-1"),
            "no request event")
    check_account(peer, "CALLED", SERVER, version, "kamailio-relays-1 200")


def kamailio_between(version):
    """TLS on both sides of the proxy: siptls-client, Kamailio, siptls-server."""
    ours = authority(make_with_siptls, "P-256")
    server = siptls_server(ours.client)
    peer, port = kamailio(ours.server, version)
    client = siptls_client(port, ours.client, "--options",
                           f"sip:relay@127.0.0.1:{server.port};transport=tls")
    require(client.finish() == 0, f"siptls-client ended with status {client.child.returncode}")
    check_proof(client, SERVER, version)
    check_proof(server, SERVER, version)
    answers = client.events("response", status=200)
    require(len(answers) == 1, "not one answer")
    require(server.events("request", call_id=answers[0]["call_id"]), "no request event")
    check_account(peer, "CALLED", CLIENT, version, answers[0]["call_id"] + " 200")


def kamailio_refuses_client():
    ours = authority(make_with_siptls, "P-256")
    stranger = authority(make_with_siptls, "P-256", "stranger")
    peer, port = kamailio(ours.server, "TLS 1.3")
    client = siptls_client(port, stranger.client.trusting(ours.client))
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "peer_rejected_certificate", "unknown_ca")
    peer.wait_for_text("TLS accept:.*certificate verify failed", "refusal")
    require("CALLER" not in peer.output, "Kamailio took the request")


def client_refuses_kamailio():
    ours = authority(make_with_siptls, "P-256")
    stranger = authority(make_with_siptls, "P-256", "stranger")
    peer, port = kamailio(stranger.server.trusting(ours.server), "TLS 1.3")
    client = siptls_client(port, ours.client)
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "unknown_ca", "unknown_ca")
    peer.wait_for_text("TLS accept:.*alert unknown ca", "alert")


def server_refuses_kamailio():
    ours = authority(make_with_siptls, "P-256")
    stranger = authority(make_with_siptls, "P-256", "stranger")
    server = siptls_server(ours.server)
    peer, port = kamailio(stranger.client.trusting(ours.client), "TLS 1.3")
    answer = ask_over_udp(port, server.port, "kamailio-refused-1")
    require(not answer.startswith("SIP/2.0 2"), f"Kamailio was answered: {answer}")
    check_refusal(server, "unknown_ca", "unknown_ca")
    peer.wait_for_text("alert unknown ca", "alert")


def kamailio_refuses_server():
    ours = authority(make_with_siptls, "P-256")
    stranger = authority(make_with_siptls, "P-256", "stranger")
    server = siptls_server(stranger.server.trusting(ours.server))
    peer, port = kamailio(ours.client, "TLS 1.3")
    answer = ask_over_udp(port, server.port, "kamailio-refuses-1")
    require(not answer.startswith("SIP/2.0 2"), f"Kamailio was answered: {answer}")
    check_refusal(server, "peer_rejected_certificate", "unknown_ca")
    peer.wait_for_text("certificate verify failed", "refusal")


def rows(report):
    report.matrix("siptls-client calls Kamailio", kamailio_answers)
    report.matrix("Kamailio relays to siptls-server", kamailio_relays)
    for version in peers.VERSIONS:
        report.row(f"Kamailio relays from siptls-client to siptls-server, {version}",
                   kamailio_between, version)
    report.row("Kamailio refuses siptls-client of another CA", kamailio_refuses_client)
    report.row("siptls-client refuses Kamailio of another CA", client_refuses_kamailio)
    report.row("siptls-server refuses Kamailio of another CA", server_refuses_kamailio)
    report.row("Kamailio refuses siptls-server of another CA", kamailio_refuses_server)


if __name__ == "__main__":
    main(__doc__, rows)
