"""What the structural tests share: running programs, skipping, and the tools under test."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77  # SKIP_RETURN_CODE of these tests


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def fail(why):
    print(f"FAILED: {why}")
    sys.exit(1)


def need(program, package):
    """The path of a program, or the test is skipped."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        skip(f"{program} is not installed (Debian package {package})")
    return path


def run(command, timeout=240, **options):
    """Runs a command to its end; standard output and error come as one text."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=timeout, check=False, **options)
    except FileNotFoundError:
        fail(f"{command[0]} is not there")
    except subprocess.TimeoutExpired as late:
        fail(f"`{' '.join(map(str, command))}` did not end within {timeout} s:\n{late.output}")


def run_or_fail(command, timeout=240, **options):
    done = run(command, timeout, **options)
    if done.returncode != 0:
        fail(f"`{' '.join(map(str, command))}` ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="siptls-house-")


class Server:
    """siptls-server on a free port of 127.0.0.1, for the time of a `with` block."""

    def __init__(self, command, folder, timeout=60):
        self.command = command
        self.log_path = os.path.join(folder, "server.txt")
        self.timeout = timeout
        self.process = None
        self.address = None

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)
        deadline = time.monotonic() + self.timeout
        while self.address is None:
            found = re.search(r"^listening on (\S+)$", self.log(), re.MULTILINE)
            if found:
                self.address = found.group(1)
            elif self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                fail(f"the server did not start:\n{self.log()}")
            else:
                time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends the server and gives its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=self.timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()


def make_pki(bin_folder, folder):
    run_or_fail([os.path.join(bin_folder, "siptls-pki"), "--out", folder, "--identity",
                 "server.example", "--identity", "client.example"])
