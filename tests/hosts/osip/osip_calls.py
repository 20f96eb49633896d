#!/usr/bin/env python3
"""Two osip-agents call each other: INVITE, ACK, BYE, CANCEL and OPTIONS, and what goes wrong."""

import os
import signal
import socket

import osips
from osips import Agent, callee, caller, check_ended, ours, refusing_port
from peers import CLIENT, SERVER, Process, Skipped, check_refusal, main, require
from certificates import authority, make_with_siptls


def check_one_connection(agent, role, identity):
    """Whatever went to and fro: one connection, and the peer proven on it."""
    require(agent.count("connected") == 1, f"{agent.count('connected')} connections")
    connected = agent.events("connected", role=role, identities=[identity], authenticated=True)
    require(connected, f"not the connection that was expected: {agent.events('connected')}")


def the_caller_hangs_up(scheme):
    bob = callee()
    alice = caller(bob.port, scheme=scheme)
    alice.check_finish()
    check_ended(alice, "hung_up")
    check_ended(bob, "peer_hung_up")
    statuses = [event["status"] for event in alice.events("response")]
    require(statuses == [180, 200, 200], f"the caller got {statuses}")
    methods = [event["method"] for event in bob.events("request")]
    require(methods == ["INVITE", "ACK", "BYE"], f"the callee got {methods}")
    check_one_connection(alice, "client", SERVER)
    check_one_connection(bob, "server", CLIENT)
    require(bob.wait_for_event("closed")["clean"], "the connection did not end cleanly")


def the_callee_hangs_up():
    """Its BYE takes the caller's connection (RFC 5923), and no second one."""
    bob = callee("--hang-up", "0s")
    alice = caller(bob.port, "--hang-up", "never")
    alice.check_finish()
    check_ended(alice, "peer_hung_up")
    check_ended(bob, "hung_up")
    require(bob.count("response", method="BYE", status=200) == 1, "the BYE has no answer")
    check_one_connection(alice, "client", SERVER)
    check_one_connection(bob, "server", CLIENT)


def many_calls():
    bob = callee()
    alice = caller(bob.port, "--count", "200")
    alice.check_finish()
    check_ended(alice, "hung_up", 200)
    check_ended(bob, "peer_hung_up", 200)
    check_one_connection(alice, "client", SERVER)


def a_call_is_cancelled():
    bob = callee("--ring", "forever")
    alice = caller(bob.port, "--cancel-after", "0s")
    alice.check_finish()
    check_ended(alice, "cancelled")
    check_ended(bob, "cancelled")
    require(alice.count("response", method="INVITE", status=487) == 1, "no 487")
    require(alice.count("response", method="CANCEL", status=200) == 1, "no 200 to the CANCEL")
    require(not alice.events("answered") and not bob.events("answered"), "it was answered")


def nobody_answers():
    """--timeout cancels as well."""
    bob = callee("--ring", "forever")
    alice = caller(bob.port, "--timeout", "50ms")
    alice.check_finish()
    check_ended(alice, "cancelled")
    check_ended(bob, "cancelled")


def a_call_is_refused():
    bob = callee("--reject", "486")
    alice = caller(bob.port, status=1)
    alice.check_finish()
    check_ended(alice, "refused")
    require(alice.count("response", method="INVITE", status=486) == 1, "no 486")


def options_are_answered():
    bob = callee()
    alice = Agent(ours().client, "--options", f"sips:{SERVER}:{bob.port}", "--count", "50")
    alice.check_finish()
    require(alice.count("response", method="OPTIONS", status=200) == 50, "not 50 answers")
    require(bob.count("request", method="OPTIONS") == 50, "not 50 requests")


def both_call_at_once():
    """An agent that calls is called too."""
    bob = callee()
    alice = caller(bob.port, "--hang-up", "never")
    alice.wait_for_event("answered")
    carol = Agent(ours().client, "--call", f"sip:alice@{CLIENT}:{alice.port};transport=tls")
    carol.check_finish()
    check_ended(carol, "hung_up")
    check_ended(alice, "peer_hung_up")


def calls_over_ipv6():
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        raise Skipped("there is no IPv6")
    ipv6 = dict(listen="[::1]:0", names=(f"{SERVER}=[::1]", f"{CLIENT}=[::1]"))
    bob = callee("--hang-up", "0s", **ipv6)
    alice = caller(bob.port, "--hang-up", "never", **ipv6)
    alice.check_finish()
    check_ended(alice, "peer_hung_up")
    check_one_connection(bob, "server", CLIENT)


def a_signal_ends_an_open_call(stopped):
    bob = callee()
    alice = caller(bob.port, "--hang-up", "never")
    bob.wait_for_event("request", method="ACK")
    alice.wait_for_event("answered")
    agents = {"caller": (alice, bob), "callee": (bob, alice)}[stopped]
    os.kill(agents[0].child.pid, signal.SIGTERM)
    agents[0].check_finish()
    check_ended(agents[0], "hung_up")
    check_ended(agents[1], "peer_hung_up")
    require(agents[0].wait_for_event("closed")["clean"], "the connection did not end cleanly")


def a_signal_ends_a_call_that_rings(stopped):
    """The caller's by CANCEL; the callee's by 480, and the caller has failed to reach it."""
    bob = callee("--ring", "forever")
    alice = caller(bob.port, status=0 if stopped == "caller" else 1)
    alice.wait_for_event("response", status=180)
    if stopped == "caller":
        os.kill(alice.child.pid, signal.SIGTERM)
        alice.check_finish()
        check_ended(alice, "cancelled")
        check_ended(bob, "cancelled")
    else:
        os.kill(bob.child.pid, signal.SIGTERM)
        bob.check_finish()
        alice.check_finish()
        check_ended(alice, "refused")
        require(alice.count("response", method="INVITE", status=480) == 1, "no 480")


def the_domain_is_not_proven():
    bob = callee()
    alice = Agent(ours().client, "--call", f"sip:bob@other.example:{bob.port};transport=tls",
                  names=("other.example",), status=1)
    alice.check_finish()
    check_refusal(alice, "identity_mismatch", "bad_certificate")
    require("expected other.example; presented sip:server.example" in alice.err,
            f"it does not say what was expected and found: {alice.err}")
    check_ended(alice, "failed")
    bob.wait_for_event("error", reason="peer_rejected_certificate")
    require(not bob.events("request"), "the callee got the request")


def a_stranger_calls():
    stranger = authority(make_with_siptls, "P-256", "stranger")
    bob = callee()
    alice = Agent(stranger.client.trusting(ours().client), "--call",
                  f"sip:bob@{SERVER}:{bob.port};transport=tls", status=1)
    alice.check_finish()
    check_refusal(bob, "unknown_ca", "unknown_ca")
    check_refusal(alice, "peer_rejected_certificate", "unknown_ca")
    check_ended(alice, "failed")


def nobody_listens():
    with refusing_port() as port:
        alice = caller(port, status=1)
        alice.check_finish()
    require(alice.events("error", reason="connection_refused"), "no connection_refused")
    check_ended(alice, "failed")


def the_command_line():
    path = os.path.join(osips.peers.arguments.bin, "osip-agent")

    def status(*options):
        ended = Process([path, *options])
        return ended.finish(), ended
    code, told = status("--help")
    require(code == 0 and "--cancel-after" in told.out and not told.err, "--help")
    good = ("--listen", "127.0.0.1:0", "--credentials", ours().client.folder)
    for wrong in (("--listen", "here"), ("--credentials", ours().client.folder), ("--unknown",),
                  good + ("--ring", "soon"), good + ("--resolve", "name"), good + ("operand",),
                  good + ("--reject", "200"),
                  good + ("--call", "sip:a", "--options", "sip:a")):
        code, told = status("--json", *wrong)
        require(code == 2, f"{wrong}: status {code}")
        require(told.err.startswith("error: invalid_argument: ") and '"error"' in told.out,
                f"{wrong}: {told.output}")
    code, told = status("--listen", "127.0.0.1:0", "--credentials", "/nonexistent")
    require(code == 1 and told.err.startswith("error: file_not_found: "), f"{told.output}")
    code, told = status(*good, "--call", "sip:bob@unknown.example")
    require(code == 1 and "unknown.example" in told.err, f"a name without address: {told.output}")


def rows(report):
    for scheme in ("sip", "sips"):
        report.row(f"the caller hangs up, {scheme}", the_caller_hangs_up, scheme)
    report.row("the callee hangs up", the_callee_hangs_up)
    report.row("many calls", many_calls)
    report.row("a call is cancelled", a_call_is_cancelled)
    report.row("nobody answers", nobody_answers)
    report.row("a call is refused", a_call_is_refused)
    report.row("OPTIONS are answered", options_are_answered)
    report.row("both call at once", both_call_at_once)
    report.row("calls over IPv6", calls_over_ipv6)
    for stopped in ("caller", "callee"):
        report.row(f"a signal ends an open call of the {stopped}", a_signal_ends_an_open_call,
                   stopped)
        report.row(f"a signal ends a call of the {stopped} that rings",
                   a_signal_ends_a_call_that_rings, stopped)
    report.row("the domain is not proven", the_domain_is_not_proven)
    report.row("a stranger calls", a_stranger_calls)
    report.row("nobody listens", nobody_listens)
    report.row("the command line", the_command_line)


if __name__ == "__main__":
    main(__doc__, rows)
