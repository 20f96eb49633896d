"""What the tests with other implementations have in common.

Each script of this folder drives one implementation that is not ours (OpenSSL, GnuTLS, Kamailio,
Sofia-SIP, sipp behind stunnel) against siptls-server and siptls-client over the loopback interface.
A script is a list of rows; a row passes, fails, or is skipped with the reason why it cannot run
here. The last line of a script counts them, and its exit status is 0, 1, or 77 if no row could run.

Nothing listens beyond loopback, no port is fixed, nothing sleeps for a fixed time, and nothing is
left running: whatever a script starts leads a process group of its own, which a guard process ends
when the script is gone, however it went.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

PATIENCE = float(os.environ.get("SIPTLS_PEER_PATIENCE", "20"))  # seconds until a peer has failed
VERSIONS = ("TLS 1.2", "TLS 1.3")
KEYS = ("P-256", "RSA-2048")
SERVER = "server.example"
CLIENT = "client.example"


class Failed(Exception):
    """A row found something else than it must."""


class Skipped(Exception):
    """A row cannot run here."""


def require(condition, sentence):
    if not condition:
        raise Failed(sentence)


def wait_until(condition, what, patience=PATIENCE):
    """Polls until `condition()` gives something true, and returns that."""
    deadline = time.monotonic() + patience
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failed(f"no {what} within {patience:g} s")
        time.sleep(0.005)


# --- Processes --------------------------------------------------------------------------------


class Guard:
    """A process that outlives this one just long enough to end what this one started.

    Some peers fork (Kamailio), so that the death of the process that was started is not enough:
    the guard kills whole process groups, as soon as its pipe says that the script is gone.
    """

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="siptls-peers-")
        reader, self.pipe = os.pipe()
        if os.fork() == 0:
            os.setsid()
            os.close(self.pipe)
            self._watch(reader)
            os._exit(0)
        os.close(reader)

    def _watch(self, reader):
        groups = set()
        with os.fdopen(reader) as lines:
            for line in lines:
                (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
        for group in groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def tell(self, sign, group):
        os.write(self.pipe, f"{sign}{group}\n".encode())


guard = None
arguments = None
started = []


def lead_group():
    """In the child, before exec: an own group, known to the guard."""
    os.setsid()
    guard.tell("+", os.getpid())


def folder(name):
    """A new folder in the scratch folder of this run."""
    return tempfile.mkdtemp(prefix=name + "-", dir=guard.folder)


class Process:
    """A program with its output in files."""

    patience_to_end = 2.0  # seconds between asking it to end and ending it

    def __init__(self, argv, environment=None, cwd=None, stdin=subprocess.DEVNULL):
        self.name = os.path.basename(argv[0])
        self.stopped = False
        self.argv = [str(part) for part in argv]
        where = folder(self.name)
        self._out, self._err = os.path.join(where, "out"), os.path.join(where, "err")
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.child = subprocess.Popen(
                self.argv, stdin=stdin, stdout=out, stderr=err, cwd=cwd or where,
                env={**os.environ, **(environment or {})}, preexec_fn=lead_group)
        started.append(self)

    @staticmethod
    def _text(path):
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")

    @property
    def out(self):
        return self._text(self._out)

    @property
    def err(self):
        return self._text(self._err)

    @property
    def output(self):
        return self.out + self.err

    @property
    def running(self):
        return self.child.poll() is None

    def write(self, data):
        try:
            self.child.stdin.write(data)
            self.child.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"{self.name} takes no more input") from None

    def end_input(self):
        try:
            self.child.stdin.close()
        except BrokenPipeError:
            pass

    def wait_for(self, condition, what, patience=PATIENCE):
        """Waits for `condition()`; a program that ends first gets a last look."""
        def look():
            ended = not self.running
            result = condition()
            if ended and not result:
                raise Failed(f"{self.name} ended with status {self.child.returncode} "
                             f"before there was {what}")
            return result
        return wait_until(look, f"{what} of {self.name}", patience)

    def wait_for_text(self, pattern, what, patience=PATIENCE):
        return self.wait_for(lambda: re.search(pattern, self.output), what, patience)

    def finish(self, patience=PATIENCE):
        """Waits for its end and returns the exit status."""
        wait_until(lambda: not self.running, f"end of {self.name}", patience)
        return self.child.returncode

    def stop(self):
        """Ends it and its group: politely, then without asking."""
        if self.stopped:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._signal_group(number)
            try:
                self.child.wait(self.patience_to_end)
            except subprocess.TimeoutExpired:
                continue
            if not self._group_alive(2 if number == signal.SIGTERM else 0.5):
                break
        if self.child.stdin:
            self.end_input()
        guard.tell("-", self.child.pid)
        self.stopped = True

    def check_end(self):
        """How a peer ends is its own affair."""

    def _signal_group(self, number):
        try:
            os.killpg(self.child.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def _group_alive(self, patience):
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                os.killpg(self.child.pid, 0)
            except (ProcessLookupError, PermissionError):
                return False
            time.sleep(0.005)
        return True


def run(argv, **options):
    """Runs a program to its end; returns the finished Process."""
    process = Process(argv, **options)
    try:
        if process.finish() == 0:
            started.remove(process)  # nothing to be told of it when a row fails
    finally:
        process.stop()
    return process


def tool(name):
    """The path of an installed program, or the row is skipped."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Skipped(f"{name} is not installed")
    return path


# --- Ports ------------------------------------------------------------------------------------


def free_port():
    """A loopback port that nothing uses, for TCP and UDP alike."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return tcp.getsockname()[1]


def is_listening(port):
    """Whether a TCP socket listens on the port; asked of the kernel, so that no peer sees it."""
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/self/net/{table}", encoding="ascii") as rows:
                for row in list(rows)[1:]:
                    fields = row.split()
                    if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                        return True
        except FileNotFoundError:
            pass
    return False


def start_listener(command, *ports, **options):
    """Starts `command(port...)` and waits until each port listens; on new ports if it cannot.

    Another program may take a port between our choice and its use. Returns the process, then the
    ports, one for each count in `ports`.
    """
    for attempt in range(3):
        chosen = [free_port() for _ in ports]
        process = Process(command(*chosen), **options)
        try:
            process.wait_for(lambda: all(is_listening(port) for port in chosen), "listening socket")
            return (process, *chosen)
        except Failed:
            failure = process.output
            process.stop()
            if attempt == 2:
                raise Failed(f"{process.name} does not listen: {failure[:600]}") from None


# --- siptls -----------------------------------------------------------------------------------


class Tool(Process):
    """One of siptls's tools, which prints one JSON object a line."""

    patience_to_end = 6.0  # siptls-server waits 4 s for close_notify of its peers

    def __init__(self, name, *options):
        path = os.path.join(arguments.bin, name)
        require(os.path.exists(path), f"{path} is missing")
        super().__init__([path, "--json", *options])

    def events(self, name, **fields):
        found = [json.loads(line) for line in self.out.splitlines(True) if line.endswith("\n")]
        return [event for event in found if event["event"] == name
                and all(event.get(field) == value for field, value in fields.items())]

    def wait_for_event(self, name, **fields):
        what = f"event {name} " + " ".join(f"{field}={value}" for field, value in fields.items())
        return self.wait_for(lambda: self.events(name, **fields), what.rstrip())[0]


class Server(Tool):
    def check_end(self):
        """SIGTERM must end it well; a sanitizer would not let it."""
        require(self.child.returncode == 0,
                f"siptls-server ended with status {self.child.returncode}")


def siptls_server(credentials, *options):
    server = Server("siptls-server", "--listen", "127.0.0.1:0", "--credentials", credentials.folder,
                  *options)
    server.port = server.wait_for_event("listening")["port"]
    return server


def siptls_client(port, credentials, *options):
    return Tool("siptls-client", "--connect", f"127.0.0.1:{port}", "--domain", SERVER,
                "--credentials", credentials.folder, *options)


def check_proof(tool_process, identity, version):
    """What our side says of the connection: who the peer is, and how that was negotiated."""
    connected = tool_process.wait_for_event("connected")
    require(connected["identities"] == [identity],
            f"{tool_process.name} takes its peer for {connected['identities']}, not {identity}")
    require(connected["version"] == version,
            f"{tool_process.name} speaks {connected['version']}, not {version}")
    require(not connected["resumed"], "a first connection is called resumed")


def check_refusal(tool_process, reason, alert):
    """Our side's account of a handshake that must fail; nothing of the peer may have got in."""
    error = tool_process.wait_for_event("error")
    require((error["reason"], error.get("alert")) == (reason, alert),
            f"{tool_process.name} says {error['reason']} (alert {error.get('alert')}), "
            f"not {reason} (alert {alert}): {error['evidence']}")
    for name in ("connected", "request", "response"):
        require(name == "connected" and reason.startswith("peer_")
                or not tool_process.events(name), f"event {name} although the peer is refused")


# --- SIP --------------------------------------------------------------------------------------


def make_options(call_id, uri=f"sip:{SERVER}", transport="TLS", sent_by="client.example",
                 body=""):
    return (f"OPTIONS {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/{transport} {sent_by};branch=z9hG4bK{call_id};rport\r\n"
            f"From: <sip:tester@{CLIENT}>;tag=1\r\nTo: <sip:{SERVER}>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: 4711 OPTIONS\r\nMax-Forwards: 70\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def find_message(text, start):
    """The first whole message without body in `text` whose start-line begins with `start`."""
    found = re.search(rf"^{re.escape(start)}[^\n]*\n.*?\n\r?\n", text, re.S | re.M)
    return found and found.group()


def header(message, name):
    found = re.search(rf"^{name}: *(.*?)\r?$", message, re.M | re.I)
    return found and found.group(1)


def make_answer(request, body=""):
    """200 OK to the text of a request."""
    rows = "".join(f"{name}: {header(request, name)}\r\n"
                   for name in ("Via", "From", "To", "Call-ID", "CSeq"))
    return f"SIP/2.0 200 OK\r\n{rows}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def check_answer(message, call_id):
    require(message.startswith("SIP/2.0 200 "), f"the answer is {message.splitlines()[0]}")
    require(header(message, "Call-ID") == call_id, f"answer to another Call-ID: {message}")
    require(header(message, "CSeq") == "4711 OPTIONS", f"answer to another CSeq: {message}")


# --- Rows -------------------------------------------------------------------------------------


class Report:
    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}

    def row(self, name, check, *values):
        """Runs `check(*values)` as the row `name`, and ends what it left running."""
        first = len(started)
        begin = time.monotonic()
        try:
            check(*values)
            self.end(first)
            outcome, why = "passed", ""
        except Skipped as reason:
            outcome, why = "skipped", f": {reason}"
        except Failed as reason:
            outcome, why = "failed", f": {reason}"
        except Exception:  # a mistake in the check itself must not hide the rows behind it
            outcome, why = "failed", f": {traceback.format_exc()}"
        for process in reversed(started[first:]):
            process.stop()
        self.counts[outcome] += 1
        print(f"{outcome:8}{name} ({time.monotonic() - begin:.2f} s){why}", flush=True)
        if outcome == "failed":
            for process in started[first:]:
                self.show(process)
        del started[first:]

    @staticmethod
    def end(first):
        """Ends the callers, then the servers, which must take it well."""
        for process in reversed(started[first:]):
            process.stop()
            process.check_end()

    @staticmethod
    def show(process):
        print(f"    {' '.join(process.argv)}")
        for name, text in (("stdout", process.out), ("stderr", process.err)):
            for line in text.splitlines()[-25:]:
                print(f"      {name}| {line[:300]}", flush=True)

    def matrix(self, name, check, keys=KEYS):
        for version in VERSIONS:
            for key in keys:
                self.row(f"{name}, {version}, {key}", check, version, key)

    def finish(self):
        print(", ".join(f"{count} {outcome}" for outcome, count in self.counts.items()), flush=True)
        if self.counts["failed"]:
            return 1
        return 0 if self.counts["passed"] else 77


def main(description, rows):
    """Reads the command line, runs `rows(report)` and leaves with the exit status."""
    global arguments, guard
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--bin", required=True, help="folder with the siptls tools")
    arguments = parser.parse_args()
    arguments.bin = os.path.abspath(arguments.bin)
    guard = Guard()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    report = Report()
    try:
        rows(report)
    finally:
        for process in started:
            process.stop()
    sys.exit(report.finish())
