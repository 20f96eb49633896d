#!/usr/bin/env python3
"""Sofia-SIP's sip-options as caller of siptls-server.

sip-options reads a key with its certificate and a list of CAs from ~/.sip/auth. It says whose
certificate it was shown but has no switch to judge it, so there is no row in which it refuses. It
has no switch for the TLS version either; OpenSSL's own configuration file sets that below it.
"""

import os
import shutil

from certificates import authority, make_with_siptls
from peers import (CLIENT, SERVER, VERSIONS, Process, check_proof, check_refusal,
                   folder, header, main, require, siptls_server, tool)

OPENSSL_CONFIGURATION = """openssl_conf = settings
[settings]
ssl_conf = contexts
[contexts]
system_default = limits
[limits]
MinProtocol = {version}
MaxProtocol = {version}
"""
OUTPUT = {"TLS 1.2": "TLSv1.2", "TLS 1.3": "TLSv1.3"}


def sip_options(port, credentials, version):
    home = folder("home")
    auth = os.path.join(home, ".sip", "auth")
    os.makedirs(auth)
    shutil.copy(credentials.in_one_file(), os.path.join(auth, "agent.pem"))
    # It sends its own certificate alone; OpenSSL adds what it finds here to complete the chain.
    with open(os.path.join(auth, "cafile.pem"), "w", encoding="ascii") as anchors:
        for part in (credentials.issuers, credentials.trust):
            with open(part, encoding="ascii") as file:
                anchors.write(file.read())
    configuration = os.path.join(home, "openssl.cnf")
    with open(configuration, "w", encoding="ascii") as file:
        file.write(OPENSSL_CONFIGURATION.format(version=OUTPUT[version]))
    return Process([tool("sip-options"), "--all", "--contact=sips:127.0.0.1:*",
                    f"--from=sips:tester@{CLIENT}", f"sips:{SERVER}@127.0.0.1:{port}"],
                   environment={"HOME": home, "OPENSSL_CONF": configuration, "TPORT_DEBUG": "9",
                                "TPORT_LOG": "1"})


def sip_options_calls(version, key):
    ours = authority(make_with_siptls, key)
    server = siptls_server(ours.server)
    caller = sip_options(server.port, ours.client, version)
    require(caller.finish() == 0, f"sip-options ended with status {caller.child.returncode}")
    require(caller.out.startswith("SIP/2.0 200 OK"), f"sip-options printed {caller.out}")
    request = server.wait_for_event("request", method="OPTIONS")
    require(header(caller.out, "Call-ID") == request["call_id"], "answer to another Call-ID")
    require(header(caller.out, "CSeq").endswith(" OPTIONS"), "answer to another CSeq")
    require(f"Subject 0: sip:{SERVER}\n" in caller.err,
            "sip-options was not shown siptls's certificate")
    check_proof(server, CLIENT, version)
    server.wait_for_event("closed")


def server_refuses_sip_options(version):
    ours = authority(make_with_siptls, "P-256")
    stranger = authority(make_with_siptls, "P-256", "stranger")
    server = siptls_server(ours.server)
    caller = sip_options(server.port, stranger.client, version)
    check_refusal(server, "unknown_ca", "unknown_ca")
    # All that it tells of an alert.
    caller.wait_for_text({"TLS 1.2": "TLS setup failed",
                          "TLS 1.3": "SIP/2.0 503 |TLS setup failed"}[version], "refusal")
    require("SIP/2.0 200" not in caller.output, "sip-options was answered")


def rows(report):
    report.matrix("sip-options calls siptls-server", sip_options_calls)
    for version in VERSIONS:
        report.row(f"siptls-server refuses sip-options of another CA, {version}",
                   server_refuses_sip_options, version)


if __name__ == "__main__":
    main(__doc__, rows)
