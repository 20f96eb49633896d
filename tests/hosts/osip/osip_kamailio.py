#!/usr/bin/env python3
"""Kamailio relays calls from one osip-agent to another: with TLS on both sides, and staying in the
path of the call or not."""

import os
import re

from osips import HERE, Agent, check_ended, ours  # first: it knows where the others are
from kamailio_peer import ask_over_udp, check_account, kamailio
from peers import CLIENT, SERVER, check_answer, check_proof, main, require

CALLS = 5


class Stage:
    """Kamailio as server.example, and behind it an agent that is client.example too."""

    def __init__(self, version, *options, config=None):
        self.proxy, self.port = kamailio(ours().server, version, config)
        self.names = (f"{SERVER}=127.0.0.1:{self.port}", CLIENT)
        self.bob = Agent(ours().client, *options, names=self.names)
        self.uri = f"sip:relay@127.0.0.1:{self.bob.port};transport=tls"

    def agent(self, *options, **more):
        """One that sends what it begins to Kamailio."""
        return Agent(ours().client, *options, "--connect", f"127.0.0.1:{self.port}", "--domain",
                     SERVER, names=self.names, **more)

    def caller(self, *options, **more):
        return self.agent("--call", self.uri, *options, **more)

    def relayed(self, method):
        return len(re.findall(rf"RELAYS {method} ", self.proxy.output))


def check_both(stage, alice, alice_how, bob_how, version, calls=1):
    alice.check_finish()
    check_ended(alice, alice_how, calls)
    check_ended(stage.bob, bob_how, calls)
    check_proof(alice, SERVER, version)
    check_proof(stage.bob, SERVER, version)


def a_call_is_relayed(version):
    """ACK and BYE take the straight way to Contact, where client.example has to be proven."""
    stage = Stage(version)
    alice = stage.caller("--count", str(CALLS))
    check_both(stage, alice, "hung_up", "peer_hung_up", version, CALLS)
    for agent, role in ((alice, "client"), (stage.bob, "server")):
        straight = agent.events("connected", identities=[CLIENT], role=role)
        require(len(straight) == 1, f"not one straight connection: {agent.events('connected')}")
    check_account(stage.proxy, "CALLED", CLIENT, version,
                  alice.events("answered")[0]["call_id"] + " 200")


def kamailio_stays_in_the_path(version, hangs_up):
    """By Record-Route: all of the call goes through it, whoever ends it."""
    bobs, alices = {"caller": ("never", "0s"), "callee": ("0s", "never")}[hangs_up]
    stage = Stage(version, "--hang-up", bobs, config=os.path.join(HERE, "kamailio.cfg"))
    alice = stage.caller("--hang-up", alices)
    hows = ("hung_up", "peer_hung_up")
    check_both(stage, alice, *(hows if hangs_up == "caller" else hows[::-1]), version)
    for agent in (alice, stage.bob):
        require(not agent.events("connected", identities=[CLIENT]), "a straight connection")
    for method in ("INVITE", "ACK", "BYE"):
        require(stage.relayed(method) == 1, f"{stage.relayed(method)} {method} were relayed")


def a_cancel_is_relayed(version):
    stage = Stage(version, "--ring", "forever")
    alice = stage.caller("--cancel-after", "0s")
    check_both(stage, alice, "cancelled", "cancelled", version)


def a_refusal_is_relayed(version):
    """Its ACKs go from hop to hop (RFC 3261 section 17.1.1.3)."""
    stage = Stage(version, "--reject", "486")
    alice = stage.caller(status=1)
    alice.check_finish()
    check_ended(alice, "refused")
    require(alice.events("response", method="INVITE", status=486), "no 486")
    require(not stage.bob.events("answered"), "it was answered")


def options_are_relayed(version):
    stage = Stage(version)
    alice = stage.agent("--options", stage.uri)
    alice.check_finish()
    require(alice.count("response", method="OPTIONS", status=200) == 1, "no answer")
    answer = ask_over_udp(stage.port, stage.bob.port, "osip-over-udp")
    check_answer(answer, "osip-over-udp")
    require(stage.bob.count("request", method="OPTIONS") == 2, "not two requests")
    require(stage.bob.count("connected") == 1, "not one connection")


def rows(report):
    for version in ("TLS 1.2", "TLS 1.3"):
        report.row(f"a call is relayed, {version}", a_call_is_relayed, version)
        report.row(f"a CANCEL is relayed, {version}", a_cancel_is_relayed, version)
        report.row(f"a refusal is relayed, {version}", a_refusal_is_relayed, version)
        report.row(f"OPTIONS are relayed, {version}", options_are_relayed, version)
        for hangs_up in ("caller", "callee"):
            report.row(f"Kamailio stays in the path and the {hangs_up} hangs up, {version}",
                       kamailio_stays_in_the_path, version, hangs_up)


if __name__ == "__main__":
    main(__doc__, rows)
