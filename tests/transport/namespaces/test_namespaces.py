"""siptls-server and siptls-client in network namespaces: what happens to addresses and links.

test_namespaces.py BIN [unittest arguments]. Three hosts on one switch, each in a network namespace
of its own that ends with this script, however that ends. Needs root, `ip` and, for the packets that
get lost, `nft`; where it cannot run it says why and exits 77.
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools"))

import tools  # noqa: E402
from tools import CLIENT, SERVER  # noqa: E402

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

PORT = 5061
VIRTUAL = ("10.77.0.100", "fd77::100")


class CannotRun(Exception):
    """These tests cannot run here."""


def command(*words):
    """Runs a command in the namespace of this thread; gives its output."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise CannotRun(f"`{' '.join(map(str, words))}` failed: {done.stderr.strip()}")
    return done.stdout


def into_new_namespace():
    tools.die_with_the_test()
    if libc.unshare(CLONE_NEWNET) != 0:
        os._exit(1)


class Namespace:
    """A network namespace. `with` enters it: what is started inside lives in it."""

    def __init__(self):
        self.holder = subprocess.Popen(["sleep", "infinity"], preexec_fn=into_new_namespace)
        own = os.readlink("/proc/self/ns/net")
        self.path = f"/proc/{self.holder.pid}/ns/net"
        if self.holder.poll() is not None or os.readlink(self.path) == own:
            raise CannotRun("a network namespace cannot be made here")
        self.outside = []

    def close(self):
        self.holder.kill()
        self.holder.wait()

    def __enter__(self):
        self.outside.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        inside = os.open(self.path, os.O_RDONLY)
        self._move(inside)
        os.close(inside)
        return self

    def __exit__(self, *_):
        outside = self.outside.pop()
        self._move(outside)
        os.close(outside)

    @staticmethod
    def _move(descriptor):
        if libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise CannotRun(f"setns: {os.strerror(ctypes.get_errno())}")

    def run(self, *words):
        with self:
            return command(*words)


class Network:
    """Hosts with the addresses 10.77.0.N and fd77::N, on a switch."""

    def __init__(self, count=3):
        self.switch = Namespace()
        self.hosts = [Namespace() for _ in range(count)]
        self.switch.run("ip", "link", "add", "switch", "type", "bridge")
        self.switch.run("ip", "link", "set", "switch", "up")
        for number, host in enumerate(self.hosts, 1):
            # Addresses are unique here, so that nobody has to wait until that is found out.
            host.run("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad || true")
            host.run("ip", "link", "set", "lo", "up")
            host.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", f"port{number}",
                     "netns", self.switch.holder.pid)
            self.switch.run("ip", "link", "set", f"port{number}", "master", "switch", "up")
            host.run("ip", "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            host.run("ip", "address", "add", f"fd77::{number}/64", "dev", "eth0", "nodad")
            host.run("ip", "link", "set", "eth0", "up")

    def close(self):
        for namespace in (*self.hosts, self.switch):
            namespace.close()

    @staticmethod
    def give(host, address):
        family = ("-6", f"{address}/64", "nodad") if ":" in address else ("-4", f"{address}/24")
        host.run("ip", family[0], "address", "add", family[1], "dev", "eth0", *family[2:])

    @staticmethod
    def take(host, address):
        length = 64 if ":" in address else 24
        host.run("ip", "address", "delete", f"{address}/{length}", "dev", "eth0")

    @staticmethod
    def link_local(host):
        """The link-local address of a host, with its interface."""
        deadline = time.monotonic() + tools.PATIENCE
        while time.monotonic() < deadline:
            link = json.loads(host.run("ip", "-json", "-6", "address", "show", "dev", "eth0"))[0]
            for address in link["addr_info"]:
                if address["scope"] == "link" and not address.get("tentative"):
                    return f"{address['local']}%{link['ifindex']}"
            time.sleep(0.05)
        raise CannotRun("the host has no link-local address")


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="siptls-namespaces-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.pki = tools.Pki(os.path.join(cls.folder, "pki"))

    def setUp(self):
        self.network = Network()
        self.addCleanup(self.network.close)
        self.client_host, self.host, self.other_host = self.network.hosts

    def server(self, host, *addresses, more=()):
        listen = [word for address in addresses for word in ("--listen", with_port(address))]
        with host:
            server = tools.Running("siptls-server", *listen, *self.pki.credentials(SERVER), *more)
        self.addCleanup(server.__exit__)
        for _ in addresses:
            server.expect("listening", port=PORT)
        return server

    def arguments(self, address, *more):
        return ("--connect", with_port(address), "--domain", SERVER,
                *self.pki.credentials(CLIENT), *more)

    def client(self, address, *more):
        with self.client_host:
            return tools.run("siptls-client", "--json", *self.arguments(address, *more))

    def running_client(self, address, *more):
        with self.client_host:
            client = tools.Running("siptls-client", *self.arguments(address, *more))
        self.addCleanup(client.__exit__)
        return client

    def assert_answered(self, outcome, count=1):
        self.assertEqual((outcome.status, outcome.err), (0, ""), outcome.text[-2000:])
        self.assertEqual([event["status"] for event in outcome.named("response")], [200] * count)
        self.assertTrue(outcome.named("closed")[0]["clean"])


def with_port(address):
    return f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"


class EveryDay(Base):
    def test_an_address_moves_from_host_to_host_and_back(self):
        # Both listen before either has the address.
        first = self.server(self.host, *VIRTUAL, more=("--virtual-ip",))
        second = self.server(self.other_host, *VIRTUAL, more=("--virtual-ip",))
        for address in VIRTUAL:
            with self.subTest(address=address):
                self.network.give(self.host, address)
                self.assert_answered(self.client(address))
                first.expect("connected", local=with_port(address))

                caller = self.running_client(address, "--count", 10_000_000, "--timeout", "20s")
                caller.expect("response")
                self.network.take(self.host, address)
                self.network.give(self.other_host, address)
                self.forget_neighbours()
                # The new owner knows nothing of the connection; its caller hears of that at once.
                caller.expect("error", reason="connection_reset")
                self.assertEqual(caller.finish(), 1)
                self.assert_answered(self.client(address))
                second.expect("connected", local=with_port(address))

                # The listener that has lost its address gets it back.
                self.network.take(self.other_host, address)
                self.network.give(self.host, address)
                self.forget_neighbours()
                self.assert_answered(self.client(address))
                # Before the move there were two: one for a request, and the caller's.
                for _ in range(2):
                    first.expect("connected", local=with_port(address))

    def forget_neighbours(self):
        """What a gratuitous ARP or an unsolicited neighbour advertisement of the owner does."""
        for family in ("-4", "-6"):
            self.client_host.run("ip", family, "neighbour", "flush", "dev", "eth0")

    def test_one_packet_of_twenty_gets_lost(self):
        if shutil.which("nft") is None:
            self.skipTest("nft is missing (Debian: nftables)")
        self.server(self.host, "10.77.0.2", "fd77::2")
        for host in (self.host, self.client_host):
            host.run("nft", "add table inet loss; add chain inet loss input "
                            "{ type filter hook input priority 0; }; "
                            "add rule inet loss input meta l4proto tcp "
                            "numgen random mod 100 < 5 counter drop")
        for round_number in range(20):
            address = ("10.77.0.2", "fd77::2")[round_number % 2]
            outcome = self.client(address, "--count", 100, "--pipeline", 10, "--timeout", "50s")
            self.assert_answered(outcome, count=100)
            if round_number >= 1 and self.lost(self.host) and self.lost(self.client_host):
                return
        self.fail("no packet was lost")

    @staticmethod
    def lost(host):
        rules = json.loads(host.run("nft", "--json", "list", "table", "inet", "loss"))["nftables"]
        return sum(part["counter"]["packets"] for rule in rules if "rule" in rule
                   for part in rule["rule"]["expr"] if "counter" in part)

    def test_links_carry_576_octets_at_a_time(self):
        # The least that every IPv4 host must take (RFC 791); IPv6 wants 1280.
        for host in (self.host, self.client_host):
            host.run("ip", "link", "set", "eth0", "mtu", 576)
        self.server(self.host, "10.77.0.2")
        self.assert_answered(self.client("10.77.0.2", "--count", 20), count=20)
        messages = os.path.join(self.folder, "large")
        with open(messages, "w", encoding="ascii") as file:
            for number in range(10):
                body = "x" * 6000 * number
                file.write(f"MESSAGE sip:{SERVER} SIP/2.0\r\n"
                           f"Via: SIP/2.0/TLS {CLIENT};branch=z9hG4bK{number}\r\n"
                           f"Max-Forwards: 70\r\nFrom: <sip:{CLIENT}>;tag=1\r\n"
                           f"To: <sip:{SERVER}>\r\nCall-ID: {number}@{CLIENT}\r\n"
                           f"CSeq: 1 MESSAGE\r\nContent-Length: {len(body)}\r\n\r\n{body}")
        self.assert_answered(self.client("10.77.0.2", "--file", messages, "--pipeline", 10),
                             count=10)

    def test_a_link_local_address_needs_its_interface(self):
        address = self.network.link_local(self.host)
        local = self.network.link_local(self.client_host)
        server = self.server(self.host, address)
        # The same address, by the number that the interface has on the client's side.
        there = f"{address.partition('%')[0]}%{local.partition('%')[2]}"
        self.assert_answered(self.client(there, "--local", local))
        connected = server.expect("connected")
        self.assertEqual(connected["local"], with_port(address))
        self.assertIn(local.partition("%")[0] + "%", connected["remote"])
        # Without the interface nobody knows which link is meant.
        outcome = self.client(address.partition("%")[0])
        self.assertEqual(outcome.status, 1)

    def test_a_source_address_can_be_one_of_several(self):
        server = self.server(self.host, "10.77.0.2", "fd77::2")
        for address, source in (("10.77.0.2", "10.77.0.50"), ("fd77::2", "fd77::50")):
            self.network.give(self.client_host, source)
            self.assert_answered(self.client(address, "--local", source))
            remote = server.expect("connected")["remote"]
            self.assertEqual(remote.rpartition(":")[0].strip("[]"), source)


class LinkCut(Base):
    def test_a_link_is_cut_for_thirty_seconds(self):
        server = self.server(self.host, "10.77.0.2")
        caller = self.running_client("10.77.0.2", "--count", 10_000_000, "--timeout", "200s")
        connection = server.expect("connected")["connection"]
        caller.expect("response")
        self.network.switch.run("ip", "link", "set", "port2", "down")
        cut = time.monotonic()
        outcome = self.client("10.77.0.2", "--timeout", "3s")
        self.assertEqual(outcome.status, 1)
        self.assertRegex(outcome.err, "connect_timeout|connect_failed")
        time.sleep(30 - (time.monotonic() - cut))
        answered_before = sum(event["event"] == "response" for event in self.drained(caller))
        self.network.switch.run("ip", "link", "set", "port2", "up")
        # TCP tries again by and by; nothing was lost, so that request after request goes on.
        for _ in range(100):
            caller.expect("response", status=200)
        self.assertGreater(answered_before, 0)
        self.assertEqual([event for event in self.drained(caller) if event["event"] == "error"], [])
        requests = {event["connection"] for event in self.drained(server)
                    if event["event"] == "request"}
        self.assertEqual(requests, {connection})
        self.assert_answered(self.client("10.77.0.2"))

    @staticmethod
    def drained(tool):
        """All that a tool has said so far."""
        while not tool.queue.empty():
            tool.seen.append(tool.queue.get())
        return tool.seen


def main():
    try:
        if os.geteuid() != 0:
            raise CannotRun("network namespaces need root")
        if shutil.which("ip") is None:
            raise CannotRun("`ip` is missing (Debian: iproute2)")
        Network().close()
    except (CannotRun, OSError) as why:
        print(f"skipped: {why}")
        sys.exit(77)
    unittest.main(verbosity=2)


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    main()
