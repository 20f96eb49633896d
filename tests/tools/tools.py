"""What the tests of the tools have in common: running a tool, and reading what it says.

A script is called with the folder of the tools: test_frame.py BIN [unittest arguments].
Nothing here sleeps; whatever waits, waits for an event and gives up after PATIENCE seconds.
Nothing is left running, even if a script is killed.
"""

import ctypes
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PATIENCE = 60.0  # for a loaded machine and sanitizers
BIN = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "."

SERVER = "server.example"
CLIENT = "client.example"


# A machine whose clock no time source keeps gets a warning, rightly; no test here is about that.
CLOCK_WARNING = re.compile(r"(?m)^warning: clock_not_trusted: .*\n")


def is_clock_warning(event):
    return event["event"] == "warning" and event["reason"] == "clock_not_trusted"


class Outcome:
    """How a tool ended, and what it printed."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, CLOCK_WARNING.sub("", err)
        self.text = out.decode("utf-8", "replace")

    @property
    def events(self):
        events = [json.loads(line) for line in self.text.splitlines()]
        return [event for event in events if not is_clock_warning(event)]

    def named(self, name):
        return [event for event in self.events if event["event"] == name]


def run(tool, *arguments, stdin=b"", timeout=PATIENCE):
    """Runs a tool to its end."""
    done = subprocess.run([os.path.join(BIN, tool), *map(str, arguments)], input=stdin,
                          capture_output=True, timeout=timeout, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def die_with_the_test():
    """In a child, before exec: it ends when this script does, however that came about."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Running:
    """A tool that runs with --json while the test goes on."""

    def __init__(self, tool, *arguments):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [os.path.join(BIN, tool), "--json", *map(str, arguments)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self.errors, preexec_fn=die_with_the_test)
        self.queue = queue.Queue()
        self.seen = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if not is_clock_warning(event):
                self.queue.put(event)
        self.queue.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.errors.close()

    def expect(self, name, **fields):
        """The next event of that name with those fields; others are passed over."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                event = self.queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no event {name} {fields}; {self.last_seen()}") from None
            if event is None:
                raise AssertionError(f"ended before event {name} {fields}; {self.last_seen()}; "
                                     f"standard error: {self.stderr()}")
            self.seen.append(event)
            if event["event"] == name and all(event.get(k) == v for k, v in fields.items()):
                return event

    def last_seen(self):
        return f"the last of {len(self.seen)} events: {self.seen[-5:]}"

    def stderr(self):
        self.errors.seek(0)
        return CLOCK_WARNING.sub("", self.errors.read().decode("utf-8", "replace"))

    def stop(self, number=signal.SIGTERM):
        """Ends it by a signal; gives its exit status."""
        self.process.send_signal(number)
        return self.finish()

    def finish(self):
        """Waits for its end, takes in the events that are left, gives its exit status."""
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        while not self.queue.empty():
            event = self.queue.get()
            if event is not None:
                self.seen.append(event)
        return status


class Server(Running):
    """siptls-server on a free port of `address`."""

    def __init__(self, credentials, *arguments, address="127.0.0.1"):
        bracketed = f"[{address}]" if ":" in address else address
        super().__init__("siptls-server", "--listen", f"{bracketed}:0", *credentials, *arguments)
        try:
            listening = self.expect("listening")
        except AssertionError:
            self.__exit__()
            raise
        self.address, self.port = listening["address"], listening["port"]
        self.endpoint = f"{bracketed}:{self.port}"


class Pki:
    """What siptls-pki made."""

    def __init__(self, folder, *arguments, identities=(SERVER, CLIENT)):
        self.folder = folder
        names = [part for name in identities for part in ("--identity", name)]
        outcome = run("siptls-pki", "--out", folder, *names, *arguments)
        if outcome.status != 0:
            raise AssertionError(f"siptls-pki: {outcome.err}")

    def path(self, identity, name):
        return os.path.join(self.folder, identity, name)

    def credentials(self, identity):
        return ("--credentials", os.path.join(self.folder, identity))

    def mixed(self, identity, trusted):
        """Key and certificate of this PKI, the CA list of another one."""
        return ("--key", self.path(identity, "privateKey.pem"),
                "--cert", self.path(identity, "publickey.pem"),
                "--ca", trusted.path(identity, "CAList.pem"))


class TestCase(unittest.TestCase):
    """A test with a folder of its own, and checks that every tool must pass."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="siptls-tools-")
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def assert_failed(self, outcome, reason, status=1):
        """The exit status, and one line for people that begins with the reason."""
        self.assertEqual(outcome.status, status, outcome.err + outcome.text)
        self.assertRegex(outcome.err, rf"(?m)^error: {reason}(: .+)?$")

    def assert_error_event(self, outcome, reason, status=1):
        self.assert_failed(outcome, reason, status)
        error = outcome.named("error")
        self.assertEqual([event["reason"] for event in error], [reason], outcome.text)
        self.assertEqual(list(error[0])[0], "event")


def pem_blocks(path):
    with open(path, encoding="ascii") as file:
        return re.findall(r"-----BEGIN ([A-Z0-9 ]+)-----", file.read())


def main():
    unittest.main(verbosity=2)
