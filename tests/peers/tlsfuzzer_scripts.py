"""tlsfuzzer's scripts: how each is run against fuzz_host, where it deviates and why that is right,
and which do not apply at all.

A deviation is a part of what the script prints of a probe that went otherwise than it expects, and
the reason why siptls is not what has to change.
"""

import re


class Row:
    def __init__(self, options="", deviations=None, key="rsa", client="none", sampled=True,
                 scsv=False, patience=600):
        self.options = options.split()
        self.deviations = deviations or {}
        self.key = key
        self.client_certificate = client
        self.shows_certificate = client != "none"
        self.sampled = sampled
        self.scsv = scsv
        self.patience = patience

    def explains(self, error):
        """The reason for a deviation, or None for one that nobody has looked at."""
        return next((reason for pattern, reason in self.deviations.items()
                     if re.search(pattern, error)), None)


# --- Deviations that several scripts share ----------------------------------------------------

OLD = {r"fatal, protocol_version\)|received \"protocol_version\"":
       "TLS 1.1 and older are refused with protocol_version (RFC 8996)"}
RENEGOTIATION = {r"no_renegotiation|\"no_renegotiation\"":
                 "renegotiation is off (RFC 9325 section 3.5)"}
LARGE = {r"fatal, illegal_parameter\)|handshake_failure\" does not match received \"illegal_param":
         "a ClientHello of more than 16 KiB is BoringSSL's EXCESSIVE_MESSAGE_SIZE"}
UNSHARED = {r"fatal, handshake_failure\)":
            "nothing in common: no finite-field DHE, CCM, X448, Brainpool, PSS keys, SHA-1"}
UNSHARED_ALERT = {r"illegal_parameter\" does not match received \"handshake_failure":
                  "a key share of a group that is not used is not read: handshake_failure"}
NO_ETM = {r"Server did not send extension\(s\): encrypt_then_mac":
          "encrypt-then-MAC (RFC 7366) is not implemented; AEAD suites come first"}
DECODE = {r"received \"decode_error\"":
          "a message that cannot be read is decode_error in BoringSSL, whatever is wrong in it"}
SIGNATURE = {r"received \"decrypt_error\"":
             "decrypt_error: a Finished or signature of another content does not verify"}
EMPTY_LISTS = {r"Unexpected signature algorithms\. Got|Expected extension not matched for type sig":
               "CertificateRequest lists the schemes of TlsPolicy, not tlsfuzzer's default"}
SHA1 = {r"fatal, illegal_parameter\)|received \"illegal_parameter\"":
        "a signature by a scheme that was not asked for (SHA-1, RFC 9155) is illegal_parameter"}
NO_ID = {r"Handshake\(certificate\)":
         "sessions are resumed by ticket, never by session ID: the server keeps no state"}


LATE = "the signature scheme is chosen after ServerHello in TLS 1.3; the refusal follows it"


def both(*parts):
    return {pattern: reason for part in parts for pattern, reason in part.items()}


D, M, DM = "-d", "-M", "-d -M"

SCRIPTS = {
    "test-aes-gcm-nonces": Row(DM),
    "test-alpn-negotiation": Row(DM, both(RENEGOTIATION, LARGE, {
        r"Server did not send extension\(s\): alpn|Handshake\(server_hello":
        "ALPN is off by policy, so protocols of a client are not looked at"})),
    "test-atypical-padding": Row(DM, both(UNSHARED, NO_ETM, {
        r"min_length set too high": "the probe needs a request shorter than a SIP request is"})),
    "test-bleichenbacher-timing-pregenerate": Row(),
    "test-bleichenbacher-workaround": Row(),
    "test-ccs": Row(DM, {r"received \"illegal_parameter\"":
                         "a ChangeCipherSpec of two octets is illegal_parameter in BoringSSL"}),
    "test-certificate-malformed": Row(DM, client="requested"),
    "test-certificate-request": Row(DM, EMPTY_LISTS, client="requested"),
    "test-certificate-verify": Row(DM, client="requested"),
    "test-certificate-verify-malformed": Row(DM, client="requested"),
    "test-certificate-verify-malformed-sig": Row(DM, SHA1, client="requested"),
    "test-client-compatibility": Row(D, both(OLD, UNSHARED)),
    "test-client-hello-max-size": Row(DM, LARGE),
    "test-clienthello-md5": Row("", UNSHARED),
    "test-connection-abort": Row(DM),
    "test-conversation": Row(DM),
    "test-cve-2004-0079": Row(M),
    "test-cve-2016-2107": Row(DM),
    "test-cve-2016-6309": Row(DM, LARGE, scsv=True),
    "test-cve-2016-7054": Row("-C TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 -M", scsv=True),
    "test-downgrade-protection": Row(DM, OLD),
    "test-early-application-data": Row(DM),
    "test-ecdhe-rsa-key-exchange-with-bad-messages": Row(M, DECODE),
    "test-empty-extensions": Row("", scsv=True),
    "test-encrypt-then-mac": Row(DM, NO_ETM),
    "test-export-ciphers-rejected": Row(DM, both(OLD, UNSHARED)),
    "test-extended-master-secret-extension": Row(DM, both(OLD, UNSHARED, RENEGOTIATION, NO_ID, {
        r"Handshake\(server_hello\)": "resumption by session ID is not there to be refused"})),
    "test-extended-master-secret-extension-with-client-cert":
        Row(D, NO_ID, client="requested", sampled=False),
    "test-extensions": Row("", LARGE),
    "test-fallback-scsv": Row(D, both(OLD, {
        r"fatal, inappropriate_fallback\)":
        "a client without TLS 1.3 that says it fell back is refused by a server that has it"})),
    "test-fuzzed-MAC": Row(DM, {
        r"min_length set too high": "the probe needs a request shorter than a SIP request is"}),
    "test-fuzzed-ciphertext": Row(DM),
    "test-fuzzed-finished": Row(),
    "test-fuzzed-padding": Row(DM),
    "test-fuzzed-plaintext": Row(DM),
    "test-hello-request-by-client": Row(DM),
    "test-interleaved-CKE-with-CCS": Row(M),
    "test-interleaved-application-data-and-fragmented-handshakes-in-renegotiation":
        Row(DM, RENEGOTIATION),
    "test-interleaved-application-data-in-renegotiation": Row(DM, RENEGOTIATION),
    "test-invalid-cipher-suites": Row(),
    "test-invalid-client-hello": Row(),
    "test-invalid-client-hello-w-record-overflow": Row(DM),
    "test-invalid-compression-methods": Row(DM),
    "test-invalid-content-type": Row(DM),
    "test-invalid-rsa-key-exchange-messages": Row("", DECODE),
    "test-invalid-session-id": Row(),
    "test-invalid-version": Row(),
    "test-large-hello": Row(DM, both(LARGE, {
        r"unsupported_extension": "the extension that the probe repeats may not come twice"})),
    "test-large-number-of-extensions": Row(DM, LARGE),
    "test-lengths": Row("-C TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 -M", {
        r"ApplicationData of unexpected size": "SIP answers; it does not echo as many octets",
        r"close_notify": "too few octets for a SIP request: the stream is no SIP and is closed"}),
    "test-message-duplication": Row("", RENEGOTIATION),
    "test-message-skipping": Row(DM),
    "test-no-heartbeat": Row(DM),
    "test-no-mlkem-in-old-tls": Row(DM),
    "test-openssl-3712": Row("", RENEGOTIATION),
    "test-point-extension": Row("", both(DECODE, SHA1)),
    "test-record-layer-fragmentation": Row(DM, LARGE),
    "test-renegotiation-changed-clienthello": Row(DM, both(RENEGOTIATION, UNSHARED)),
    "test-rsa-sigs-on-certificate-verify": Row(DM, SHA1, client="requested"),
    "test-serverhello-random": Row("", OLD),
    "test-sessionID-resumption": Row(DM, NO_ID),
    "test-sig-algs": Row(M, both(UNSHARED, {
        r"Handshake\(server_hello\)": "a static RSA exchange needs no signature scheme"})),
    "test-signature-algorithms": Row(M),
    "test-ssl-death-alert": Row(DM, scsv=True),
    "test-sslv2-connection": Row("", OLD),
    "test-sslv2-force-cipher": Row(),
    "test-sslv2-force-cipher-3des": Row(),
    "test-sslv2-force-cipher-non3des": Row(),
    "test-sslv2-force-export-cipher": Row(),
    "test-sslv2hello-protocol": Row(DM, UNSHARED),
    "test-truncating-of-client-hello": Row(DM),
    "test-truncating-of-finished": Row(),
    "test-truncating-of-kRSA-client-key-exchange": Row(),
    "test-version-numbers": Row(DM),
    "test-x25519": Row("", both(UNSHARED, DECODE)),
    "test-zero-length-data": Row(DM),
    # TLS 1.3
    "test-tls13-0rtt-garbage": Row(DM, {
        r"unexpected_message": "more early data than the 16 KiB that BoringSSL skips"}),
    "test-tls13-ccs": Row("", {r"received \"bad_record_mac\"":
                               "a plaintext record after Finished does not decrypt"}),
    "test-tls13-certificate-request": Row("", EMPTY_LISTS, client="requested", sampled=False),
    "test-tls13-certificate-verify":
        Row("", both(EMPTY_LISTS, SIGNATURE, SHA1), client="requested"),
    "test-tls13-connection-abort": Row("", {
        r"ApplicationData": "the answer comes where the probe waits for one more ticket"}),
    "test-tls13-conversation": Row(),
    "test-tls13-count-tickets": Row(),
    "test-tls13-crfg-curves": Row("", both(DECODE, UNSHARED, UNSHARED_ALERT)),
    "test-tls13-dhe-shared-secret-padding": Row("", UNSHARED),
    "test-tls13-ecdhe-curves": Row("", both(DECODE, UNSHARED, UNSHARED_ALERT)),
    "test-tls13-ecdsa-support": Row("", both(UNSHARED, {
        r"Handshake\(server_hello\)": LATE}), key="p256"),
    "test-tls13-empty-alert": Row("", DECODE),
    "test-tls13-finished": Row("", both(SIGNATURE, SHA1)),
    "test-tls13-finished-plaintext": Row("", {
        r"received \"bad_record_mac\"": "a plaintext record after ServerHello does not decrypt"}),
    "test-tls13-hrr": Row(),
    "test-tls13-invalid-ciphers": Row(),
    "test-tls13-keyshare-omitted": Row(),
    "test-tls13-keyupdate": Row("", DECODE),
    "test-tls13-keyupdate-from-server": Row("", {
        r"ApplicationData": "the probe asks a web server's page for a KeyUpdate"}),
    "test-tls13-large-number-of-extensions": Row("", LARGE),
    "test-tls13-legacy-version": Row("", {
        r"Handshake\(server_hello\)": "supported_versions alone counts (RFC 8446 section 4.2.1)"}),
    "test-tls13-lengths": Row("", {
        r"ApplicationData of unexpected size": "SIP answers; it does not echo as many octets",
        r"close_notify": "too few octets for a SIP request: the stream is no SIP and is closed"}),
    "test-tls13-minerva": Row("", key="p256"),
    "test-tls13-no-unknown-groups": Row("", {
        r"Expected extension not matched for type key_share":
        "the sanity check wants secp256r1 although the client offers X25519 as well",
        r"hello_retry_request": "the group among the unknown ones is asked a key share for"}),
    "test-tls13-multiple-ccs-messages": Row("", {
        r"protocol_version": "the script's ChangeCipherSpec record says TLS 1.0 where BoringSSL, "
        "which knows the version by then, wants 0x0303"}),
    "test-tls13-nociphers": Row(),
    "test-tls13-obsolete-curves": Row("", both(UNSHARED, UNSHARED_ALERT, {
        r"Handshake\(server_hello": "groups that are not used are ignored, and another is taken"})),
    "test-tls13-pkcs-signature": Row("", {
        r"Handshake\(server_hello\)": LATE}),
    "test-tls13-record-layer-limits": Row("", both(SIGNATURE, {
        r"received \"bad_record_mac\"": "a record that does not decrypt is not measured"})),
    "test-tls13-record-padding": Row(),
    "test-tls13-rsa-signatures": Row("", {
        r"Handshake\(server_hello\)|handshake_failure":
        "rsa_pss_pss schemes need another kind of key"}),
    "test-tls13-serverhello-random": Row("", UNSHARED),
    "test-tls13-session-resumption": Row(DM, {
        r"ApplicationData": "a client without psk_dhe_ke gets no ticket to wait for"}),
    "test-tls13-signature-algorithms": Row(),
    "test-tls13-symetric-ciphers": Row("", UNSHARED),
    "test-tls13-shuffled-extentions": Row("", both(LARGE, DECODE, {
        r"fatal, decode_error\)|Handshake\(server_hello":
        "the order of the second ClientHello's extensions is not compared with the first"})),
    "test-tls13-unencrypted-alert": Row("", {
        r"bad_record_mac": "an alert tells why it ends, where the probe wants silence"}),
    "test-tls13-unrecognised-groups": Row("", both(UNSHARED, LARGE)),
    "test-tls13-version-negotiation": Row(),
    "test-tls13-zero-content-type": Row("", SIGNATURE),
    "test-tls13-zero-length-data": Row(),
}

DHE = "finite-field DHE, which siptls never uses (RFC 10015 section 3)"
ETM = "encrypt-then-MAC (RFC 7366), which BoringSSL does not implement"
RENEGOTIATES = "every probe renegotiates, which is off (RFC 9325 section 3.5)"
OWN_SERVER = "measures the time of one server for hours, with tools of its own"
OTHER_KEY = "needs a kind of client key that siptls does not accept"
SHA1_ONLY = "the client names no signature scheme, which means SHA-1 (RFC 5246 section 7.4.1.4.1)"
UNRUN = "needs packages, keys or a server page beyond a checkout of tlsfuzzer"

ABSENT = {
    "test-SSLv3-padding": "SSL 3.0 (RFC 7568)",
    "test-TLSv1_2-rejected-without-TLSv1_2": "needs a server of TLS 1.1",
    "test-aesccm": "CCM suites, which BoringSSL does not implement",
    "test-bleichenbacher-timing-marvin": OWN_SERVER,
    "test-chacha20": "ECDHE without supported_groups, which BoringSSL does not guess",
    "test-dhe-key-share-random": DHE,
    "test-dhe-no-shared-secret-padding": DHE,
    "test-dhe-rsa-key-exchange": DHE,
    "test-dhe-rsa-key-exchange-signatures": DHE,
    "test-dhe-rsa-key-exchange-with-bad-messages": DHE,
    "test-dsa-in-certificate-verify": OTHER_KEY + " (DSA)",
    "test-dsa-sig-flexibility": "DSA suites",
    "test-ecdhe-padded-shared-secret": SHA1_ONLY,
    "test-ecdhe-rsa-key-exchange": SHA1_ONLY,
    "test-ecdhe-rsa-key-share-random": SHA1_ONLY,
    "test-ecdsa-in-certificate-verify": OTHER_KEY + ": a P-521 key",
    "test-ecdsa-sig-flexibility": "the script itself stops with a NameError",
    "test-eddsa-in-certificate-verify": OTHER_KEY + " (Ed448 beside Ed25519)",
    "test-encrypt-then-mac-renegotiation": ETM,
    "test-ffdhe-expected-params": DHE,
    "test-ffdhe-negotiation": DHE,
    "test-heartbeat": "heartbeat (RFC 6520), which BoringSSL does not implement",
    "test-invalid-server-name-extension": "wants two names served differently by one web server",
    "test-invalid-server-name-extension-resumption": "as the one without resumption",
    "test-legacy-renegotiation": RENEGOTIATES,
    "test-lucky13": OWN_SERVER,
    "test-ocsp-stapling": "needs a server with an OCSP response, and renegotiates",
    "test-record-size-limit": "record_size_limit (RFC 8449), which BoringSSL does not implement",
    "test-renegotiation-disabled": "wants web pages while refusing to renegotiate",
    "test-renegotiation-disabled-client-cert": RENEGOTIATES,
    "test-resumption-with-wrong-ciphers": "resumption by session ID, which siptls does not have",
    "test-rsa-pss-sigs-on-certificate-verify": "the client names no group for its ECDHE suites",
    "test-session-ticket-resumption": "resumes with a session ID of its own beside renegotiation",
    "test-sig-algs-renegotiation-resumption": RENEGOTIATES,
    "test-unsupported-curve-fallback": DHE,
    "test-tls13-certificate-compression": "certificate compression (RFC 8879), which is off",
    "test-tls13-client-certificate-compression": "certificate compression (RFC 8879), which is off",
    "test-tls13-ecdhe-brainpool-curves": "Brainpool groups, which BoringSSL does not implement",
    "test-tls13-ecdsa-brainpool-in-certificate-verify": OTHER_KEY + " (Brainpool)",
    "test-tls13-ecdsa-in-certificate-verify": OTHER_KEY + ": a P-521 key",
    "test-tls13-eddsa": "needs a server with Ed25519 and Ed448 keys",
    "test-tls13-eddsa-in-certificate-verify": OTHER_KEY + " (Ed448 beside Ed25519)",
    "test-tls13-ffdhe-groups": DHE,
    "test-tls13-ffdhe-sanity": DHE,
    "test-tls13-mldsa-in-certificate-verify": OTHER_KEY + " (ML-DSA)",
    "test-tls13-mlkem": UNRUN + " (kyber-py)",
    "test-tls13-non-support": "needs a server without TLS 1.3",
    "test-tls13-post-handshake-auth": "post-handshake authentication: BoringSSL has none",
    "test-tls13-psk_dhe_ke": "external PSKs, which siptls does not have",
    "test-tls13-psk_ke": "external PSKs, which siptls does not have",
    "test-tls13-rsapss-signatures": "needs a server with an RSASSA-PSS key",
}
