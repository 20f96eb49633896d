"""What the tests of osip-agent have in common: agents, and the calls that they make."""

import contextlib
import os
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder_name in ("../../peers", "../relay"):
    sys.path.insert(0, os.path.join(HERE, folder_name))

import peers  # noqa: E402
from certificates import authority, make_with_siptls  # noqa: E402
from peers import CLIENT, SERVER, Process, Tool, require, tool  # noqa: E402

# With valgrind every agent must free what it took, and touch nothing else.
VALGRIND = ["--quiet", "--error-exitcode=99", "--leak-check=full",
            "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible"]
under_valgrind = False


def ours():
    return authority(make_with_siptls, "P-256")


class Agent(Tool):
    """osip-agent; `port` is where it is called. It has to end with `status`."""

    def __init__(self, credentials, *options, names=(SERVER, CLIENT), listen="127.0.0.1:0",
                 status=0):
        path = os.path.join(peers.arguments.bin, "osip-agent")
        require(os.path.exists(path), f"{path} is missing")
        command = [tool("valgrind"), *VALGRIND, path] if under_valgrind else [path]
        for name in names:
            options += ("--resolve", f"{name}=127.0.0.1" if "=" not in name else name)
        Process.__init__(self, [*command, "--json", "--listen", listen, "--credentials",
                                credentials.folder, *options])
        self.status = status
        self.port = self.wait_for_event("listening")["port"]

    def check_end(self):
        require(self.child.returncode == self.status,
                f"osip-agent ended with status {self.child.returncode}, not {self.status}")

    def check_finish(self):
        """It ends by itself."""
        self.finish()
        self.check_end()

    def count(self, name, **fields):
        return len(self.events(name, **fields))


@contextlib.contextmanager
def refusing_port():
    """One that refuses connections, and that nobody else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def callee(*options, **more):
    return Agent(ours().server, *options, **more)


def caller(port, *options, scheme="sip", **more):
    uri = f"sips:bob@{SERVER}:{port}" if scheme == "sips" else \
        f"sip:bob@{SERVER}:{port};transport=tls"
    return Agent(ours().client, "--call", uri, *options, **more)


def check_ended(agent, how, count=1):
    """All its calls have ended so."""
    agent.wait_for_event("ended", how=how)
    ends = [event["how"] for event in agent.events("ended")]
    require(ends == [how] * count, f"the calls ended so: {ends}")
