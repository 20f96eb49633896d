"""Server and client under valgrind: one exchange each in TLS 1.3 and in TLS 1.2, no error of memory
and no leak.

memory.py BIN_FOLDER
"""

import os
import signal
import subprocess
import sys

import common

WRONG = 99


def valgrind(path):
    return [path, "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible", f"--error-exitcode={WRONG}"]


def blind(path, folder):
    """True if valgrind would not notice a leak here."""
    source, program = os.path.join(folder, "leak.c"), os.path.join(folder, "leak")
    with open(source, "w", encoding="ascii") as file:
        file.write("#include <stdlib.h>\nvoid *volatile p;\n"
                   "int main(void) { p = malloc(10); p = 0; return 0; }\n")
    common.run_or_fail(["cc", "-O0", "-o", program, source])
    return common.run([*valgrind(path), program]).returncode != WRONG


def unreadable(path, program):
    """What valgrind says if it cannot read the program's debug information: version 3.19 gives up on
    the DWARF 5 that Clang 14 writes."""
    done = common.run([path, "--quiet", program, "--help"])
    return next((line for line in done.stdout.splitlines() if "debuginfo file" in line), None)


def main():
    bin_folder = sys.argv[1]
    path = common.need("valgrind", "valgrind")
    problems = []
    with common.temporary_folder() as folder:
        why = unreadable(path, os.path.join(bin_folder, "siptls-server"))
        if why is not None:
            common.skip(f"{why} (build with -gdwarf-4)")
        if blind(path, folder):
            common.fail("valgrind does not report a planted leak")
        common.make_pki(bin_folder, folder)
        server = common.Server(
            [*valgrind(path), os.path.join(bin_folder, "siptls-server"), "--listen", "127.0.0.1:0",
             "--credentials", os.path.join(folder, "server.example")], folder, timeout=120)
        with server:
            for options in ([], ["--policy", "img2020"]):
                done = common.run(
                    [*valgrind(path), os.path.join(bin_folder, "siptls-client"), "--connect",
                     server.address, "--domain", "server.example", "--credentials",
                     os.path.join(folder, "client.example"), "--options", "sip:server.example",
                     "--timeout", "60s", *options], timeout=180)
                print(done.stdout)
                if done.returncode != 0:
                    problems.append(f"the client ended with {done.returncode}")
            status = server.stop()
        print(server.log())
        # A server that ends by the signal itself tells valgrind nothing of its leaks.
        if status != 0:
            problems.append(f"the server ended with {status}"
                            + (" (by the signal, so leaks were not looked for)"
                               if status == -signal.SIGTERM else ""))
    if problems:
        common.fail("; ".join(problems))


if __name__ == "__main__":
    try:
        main()
    except subprocess.TimeoutExpired as late:
        common.fail(f"no end within the time: {late}")
