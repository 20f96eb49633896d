#!/usr/bin/env python3
"""sipp as caller of siptls-server and as server for siptls-client: 1,000 OPTIONS, none lost.

sipp as Debian builds it speaks TCP alone; stunnel stands before it and does mutual TLS.
"""

import os
import re

from certificates import authority, make_with_siptls
from peers import (CLIENT, SERVER, VERSIONS, Process, check_proof, check_refusal, folder, free_port,
                   main, require, siptls_client, siptls_server, start_listener, tool)

CALLS = 1000
OUTPUT = {"TLS 1.2": "TLSv1.2", "TLS 1.3": "TLSv1.3"}
ACCEPTED = r"Certificate accepted at depth=0: .*CN ?= ?"

SETTINGS = """foreground = yes
syslog = no
debug = info
pid =
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
cert = {credentials.chain}
key = {credentials.key}
CAfile = {credentials.trust}
verifyChain = yes
requireCert = yes
sslVersionMin = {version}
sslVersionMax = {version}
[sip]
client = {client}
accept = 127.0.0.1:{accept}
connect = 127.0.0.1:{connect}
"""
CHECK_SERVER = f"checkHost = {SERVER}\nsni = {SERVER}\n"


def stunnel(role, connect, credentials, version):
    """TLS towards `connect` as client, or before it as server."""
    where = folder("stunnel-run")

    def command(port):
        path = os.path.join(where, "stunnel.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(SETTINGS.format(
                credentials=credentials, version=OUTPUT[version], accept=port, connect=connect,
                client="yes" if role == "client" else "no"))
            if role == "client":
                file.write(CHECK_SERVER)
        return [tool("stunnel4"), path]
    return start_listener(command, "tls")


def sipp_command(scenario, port, calls, *options):
    """One TCP connection; `port` is its own."""
    file = os.path.join(os.path.dirname(os.path.abspath(__file__)), scenario)
    return [tool("sipp"), "-sf", file, "-t", "t1", "-i", "127.0.0.1", "-p", str(port),
            "-ci", "127.0.0.1", "-cp", str(free_port()), "-m", str(calls), "-nostdin",
            "-timeout", "60", "-timeout_error", *options]


def sipp_caller(port, calls, *options):
    return Process(sipp_command("sipp_uac.xml", free_port(), calls, "-r", "5000", "-l", "100",
                                *options, f"127.0.0.1:{port}"))


def check_counters(sipp, calls):
    """The last of its statistics: cumulative value behind the periodic one."""
    require(sipp.finish() == 0, f"sipp ended with status {sipp.child.returncode}")
    for name, expected in (("Successful call", calls), ("Failed call", 0)):
        counted = re.findall(rf"{name} *\| *\d+ *\| *(\d+)", sipp.out)
        require(counted and int(counted[-1]) == expected, f"sipp counts {counted[-1:]} {name}s")


def check_tunnel(tunnel, identity, version):
    tunnel.wait_for_text(ACCEPTED + identity, "accepted certificate")
    tunnel.wait_for_text(rf"{re.escape(OUTPUT[version])} ciphersuite:", "suite")


def sipp_calls(version, key):
    ours = authority(make_with_siptls, key)
    server = siptls_server(ours.server)
    tunnel, port = stunnel("client", server.port, ours.client, version)
    check_counters(sipp_caller(port, CALLS), CALLS)
    check_tunnel(tunnel, SERVER, version)
    check_proof(server, CLIENT, version)
    calls = {event["call_id"] for event in server.events("request", method="OPTIONS")}
    require(len(calls) == CALLS, f"siptls-server saw {len(calls)} calls")
    require(len(server.events("connected")) == 1, "not one connection")
    server.wait_for_event("closed", clean=True)


def sipp_answers(version, key):
    ours = authority(make_with_siptls, key)
    sipp, sipp_port = start_listener(
        lambda port: sipp_command("sipp_uas.xml", port, CALLS), "sip")
    tunnel, port = stunnel("server", sipp_port, ours.server, version)
    client = siptls_client(port, ours.client, "--count", str(CALLS), "--pipeline", "20")
    require(client.finish() == 0, f"siptls-client ended with status {client.child.returncode}")
    calls = {event["call_id"] for event in client.events("response", status=200)}
    require(len(calls) == CALLS, f"siptls-client has answers to {len(calls)} calls")
    require(len(client.events("response")) == CALLS, "more answers than calls")
    check_counters(sipp, CALLS)
    check_tunnel(tunnel, CLIENT, version)
    check_proof(client, SERVER, version)


def sipp_calls_on_many(version):
    """A connection for each call, most of them resumed by stunnel, and each with its own proof."""
    calls = 100
    ours = authority(make_with_siptls, "P-256")
    server = siptls_server(ours.server)
    _, port = stunnel("client", server.port, ours.client, version)
    check_counters(sipp_caller(port, calls, "-t", "tn", "-r", "200", "-max_socket", "200"), calls)
    connected = server.events("connected", version=version, authenticated=True,
                              identities=[CLIENT])
    require(len(connected) == calls, f"{len(connected)} connections are proven, not {calls}")
    resumed = [event for event in connected if event["resumed"]]
    require(0 < len(resumed) < calls, f"{len(resumed)} of {calls} connections are resumed")
    require(len(server.events("request")) == calls, "not every call arrived")


def server_refuses_stunnel(version):
    ours = authority(make_with_siptls, "P-256")
    stranger = authority(make_with_siptls, "P-256", "stranger")
    server = siptls_server(ours.server)
    tunnel, port = stunnel("client", server.port, stranger.client.trusting(ours.client), version)
    sipp_caller(port, 1)
    check_refusal(server, "unknown_ca", "unknown_ca")
    tunnel.wait_for_text("alert unknown ca", "alert")


def stunnel_refuses_server(version):
    ours = authority(make_with_siptls, "P-256")
    stranger = authority(make_with_siptls, "P-256", "stranger")
    server = siptls_server(ours.server)
    tunnel, port = stunnel("client", server.port, ours.client.trusting(stranger.client), version)
    sipp_caller(port, 1)
    check_refusal(server, "peer_rejected_certificate", "unknown_ca")
    tunnel.wait_for_text("certificate verify failed", "refusal")


def client_refuses_stunnel(version):
    ours = authority(make_with_siptls, "P-256")
    stranger = authority(make_with_siptls, "P-256", "stranger")
    tunnel, port = stunnel("server", free_port(), stranger.server.trusting(ours.server), version)
    client = siptls_client(port, ours.client)
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "unknown_ca", "unknown_ca")
    tunnel.wait_for_text("alert unknown ca", "alert")


def stunnel_refuses_client(version):
    ours = authority(make_with_siptls, "P-256")
    stranger = authority(make_with_siptls, "P-256", "stranger")
    tunnel, port = stunnel("server", free_port(), ours.server, version)
    client = siptls_client(port, stranger.client.trusting(ours.client))
    require(client.finish() == 1, f"siptls-client ended with status {client.child.returncode}")
    check_refusal(client, "peer_rejected_certificate", "unknown_ca")
    tunnel.wait_for_text("certificate verify failed", "refusal")


def rows(report):
    report.matrix("sipp calls siptls-server", sipp_calls)
    report.matrix("siptls-client calls sipp", sipp_answers)
    for version in VERSIONS:
        report.row(f"sipp calls siptls-server on many connections, {version}", sipp_calls_on_many,
                   version)
        report.row(f"siptls-server refuses stunnel of another CA, {version}",
                   server_refuses_stunnel, version)
        report.row(f"stunnel refuses siptls-server of another CA, {version}",
                   stunnel_refuses_server, version)
        report.row(f"siptls-client refuses stunnel of another CA, {version}",
                   client_refuses_stunnel, version)
        report.row(f"stunnel refuses siptls-client of another CA, {version}",
                   stunnel_refuses_client, version)


if __name__ == "__main__":
    main(__doc__, rows)
