#!/usr/bin/env python3
"""Runs one script of tlsfuzzer as a SIP client: tlsfuzzer_script.py SCRIPT [--scsv] [OPTION]...

tlsfuzzer's scripts speak HTTP once the handshake is done. Here each GET becomes a SIP OPTIONS as it
goes out, in as many pieces as the script cuts its request into, and as long where a script fills
records. With --scsv the few scripts that do not say that they support secure renegotiation
(RFC 5746) do: a server that requires it would refuse them before they come to what they are about.
"""

import re
import runpy
import sys

from tlsfuzzer import messages
from tlslite.constants import CipherSuite

START = b"OPTIONS sip:server.example SIP/2.0"
HEADERS = (b"\r\nv:SIP/2.0/TLS a;branch=z9hG4bK1\r\nf:<sip:a>;tag=1\r\nt:<sip:a>\r\ni:1\r\n"
           b"CSeq:1 OPTIONS\r\nl:0")
END = b"\r\n\r\n"
# What some scripts cut their request into.
PIECES = {b"GET": b"OPTIONS", b"GET /": START[:-7],
          b" / HTTP/1.0\r\n\r\n": START[7:] + HEADERS + END,
          b"/ HTTP/1.0\r\n\r\n": START[7:] + HEADERS + END, b"HTTP/1.": b"SIP/2.",
          b" HTTP/1.0\r\n\r\n": START[-8:] + HEADERS + END, b"0\r\n\r\n": b"0" + HEADERS + END}


def options(size=0):
    """A request of so many octets, or as many as it needs."""
    missing = size - len(START + HEADERS + END)
    filler = b"\r\nX:" + b"a" * (missing - 4) if missing >= 4 else b""
    return START + HEADERS + filler + END


def sip_for(payload):
    """The SIP text for a script's request; what is no whole request stays."""
    http = bytes(payload)
    if http in PIECES:
        return PIECES[http]
    if re.fullmatch(rb"GET /\S* HTTP/1\.0\r?\n(.+\r?\n)*\r?\n", http):
        return options(len(http))
    if re.fullmatch(rb"A+\n", http):  # any octets, which a web server calls a bad request
        return options(len(http)) if len(http) >= len(options()) + 4 else http
    return http


def speak_sip():
    generate = messages.ApplicationDataGenerator.generate

    def generate_sip(self, status):
        http = self.payload
        self.payload = bytearray(sip_for(http))
        message = generate(self, status)
        self.payload = http
        return message

    messages.ApplicationDataGenerator.generate = generate_sip


def support_secure_renegotiation():
    generate = messages.ClientHelloGenerator.generate

    def generate_with(self, state):
        wanted = CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV
        if wanted not in self.ciphers:
            self.ciphers = [*self.ciphers, wanted]
        return generate(self, state)

    messages.ClientHelloGenerator.generate = generate_with


def main():
    script, *words = sys.argv[1:]
    if words[:1] == ["--scsv"]:
        support_secure_renegotiation()
        del words[0]
    speak_sip()
    sys.argv = [script, *words]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
