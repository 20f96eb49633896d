#!/usr/bin/env python3
"""PJSIP with siptls as its transport: calls with itself, and what others make of it."""

import os
import re
import signal
import socket
import ssl
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder_name in ("../../peers", "../relay"):
    sys.path.insert(0, os.path.join(HERE, folder_name))

from certificates import authority, make_with_siptls  # noqa: E402
from peers import (CLIENT, PATIENCE, SERVER, Failed, Skipped, Tool, check_proof,  # noqa: E402
                   folder, free_port, main, make_options, require, siptls_client, siptls_server,
                   start_listener, tool, wait_until)
from relays import Listener, server_context  # noqa: E402

DOMAIN = """[{role}:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = {credentials.key}
certificate = {credentials.chain}
ca_list = {credentials.trust}
"""


def ours():
    return authority(make_with_siptls, "P-256")


class Agent(Tool):
    def __init__(self, credentials, domain, *options, timeout="15s"):
        super().__init__("pjsip-siptls", "--listen", "127.0.0.1:0", "--credentials",
                         credentials.folder, "--domain", domain, "--timeout", timeout,
                         "--address", f"{SERVER}=127.0.0.1", "--address", f"{CLIENT}=127.0.0.1",
                         *options)
        self.port = self.wait_for_event("listening")["port"]

    def check_end(self):
        require(self.child.returncode == 0,
                f"pjsip-siptls ended with status {self.child.returncode}: {self.err[-600:]}")

    @property
    def states(self):
        return [event["state"] for event in self.events("call")]

    def succeed(self):
        require(self.finish() == 0, f"pjsip-siptls ended with {self.child.returncode}")

    def fail(self):
        """Its failure is what the row wants."""
        status = self.finish()
        require(status == 1, f"pjsip-siptls ended with {status}")
        self.check_end = lambda: None


def callee():
    return Agent(ours().server, SERVER)


def caller(*options, credentials=None, **more):
    return Agent(credentials or ours().client, CLIENT, *options, **more)


def at(agent, user="bob"):
    return f"sip:{user}@{SERVER}:{agent.port};transport=tls"


CALLER_STATES = ["CALLING", "EARLY", "CONNECTING", "CONFIRMED", "DISCONNECTED"]
CALLEE_STATES = ["INCOMING", "EARLY", "CONNECTING", "CONFIRMED", "DISCONNECTED"]


def check_call(first, second, identity=CLIENT):
    second.wait_for_event("call", state="DISCONNECTED")
    require(first.states == CALLER_STATES, f"the caller has seen {first.states}")
    require(second.states == CALLEE_STATES, f"the callee has seen {second.states}")
    invite = second.events("request", method="INVITE")
    require(len(invite) == 1 and invite[0]["identities"] == [identity], f"{invite}")


def one_calls_the_other():
    second = callee()
    for _ in range(3):
        first = caller("--call", at(second))
        first.succeed()
        check_call(first, second)
        second.stop()
        second.check_end()
        second = callee()


def the_callee_hangs_up():
    """SIGTERM ends its calls with BYE, which goes to the caller's own listener."""
    second = callee()
    first = caller("--call", at(second), "--keep-call")
    first.wait_for_event("call", state="CONFIRMED")
    second.wait_for_event("call", state="CONFIRMED")
    second.child.send_signal(signal.SIGTERM)
    require(second.finish() == 0, f"the callee ended with {second.child.returncode}")
    first.succeed()
    check_call(first, second)


def one_asks_the_other():
    second = callee()
    first = caller("--options", at(second))
    first.succeed()
    require(first.events("response", status=200), f"{first.out}")
    require(second.wait_for_event("request", method="OPTIONS")["identities"] == [CLIENT],
            "not the caller's name")


def it_asks_siptls_server():
    server = siptls_server(ours().server)
    first = caller("--options", at(server))
    first.succeed()
    require(first.events("response", status=200), f"{first.out}")
    check_proof(server, CLIENT, "TLS 1.3")
    require(len(server.events("request", method="OPTIONS")) == 1, "not one request")
    closed = server.wait_for_event("closed")
    require(closed["clean"] and not closed["truncated"], f"{closed}")


def siptls_client_asks_it():
    agent = callee()
    client = siptls_client(agent.port, ours().client, "--count", "50", "--pipeline", "10")
    require(client.finish() == 0, f"siptls-client ended with {client.child.returncode}")
    require(len(client.events("response", status=200)) == 50, "not 50 answers")
    require(len(agent.events("request", method="OPTIONS")) == 50, "not 50 requests")
    closed = client.wait_for_event("closed")
    require(closed["clean"], f"{closed}")


def a_message_that_pjsip_cannot_hold_ends_its_connection():
    agent = callee()
    path = os.path.join(folder("messages"), "messages")
    body = "x" * 100_000
    with open(path, "w", encoding="ascii") as file:
        file.write(f"MESSAGE sip:{SERVER} SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1\r\n"
                   f"From: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 MESSAGE\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n{body}")
    client = siptls_client(agent.port, ours().client, "--file", path)
    require(client.finish() == 1, "it was answered")
    agent.wait_for_text("message_too_large", "account of it")
    client = siptls_client(agent.port, ours().client)
    require(client.finish() == 0, "it serves nobody after that")


def who_is_not_proven_is_refused():
    stranger = authority(make_with_siptls, "P-256", "stranger")
    second = callee()
    first = caller("--call", at(second), credentials=stranger.client.trusting(ours().client))
    first.fail()
    require(not second.events("request"), "the stranger's request came in")
    require("CONFIRMED" not in first.states, f"{first.states}")
    # The other way round: a callee of another name.
    first = caller("--options", f"sip:bob@other.example:{second.port};transport=tls",
                   "--address", "other.example=127.0.0.1")
    first.fail()
    first.wait_for_text("identity_mismatch", "account of it")
    require(not second.events("request"), "a request to somebody else came in")


def nobody_is_there():
    first = caller("--call", f"sip:bob@{SERVER}:{free_port()};transport=tls")
    first.fail()
    require(first.events("call", state="DISCONNECTED", cause=503), f"{first.out}")


def a_peer_that_is_killed_ends_nothing_else():
    second = callee()
    first = caller("--call", at(second), "--keep-call")
    first.wait_for_event("call", state="CONFIRMED")
    second.child.send_signal(signal.SIGKILL)
    second.finish()
    second.check_end = lambda: None
    first.child.send_signal(signal.SIGTERM)  # its BYE goes nowhere
    require(first.finish() == 0, f"the caller ended with {first.child.returncode}")


def options_that_nobody_answers(how):
    """PJSIP gives them up when it ends, and its host still hears of that."""
    with Listener(server_context(ours().server)) as listener:
        first = caller("--options", at(listener), timeout="1s" if how == "the timeout" else "15s")
        peer = listener.accept()
        require(peer.message().startswith(b"OPTIONS "), "no OPTIONS came")
        if how != "the timeout":
            first.child.send_signal(signal.SIGTERM)
        if how == "two signals":
            first.wait_for(lambda: not is_pending(first, signal.SIGTERM), "look at its signal")
            first.child.send_signal(signal.SIGTERM)  # this time nobody waits for close_notify
        elif how == "a signal":
            require(peer.until_end() == b"", "more came than OPTIONS")
            peer.close()
        first.fail()
        require(len(first.events("response", status=503)) == 1, f"{first.out}")
        reasons = [event["reason"] for event in first.events("error")]
        require(reasons == (["idle_timeout"] if how == "the timeout" else []), f"{reasons}")


def is_pending(process, number):
    with open(f"/proc/{process.child.pid}/status", encoding="ascii") as file:
        pending = re.findall(r"^(?:Sig|Shd)Pnd:\s*([0-9a-f]+)$", file.read(), re.MULTILINE)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in pending)


def command_lines_that_mean_nothing():
    """They are refused before anything listens."""
    uri = f"sip:bob@{SERVER}:9;transport=tls"
    for options, named in (
            (["--options", "junk"], "junk"), (["--call", "tel:+358-555-1234567"], "tel:"),
            (["--options", f"{uri}\r\nSubject: x"], "--options"),
            (["--call", uri, "--route", "%%%"], "--route"),
            (["--options", uri, "--route", "sip:"], "--route"),
            (["--route", "proxy"], "proxy"), (["--call", uri, "--options", uri], "--options"),
            (["--timeout", "5"], "--timeout"), (["--address", SERVER], "--address"),
            (["--credentials", "x"], "--credentials")):
        agent = Tool("pjsip-siptls", "--listen", "127.0.0.1:0", "--credentials",
                     ours().client.folder, "--domain", CLIENT, *options)
        if options == ["--timeout", "5"]:
            agent.wait_for_event("error")  # it would serve, and end with the row
        require(agent.finish() == 2, f"{options}: it ended with {agent.child.returncode}")
        error = agent.wait_for_event("error", reason="invalid_argument")
        require(named in error["evidence"], f"{options}: {error}")
        require(not agent.events("listening"), f"{options}: it has listened")


def memory_of(process):
    with open(f"/proc/{process.child.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def connections_that_have_ended_take_no_memory():
    """PJSIP has let go of each: one takes some 10 KB."""
    agent = callee()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(ours().client.trust)
    context.load_cert_chain(ours().client.chain, ours().client.key)

    def connect(count):
        for number in range(count):
            plain = socket.create_connection(("127.0.0.1", agent.port), PATIENCE)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with context.wrap_socket(plain) as sock:
                sock.sendall(make_options(f"memory-{number}"))
                require(sock.recv(4096).startswith(b"SIP/2.0 200"), "no answer")
                sock.unwrap()
    connect(100)
    before = memory_of(agent)
    connect(400)
    grown = memory_of(agent) - before
    # A sanitizer keeps what was freed.
    require(grown < 1024 * 1024 or os.environ.get("SIPTLS_SANITIZE"),
            f"400 connections have left {grown} octets behind")


# --- Kamailio -------------------------------------------------------------------------------------


def kamailio():
    where = folder("kamailio-run")
    with open(os.path.join(HERE, "kamailio.cfg"),
              encoding="ascii") as file:
        template = file.read()
    with open(os.path.join(where, "tls.cfg"), "w", encoding="ascii") as file:
        for role in ("server", "client"):
            file.write(DOMAIN.format(role=role, credentials=ours().server))

    def command(port):
        config = os.path.join(where, "kamailio.cfg")
        with open(config, "w", encoding="ascii") as file:
            file.write(template.replace("@PORT@", str(port)).replace("@FOLDER@", where))
        return [tool("kamailio"), "-DD", "-E", "-f", config, "-m", "64", "-M", "8", "-w", where,
                "-Y", where, "-P", os.path.join(where, "pid")]
    try:
        return start_listener(command, "sip")
    except Failed as failure:
        if "could not find module" in str(failure):
            raise Skipped("Kamailio's modules are not installed") from None
        raise


def seen_by(peer, method):
    return re.findall(rf"CALLER {method} TLSv1\.[23] verified=1 sip:{CLIENT}", peer.output)


def it_asks_kamailio():
    peer, port = kamailio()
    first = caller("--options", f"sip:{SERVER}:{port};transport=tls")
    first.succeed()
    require(first.events("response", status=200), f"{first.out}")
    wait_until(lambda: len(seen_by(peer, "OPTIONS")) == 1, "account of Kamailio")


def it_calls_through_kamailio(who_hangs_up):
    peer, port = kamailio()
    second = Agent(ours().client, CLIENT)  # Kamailio has the name of the server here
    keep = ["--keep-call"] if who_hangs_up == "callee" else []
    first = caller("--call", f"sip:pjsip@127.0.0.1:{second.port};transport=tls", *keep,
                   "--route", f"sip:{SERVER}:{port};transport=tls;lr")
    first.wait_for_event("call", state="CONFIRMED")
    if keep:
        second.wait_for_event("call", state="CONFIRMED")
        second.child.send_signal(signal.SIGTERM)
        require(second.finish() == 0, f"the callee ended with {second.child.returncode}")
    first.succeed()
    check_call(first, second, identity=SERVER)
    for method in ("INVITE", "ACK", "BYE"):
        require(len(seen_by(peer, method)) == 1,
                f"Kamailio has not seen one {method}: {peer.output[-2000:]}")


def all_rows(report):
    for check in (one_calls_the_other, the_callee_hangs_up, one_asks_the_other,
                  it_asks_siptls_server, siptls_client_asks_it,
                  a_message_that_pjsip_cannot_hold_ends_its_connection,
                  who_is_not_proven_is_refused, nobody_is_there,
                  a_peer_that_is_killed_ends_nothing_else, command_lines_that_mean_nothing,
                  connections_that_have_ended_take_no_memory, it_asks_kamailio):
        report.row(check.__name__.replace("_", " "), check)
    for how in ("the timeout", "a signal", "two signals"):
        report.row(f"options that nobody answers, and {how}", options_that_nobody_answers, how)
    for side in ("caller", "callee"):
        report.row(f"it calls through Kamailio, and the {side} hangs up",
                   it_calls_through_kamailio, side)


if __name__ == "__main__":
    main(__doc__, all_rows)
