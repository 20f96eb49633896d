"""Which of the runner's tests siptls answers otherwise, and why that is right."""

# Not run at all: patterns of names, and what siptls does not have.
ABSENT = {
    "*TLS1": "TLS 1.0 (RFC 8996)",
    "*TLS11": "TLS 1.1 (RFC 8996)",
    "TLS1-*": "TLS 1.0 (RFC 8996)",
    "TLS11-*": "TLS 1.1 (RFC 8996)",
    "*-TLS1-*": "TLS 1.0 (RFC 8996)",
    "*-TLS11-*": "TLS 1.1 (RFC 8996)",
    "Downgrade-TLS1[01]-*": "TLS 1.1 and older (RFC 8996)",
    "*-DTLS*": "SIP over DTLS is another transport",
    "DTLS-*": "SIP over DTLS is another transport",
    "*-QUIC*": "SIP has no QUIC transport",
    "*CECPQ2*": "a group that was an experiment",
    "*-P-224-*": "P-224 is not a group of TLS 1.3 and not used in TLS 1.2 (RFC 9325 section 4.2.1)",
    "*3DES*": "3DES (RFC 9325 section 4.1)",
}

SHA1 = "no signatures with SHA-1 (RFC 9155)"
RFC5746 = "TLS 1.2 peers must support secure renegotiation (RFC 9325 section 3.5)"
OWN_CERTIFICATE = "the runner makes a certificate that no trust store can hold beforehand"
TICKETS = "sessions are resumed by tickets, never by session ID"

# Run, and failed by the runner's lights.
DEVIATIONS = {
    "Client-Sign-Negotiate-*": "one list of schemes serves for signing and accepting, and without "
                               "an RSA scheme the runner's own certificate is not accepted",
    "Client-Sign-RSA_PKCS1_SHA1-*": SHA1,
    "Client-Sign-ECDSA_SHA1-*": SHA1,
    "Server-Sign-RSA_PKCS1_SHA1-*": SHA1,
    "Server-Sign-ECDSA_SHA1-*": SHA1,
    "ServerAuth-SHA1-Fallback-*": SHA1,
    "Ed25519DefaultDisable-*": "Ed25519 is accepted by default (RFC 8422)",
    "RSAKeyUsage-*": OWN_CERTIFICATE,
    "LargeMessage": "a chain of more than ten certificates is not looked at",
    "ClientHelloPadding": "the name that the test asks for is no DNS name: its label is too long",
    "UnsolicitedServerNameAck-*": "siptls always sends the name of a domain",
    "EmptyExtensions-*-TLS12": RFC5746,
    "OmitExtensions-*-TLS12": RFC5746,
    "Renegotiate-Server-NoExt": RFC5746,
    "ExtendedMasterSecret-NoToNo-*": "without the extended master secret nothing is resumed "
                                     "(RFC 7627 section 5.3)",
    "Resume-Server-NoTickets-*": TICKETS,
    "SupportTicketsWithSessionID": TICKETS,
    "TLS12-NoTicket-NoMint": TICKETS,
    "Shutdown-Shim-ApplicationData-*": "what comes after this side's close_notify is dropped "
                                       "(RFC 5246 section 7.2.1)",
    "FallbackSCSV": "the test's peer is TLS 1.1, which is refused before its signal counts",
    "ConflictingVersionNegotiation": "the test's older field says TLS 1.1, which decides there",
}
