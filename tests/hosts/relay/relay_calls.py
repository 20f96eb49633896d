#!/usr/bin/env python3
"""Real calls of stacks that speak TCP, through two siptls-relays: baresip, sipp, Sofia-SIP.

    caller --TCP-- relay ==TLS== relay --TCP-- callee
"""

import json
import os
import re
import socket
import time
import wave

from relays import (A, B, HEADER, LONG, PATIENCE, Failed, Process, Relay, Skipped, folder,
                    free_port, main, ours, proven, relay_pair, require, siptls_server,
                    start_listener, tool, wait_until)

MODULES = ("g711", "aufile", "uuid", "account", "menu", "ctrl_tcp")


class Baresip:
    """baresip without a window, a sound card or an address beyond loopback, led over ctrl_tcp."""

    def __init__(self, name, domain):
        self.name, self.domain = name, domain
        self.where = folder("baresip-" + name)

    def start(self, port=None, outbound=None):
        """Listens for SIP on `port`, or one of its own; calls go to the relay at `outbound`."""
        program = tool("baresip")
        modules = self._modules()
        route = f';outbound="sip:127.0.0.1:{outbound};transport=tcp"' if outbound else ""

        def command(control, sip=port):
            rtp = free_port() & ~1
            settings = {
                "sip_listen": f"127.0.0.1:{sip}", "ctrl_tcp_listen": f"127.0.0.1:{control}",
                "net_interface": "127.0.0.1", "module_path": modules,
                "audio_source": f"aufile,{self._said()}",
                "audio_player": f"aufile,{self.where}/heard.wav",
                "audio_alert": f"aufile,{self.where}/alert.wav",
                "rtp_ports": f"{rtp}-{min(rtp + 100, 65534)}", "poll_method": "epoll"}
            with open(os.path.join(self.where, "config"), "w", encoding="ascii") as file:
                file.writelines(f"{key} {value}\n" for key, value in settings.items())
                file.writelines(
                    f"module{'_app' if name in ('menu', 'ctrl_tcp') else ''} {name}.so\n"
                    for name in MODULES)
            with open(os.path.join(self.where, "accounts"), "w", encoding="ascii") as file:
                file.write(f"<sip:{self.name}@{self.domain};transport=tcp>;regint=0;"
                           f"audio_codecs=pcmu{route}\n")
            for empty in ("contacts", "uuid"):
                with open(os.path.join(self.where, empty), "a", encoding="ascii"):
                    pass
            return [program, "-f", self.where, "-s"]
        self.process, control, self.port = (
            (*start_listener(command, "control"), port) if port else
            start_listener(command, "control", "sip"))
        self.control = socket.create_connection(("127.0.0.1", control), PATIENCE)
        self.control.settimeout(PATIENCE)
        self.unread = b""
        return self

    def _said(self):
        """A second of silence, at the rate of G.711."""
        path = os.path.join(self.where, "said.wav")
        with wave.open(path, "wb") as sound:
            sound.setparams((1, 2, 8000, 8000, "NONE", "not compressed"))
            sound.writeframes(bytes(16000))
        return path

    @staticmethod
    def _modules():
        for folder_name in ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"):
            if os.path.exists(os.path.join(folder_name, "ctrl_tcp.so")):
                return folder_name
        raise Skipped("baresip has no module ctrl_tcp")

    def tell(self, command, parameters=""):
        text = json.dumps({"command": command, "params": parameters}).encode()
        self.control.sendall(b"%d:%s," % (len(text), text))

    def expect(self, kind):
        """The next event of that type; a netstring holds each."""
        deadline = time.monotonic() + PATIENCE
        while True:
            require(time.monotonic() < deadline, f"{self.name} has no event {kind}")
            size, colon, rest = self.unread.partition(b":")
            if colon and len(rest) > int(size):
                self.unread = rest[int(size) + 1:]
                event = json.loads(rest[:int(size)])
                if event.get("type") == kind:
                    return event
                continue
            try:
                octets = self.control.recv(65536)
            except TimeoutError:
                raise Failed(f"{self.name} has no event {kind}") from None
            require(octets, f"{self.name} ended before event {kind}")
            self.unread += octets

    def quit(self):
        self.tell("quit")
        require(self.process.finish() == 0, f"baresip ended with {self.process.child.returncode}")
        self.control.close()


def text_of(process):
    """baresip's trace without its colours."""
    return re.sub(r"\x1b?\[[0-9;]*m", "", process.output)


def free_pair():
    """A free port whose next one is free as well: baresip takes that for TLS, asked or not."""
    while True:
        port = free_port()
        with socket.socket() as next_one:
            try:
                next_one.bind(("127.0.0.1", port + 1))
                return port
            except (OSError, OverflowError):
                continue


def baresip_pair():
    """Callee and caller, and the relays between them. The relay in front of the caller is told its
    port before it is bound, so somebody else may take it meanwhile."""
    for last_try in (False, False, False, False, True):
        try:
            callee = Baresip("bob", B).start()
            port = free_pair()
            a, b = relay_pair(port, callee.port)
            return callee, Baresip("alice", A).start(port, a.tcp_port), a, b
        except Failed as failure:
            if last_try or "in use" not in str(failure):
                raise
    raise AssertionError


def baresip_calls(who_hangs_up):
    callee, caller, a, b = baresip_pair()
    caller.tell("dial", f"sip:bob@{B};transport=tcp")
    callee.expect("CALL_INCOMING")
    caller.expect("CALL_RINGING")
    callee.tell("accept")
    caller.expect("CALL_ESTABLISHED")
    callee.expect("CALL_ESTABLISHED")
    first, second = (caller, callee) if who_hangs_up == "caller" else (callee, caller)
    first.tell("hangup")
    second.expect("CALL_CLOSED")
    callee.quit()
    caller.quit()
    for method in ("INVITE", "ACK", "BYE"):
        for relay in (a, b):
            require(len(relay.events("request", method=method)) == 1,
                    f"not one {method} went through {relay.argv}")
    heard = text_of(callee.process)
    require(f"{HEADER}: {proven(A)}" in heard, "the callee was not told who calls")
    require(f"{HEADER}: {proven(B)}" in text_of(caller.process),
            "the caller was not told who answers")
    for relay in (a, b):
        require(not relay.events("error"), f"{relay.events('error')}")


def sipp(scenario, port, calls, *options):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), scenario)
    return [tool("sipp"), "-sf", path, "-t", "t1", "-i", "127.0.0.1", "-p", str(port),
            "-ci", "127.0.0.1", "-cp", str(free_port()), "-m", str(calls), "-nostdin",
            "-timeout", "120", "-timeout_error", *options]


def sipp_calls(calls, rate):
    callee, port = start_listener(lambda port: sipp("sipp_callee.xml", port, calls), "sip")
    a, b = relay_pair(free_port(), port)
    caller = Process(sipp("sipp_caller.xml", free_port(), calls, "-r", str(rate), "-l", "100",
                          f"127.0.0.1:{a.tcp_port}"))
    for process in (caller, callee):
        require(process.finish(180) == 0, f"sipp ended with {process.child.returncode}")
        for name, expected in (("Successful call", calls), ("Failed call", 0)):
            counted = re.findall(rf"{name} *\| *\d+ *\| *(\d+)", process.out)
            require(counted and int(counted[-1]) == expected, f"{name}: {counted[-1:]}")
    for relay in (a, b):
        wait_until(lambda relay=relay: len(relay.events("request")) == 3 * calls, "all requests")
        require(not relay.events("error"), f"{relay.events('error')[:3]}")


def sip_options_asks():
    """Sofia-SIP, with the relay as its proxy; siptls-server answers."""
    server = siptls_server(ours().server)
    relay = Relay(ours().client, next_hop=server.port)
    caller = Process([tool("sip-options"), "--all", "--contact=sip:127.0.0.1:*;transport=tcp",
                      f"--from=sip:tester@{A}",
                      f"sip:{B}@127.0.0.1:{relay.tcp_port};transport=tcp"])
    require(caller.finish() == 0, f"sip-options ended with {caller.child.returncode}")
    require(caller.out.startswith("SIP/2.0 200 OK"), f"sip-options printed {caller.out}")
    require(f"{HEADER}: {proven(B)}" in caller.out, f"no identity: {caller.out}")
    require(len(server.events("request", method="OPTIONS")) == 1, "not one request")


def all_rows(report):
    report.row("baresip calls baresip, and hangs up", baresip_calls, "caller")
    report.row("baresip calls baresip, which hangs up", baresip_calls, "callee")
    report.row("sipp calls sipp 200 times", sipp_calls, 200, 200)
    report.row("Sofia-SIP's sip-options asks siptls-server", sip_options_asks)
    if LONG:
        report.row("sipp calls sipp 20000 times", sipp_calls, 20000, 1000)


if __name__ == "__main__":
    main(__doc__, all_rows)
