"""What quickstart shows: the IMG 2020's fifteen steps, each number once or twice as that document
has it and in the order in which they happen, and none in TLS 1.3.

ladder.py BIN_FOLDER
"""

import os
import re
import sys

import common

# The document's 11 is the client's Finished. 14 is data and 15 close_notify, each from both sides.
IMG2020_ORDER = [1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 14, 15, 15]
# Step, message, and who sends it.
IMG2020_STEPS = {
    1: ("ClientHello", {"client"}), 2: ("ServerHello", {"server"}), 3: ("Certificate", {"server"}),
    4: ("CertificateRequest", {"server"}), 5: ("ServerKeyExchange", {"server"}),
    6: ("ServerHelloDone", {"server"}), 7: ("Certificate", {"client"}),
    8: ("ClientKeyExchange", {"client"}), 9: ("CertificateVerify", {"client"}),
    10: ("ChangeCipherSpec", {"client"}), 11: ("Finished", {"client"}),
    12: ("ChangeCipherSpec", {"server"}), 13: ("Finished", {"server"}),
    14: ("Application data", {"client", "server"}), 15: ("close_notify", {"client", "server"}),
}
MESSAGES = ("ClientHello", "ServerHelloDone", "ServerHello", "ServerKeyExchange",
            "CertificateRequest", "CertificateVerify", "Certificate", "ClientKeyExchange",
            "ChangeCipherSpec", "Finished", "Application data", "close_notify", "NewSessionTicket",
            "EncryptedExtensions", "CertificateStatus")


def ladder_rows(text):
    """(number or None, message, sender) for every line of a call flow."""
    rows = []
    for line in text.splitlines():
        arrow = "-->" if "-->" in line or "->" in line else "<--" if "<-" in line else None
        message = next((name for name in MESSAGES
                        if re.search(rf"(?<!\w){name}(?!\w)", line)), None)
        if arrow is None or message is None:
            continue
        number = re.match(r"\s*(\d+)\.?\s", line)
        rows.append((int(number.group(1)) if number else None, message,
                     "client" if arrow == "-->" else "server"))
    return rows


def run_client(bin_folder, address, folder, *options):
    return common.run_or_fail(
        [os.path.join(bin_folder, "siptls-client"), "--connect", address, "--domain",
         "server.example", "--credentials", os.path.join(folder, "client.example"), "--options",
         "sip:server.example", "--ladder", *options], timeout=60)


def img2020_problems(output):
    rows = ladder_rows(output)
    problems = []
    # Two halves of 14 and of 15 may be in several records or cross each other.
    numbers = [number for number, _, _ in rows if number is not None]
    squeezed = [number for i, number in enumerate(numbers)
                if number < 14 or numbers[:i].count(number) < 2]
    if squeezed != IMG2020_ORDER:
        problems.append(f"img2020: the numbers are {numbers}, expected {IMG2020_ORDER}")
    for number, (message, senders) in IMG2020_STEPS.items():
        seen = {(name, sender) for step, name, sender in rows if step == number}
        if seen != {(message, sender) for sender in senders}:
            problems.append(f"img2020: step {number} is {sorted(seen)}, expected {message} from "
                            f"{' and '.join(sorted(senders))}")
    problems += [f"img2020: {name} is no step of the document and has number {step}"
                 for step, name, _ in rows if step is not None and name == "NewSessionTicket"]
    return problems


def tls13_problems(output):
    rows = ladder_rows(output)
    problems = [f"TLS 1.3: {name} has number {step}" for step, name, _ in rows if step is not None]
    seen = [(name, sender) for _, name, sender in rows]
    for expected in (("ClientHello", "client"), ("ServerHello", "server"),
                     ("EncryptedExtensions", "server"), ("CertificateRequest", "server"),
                     ("Certificate", "server"), ("CertificateVerify", "server"),
                     ("Finished", "server"), ("Certificate", "client"),
                     ("CertificateVerify", "client"), ("Finished", "client"),
                     ("Application data", "client"), ("Application data", "server"),
                     ("close_notify", "client"), ("close_notify", "server")):
        if expected not in seen:
            problems.append(f"TLS 1.3: {expected[0]} from the {expected[1]} is not shown")
    return problems


def main():
    bin_folder = sys.argv[1]
    with common.temporary_folder() as folder:
        common.make_pki(bin_folder, folder)
        server = common.Server([os.path.join(bin_folder, "siptls-server"), "--listen",
                                "127.0.0.1:0", "--credentials",
                                os.path.join(folder, "server.example")], folder)
        with server:
            tls13 = run_client(bin_folder, server.address, folder)
            img2020 = run_client(bin_folder, server.address, folder, "--policy", "img2020")
        log = server.log()
    print(tls13, img2020, log, sep="\n")
    problems = tls13_problems(tls13) + img2020_problems(img2020)
    for output, version in ((tls13, "TLS 1.3"), (img2020, "TLS 1.2")):
        for words in (version, "server.example", "SIP/2.0 200 OK"):
            if words not in output:
                problems.append(f"the client of the {version} run does not show `{words}`")
        suite = re.search(r"TLS_\w+", output)
        if not suite:
            problems.append(f"the client of the {version} run does not show the suite")
    for words in ("client.example", "TLS 1.2", "TLS 1.3"):
        if words not in log:
            problems.append(f"the server does not show `{words}`")
    # The test can tell: a call flow with two lines exchanged is found out.
    lines = img2020.splitlines()
    steps = [i for i, line in enumerate(lines) if re.match(r"\s*(4|5)\.?\s", line)]
    if len(steps) == 2:
        lines[steps[0]], lines[steps[1]] = lines[steps[1]], lines[steps[0]]
        if not img2020_problems("\n".join(lines)):
            problems.append("this test is blind to the order")
    for line in problems:
        print(f"PROBLEM: {line}")
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
