#!/usr/bin/env python3
"""osip-agent and sipp call each other. sipp as Debian builds it speaks TCP alone; stunnel stands
before it and does mutual TLS."""

import os

from osips import HERE, Agent, callee, check_ended, ours
from peers import (CLIENT, SERVER, Process, check_proof, free_port, main, require,
                   start_listener)
from sipp_peer import check_counters, check_tunnel, sipp_command, stunnel

CALLS = 20


def scenario(name):
    return os.path.join(HERE, "sipp", name + ".xml")


def sipp_calls(name, how, version, *options, calls=CALLS):
    """All calls on one connection; their Contact is where nobody listens."""
    bob = callee(*options)
    tunnel, port = stunnel("client", bob.port, ours().client, version)
    sipp = Process(sipp_command(
        scenario(name), free_port(), calls, "-r", "500", "-l", str(calls), "-key", "contact_port",
        str(free_port()), f"127.0.0.1:{port}"))
    check_counters(sipp, calls)
    check_ended(bob, how, calls)
    check_tunnel(tunnel, SERVER, version)
    check_proof(bob, CLIENT, version)
    require(bob.count("connected") == 1, "not one connection")


def sipp_is_called(name, how, version, *options, calls=CALLS):
    sipp, sipp_port = start_listener(
        lambda port: sipp_command(scenario(name), port, calls), "sip")
    tunnel, port = stunnel("server", sipp_port, ours().server, version)
    alice = Agent(ours().client, "--call", f"sip:bob@{SERVER};transport=tls", "--count",
                  str(calls), *options, names=(f"{SERVER}=127.0.0.1:{port}",))
    alice.check_finish()
    check_counters(sipp, calls)
    check_ended(alice, how, calls)
    check_tunnel(tunnel, CLIENT, version)
    check_proof(alice, SERVER, version)
    require(alice.count("connected") == 1, "not one connection")


def rows(report):
    for version in ("TLS 1.2", "TLS 1.3"):
        report.row(f"sipp calls and hangs up, {version}", sipp_calls, "call", "peer_hung_up",
                   version)
        report.row(f"sipp calls and is hung up on, {version}", sipp_calls, "call_until_bye",
                   "hung_up", version, "--hang-up", "0s")
        report.row(f"sipp cancels, {version}", sipp_calls, "cancel", "cancelled", version,
                   "--ring", "forever")
        report.row(f"sipp is called, {version}", sipp_is_called, "answer", "hung_up", version)
        report.row(f"sipp is called and hangs up, {version}", sipp_is_called, "answer_and_bye",
                   "peer_hung_up", version, "--hang-up", "never")
        report.row(f"sipp is cancelled, {version}", sipp_is_called, "be_cancelled", "cancelled",
                   version, "--cancel-after", "0s")


if __name__ == "__main__":
    main(__doc__, rows)
