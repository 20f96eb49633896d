"""siptls-verify judges CRLs and OCSP responses, those of siptls-pki and those of OpenSSL."""

import os
import re
import shutil
import subprocess
import unittest

import tools

OPENSSL = shutil.which("openssl")

# --defect of siptls-pki, what siptls-verify says with ca/crls.pem, index of the certificate
CRL_DEFECTS = [
    ("revoked", "certificate_revoked", 0),
    ("ca-revoked", "certificate_revoked", 1),
    ("crl-missing", "crl_missing", 0),
    ("crl-stale", "crl_stale", 0),
    ("crl-not-yet-valid", "crl_invalid", 0),
    ("crl-bad-signature", "crl_invalid", 0),
    ("crl-sha1", "crl_invalid", 0),
    ("crl-delta", "crl_unsupported", 0),
    ("crl-indirect", "crl_unsupported", 0),
    ("crl-partial", "crl_unsupported", 0),
]

# --ocsp of siptls-pki, what siptls-verify says
OCSP_KINDS = [("good", None), ("revoked", "certificate_revoked"),
              ("unknown", "ocsp_response_invalid"), ("expired", "ocsp_response_invalid")]


class Judged(tools.TestCase):
    def verify(self, pki, *arguments, chain=None):
        return tools.run("siptls-verify", "--json",
                         "--anchors", pki.path(tools.SERVER, "CAList.pem"),
                         "--chain", chain or pki.path(tools.SERVER, "publickey.pem"),
                         "--identity", tools.SERVER, *arguments)

    def assert_verdict(self, outcome, reason, certificate=0):
        """`reason` is None for a good chain. Gives the verdict."""
        verdict, = outcome.events
        self.assertEqual(verdict["ok"], reason is None, outcome.text)
        if reason is None:
            self.assertEqual((outcome.status, outcome.err), (0, ""))
        else:
            self.assertEqual((verdict["reason"], verdict["certificate"]), (reason, certificate),
                             outcome.text)
            self.assert_failed(outcome, reason)
        return verdict


class Revocation(Judged):
    def test_the_crls_of_all_cas_are_written(self):
        for intermediates in (0, 1, 3):
            with self.subTest(intermediates=intermediates):
                pki = tools.Pki(os.path.join(self.folder, str(intermediates)), "--crl",
                                "--intermediates", intermediates)
                crls = pki.path("ca", "crls.pem")
                self.assertEqual(tools.pem_blocks(crls), ["X509 CRL"] * (intermediates + 1))
                self.assert_verdict(self.verify(pki, "--crl", crls), None)

    def test_each_defect_of_the_crls_has_its_reason(self):
        for defect, reason, certificate in CRL_DEFECTS:
            with self.subTest(defect=defect):
                pki = tools.Pki(os.path.join(self.folder, defect), "--defect", defect)
                outcome = self.verify(pki, "--crl", pki.path("ca", "crls.pem"))
                self.assert_verdict(outcome, reason, certificate)
                # The chain itself is good, and without CRLs nothing is asked of them.
                self.assert_verdict(self.verify(pki), None)

    def test_crls_are_checked_with_a_single_ca_too(self):
        pki = tools.Pki(self.folder, "--defect", "revoked", "--intermediates", 0)
        outcome = self.verify(pki, "--crl", pki.path("ca", "crls.pem"))
        self.assert_verdict(outcome, "certificate_revoked")

    def test_ocsp_responses_are_judged_as_they_say(self):
        for kind, reason in OCSP_KINDS:
            with self.subTest(kind=kind):
                pki = tools.Pki(os.path.join(self.folder, kind), "--ocsp", kind)
                response = pki.path(tools.SERVER, "ocsp.der")
                verdict = self.assert_verdict(self.verify(pki, "--ocsp", response), reason)
                self.assertEqual("ocsp_valid_until" in verdict, reason is None)
                for policy, expected in (("require", reason), ("if-present", reason),
                                         ("ignore", None)):
                    outcome = self.verify(pki, "--ocsp", response, "--ocsp-policy", policy)
                    self.assert_verdict(outcome, expected)

    def test_an_ocsp_response_can_be_required(self):
        pki = tools.Pki(self.folder)
        for policy, reason in (("require", "ocsp_response_missing"), ("if-present", None),
                               ("ignore", None)):
            with self.subTest(policy=policy):
                self.assert_verdict(self.verify(pki, "--ocsp-policy", policy), reason)

    def test_a_response_is_for_one_certificate_only(self):
        pki = tools.Pki(self.folder, "--ocsp", "good")
        outcome = self.verify(pki, "--ocsp", pki.path(tools.CLIENT, "ocsp.der"))
        self.assert_verdict(outcome, "ocsp_response_invalid")

    def test_responses_have_their_time(self):
        pki = tools.Pki(self.folder, "--ocsp", "good")
        response = pki.path(tools.SERVER, "ocsp.der")
        for at in ("2025-01-01T00:00:00Z", "2099-01-01T00:00:00Z"):
            with self.subTest(at=at):
                outcome = self.verify(pki, "--ocsp", response, "--at", at)
                verdict = self.assert_verdict(outcome, "ocsp_response_invalid")
                self.assertIn(f"judged at {at} (given)", verdict["evidence"])

    def test_files_that_are_no_response_are_refused_with_their_reason(self):
        pki = tools.Pki(self.folder, "--ocsp", "good")
        with open(pki.path(tools.SERVER, "ocsp.der"), "rb") as file:
            good = file.read()
        rows = [(os.path.join(self.folder, "missing"), "file_not_found", None),
                (self.folder, "file_not_regular", None),
                (self.file("empty", b""), "ocsp_response_invalid", None),
                (self.file("cut", good[:-1]), "ocsp_response_invalid", 0),
                (self.file("more", good + b"\n"), "ocsp_response_invalid", 0),
                (self.file("long", bytes(65537)), "ocsp_response_invalid", 0),
                (pki.path(tools.SERVER, "publickey.pem"), "ocsp_response_invalid", 0)]
        for path, reason, certificate in rows:
            with self.subTest(path=path):
                self.assert_verdict(self.verify(pki, "--ocsp", path), reason, certificate)

    def test_people_read_how_long_a_response_holds(self):
        pki = tools.Pki(self.folder, "--ocsp", "good")
        outcome = tools.run("siptls-verify", "--anchors", pki.path(tools.SERVER, "CAList.pem"),
                            "--chain", pki.path(tools.SERVER, "publickey.pem"),
                            "--ocsp", pki.path(tools.SERVER, "ocsp.der"))
        self.assertEqual(outcome.status, 0)
        self.assertRegex(outcome.text, r"(?m)^OCSP response: good, until 20\d\d-.*Z$")


@unittest.skipUnless(OPENSSL, "there is no openssl")
class OpensslResponses(Judged):
    """Responses of another maker: `openssl ocsp` with an index of certificates."""

    def openssl(self, *arguments):
        done = subprocess.run([OPENSSL, *map(str, arguments)], capture_output=True, check=False,
                              timeout=tools.PATIENCE, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode().strip()

    def index(self, certificate, revoked=None):
        """The database of `openssl ca` with one certificate in it."""
        serial = self.openssl("x509", "-in", certificate, "-noout", "-serial").split("=")[1]
        state, when = ("R", revoked) if revoked else ("V", "")
        line = "\t".join([state, "21000101000000Z", when, serial, "unknown", "/CN=leaf"])
        return self.file("index.txt", (line + "\n").encode())

    def respond(self, pki, signer, key, *arguments, revoked=None):
        """What `openssl ocsp` says about the server's certificate."""
        leaf, path = pki.path(tools.SERVER, "publickey.pem"), os.path.join(self.folder, "ocsp.der")
        issuer = pki.path("ca", "intermediate1.pem")
        # Digests of CertIDs are an option of the certificates behind them.
        early = [word for word in arguments if word in ("-sha1", "-sha256")]
        late = [word for word in arguments if word not in early]
        self.openssl("ocsp", "-index", self.index(leaf, revoked), "-CA", issuer,
                     "-rsigner", signer, "-rkey", key, "-issuer", issuer, *early, "-cert", leaf,
                     "-ndays", "7", "-noverify", "-respout", path, *late)
        return path

    def responder(self, pki, name, purpose="OCSPSigning", key=("-newkey", "rsa:2048")):
        """Certificate and key of somebody whom the issuer lets sign."""
        request, made, secret = (os.path.join(self.folder, name + end)
                                 for end in (".csr", ".pem", ".key"))
        self.openssl("req", "-new", *key, "-nodes", "-keyout", secret, "-out", request,
                     "-subj", "/CN=" + name)
        extensions = self.file("extensions", f"extendedKeyUsage={purpose}\n"
                                             "keyUsage=digitalSignature\n".encode())
        self.openssl("x509", "-req", "-in", request, "-CA", pki.path("ca", "intermediate1.pem"),
                     "-CAkey", pki.path("ca", "intermediate1.key.pem"), "-set_serial", "7",
                     "-days", "30", "-extfile", extensions, "-out", made)
        return made, secret

    def test_the_issuer_signs(self):
        for key in ("p256", "rsa2048"):
            pki = tools.Pki(os.path.join(self.folder, key), "--key", key)
            signer = pki.path("ca", "intermediate1.pem"), pki.path("ca", "intermediate1.key.pem")
            for options in ([], ["-sha256"], ["-sha1", "-resp_key_id"], ["-resp_no_certs"],
                            ["-rmd", "sha384"], ["-nonce"]):
                with self.subTest(key=key, options=options):
                    path = self.respond(pki, *signer, *options)
                    verdict = self.assert_verdict(self.verify(pki, "--ocsp", path), None)
                    self.assertRegex(verdict["ocsp_valid_until"], r"^20\d\d-")

    def test_a_delegated_responder_signs(self):
        pki = tools.Pki(os.path.join(self.folder, "pki"))
        for key in (("-newkey", "rsa:2048"),
                    ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384")):
            signer = self.responder(pki, "responder", key=key)
            for options in ([], ["-sha256", "-resp_key_id"], ["-rmd", "sha512"]):
                with self.subTest(key=key, options=options):
                    path = self.respond(pki, *signer, *options)
                    self.assert_verdict(self.verify(pki, "--ocsp", path), None)
            without = self.respond(pki, *signer, "-resp_no_certs")
            self.assert_verdict(self.verify(pki, "--ocsp", without), "ocsp_response_invalid")

    def test_rsa_pss_is_understood(self):
        pki = tools.Pki(os.path.join(self.folder, "pki"))
        signer = self.responder(pki, "responder")
        path = self.respond(pki, *signer, "-rmd", "sha256",
                            "-rsigopt", "rsa_padding_mode:pss", "-rsigopt", "rsa_pss_saltlen:-1")
        self.assert_verdict(self.verify(pki, "--ocsp", path), None)

    def test_rsa_pss_is_taken_in_its_usual_form_only(self):
        pki = tools.Pki(os.path.join(self.folder, "pki"))
        signer = self.responder(pki, "responder")
        for odd in ("rsa_pss_saltlen:20", "rsa_mgf1_md:sha384"):
            with self.subTest(odd=odd):
                path = self.respond(pki, *signer, "-rmd", "sha256", "-rsigopt",
                                    "rsa_padding_mode:pss", "-rsigopt", odd)
                verdict = self.assert_verdict(self.verify(pki, "--ocsp", path),
                                              "ocsp_response_invalid")
                self.assertIn("rsassaPss", verdict["evidence"])

    def test_a_revocation_tells_when_and_why(self):
        pki = tools.Pki(os.path.join(self.folder, "pki"))
        signer = pki.path("ca", "intermediate1.pem"), pki.path("ca", "intermediate1.key.pem")
        path = self.respond(pki, *signer, revoked="260102030405Z,superseded")
        verdict = self.assert_verdict(self.verify(pki, "--ocsp", path), "certificate_revoked")
        self.assertIn("2026-01-02T03:04:05Z (superseded)", verdict["evidence"])

    def test_who_may_not_sign_is_refused(self):
        pki = tools.Pki(os.path.join(self.folder, "pki"))
        other = tools.Pki(os.path.join(self.folder, "other"))
        rows = [("another purpose", self.responder(pki, "responder", "serverAuth"),
                 "id-kp-OCSPSigning"),
                ("another issuer", self.responder(other, "stranger"), "issuer's key"),
                ("the root", (pki.path("ca", "root.pem"), pki.path("ca", "root.key.pem")),
                 "was issued by")]
        for what, signer, evidence in rows:
            with self.subTest(what=what):
                path = self.respond(pki, *signer)
                verdict = self.assert_verdict(self.verify(pki, "--ocsp", path),
                                              "ocsp_response_invalid")
                self.assertIn(evidence, verdict["evidence"])

    def test_sha1_signatures_are_refused(self):
        pki = tools.Pki(os.path.join(self.folder, "pki"))
        signer = self.responder(pki, "responder")
        path = self.respond(pki, *signer, "-rmd", "sha1")
        verdict = self.assert_verdict(self.verify(pki, "--ocsp", path), "ocsp_response_invalid")
        self.assertIn("sha1", verdict["evidence"])


@unittest.skipUnless(OPENSSL, "there is no openssl")
class Stapling(Judged):
    """siptls-server and siptls-client against OpenSSL at the other end."""

    def pki(self, kind):
        return tools.Pki(os.path.join(self.folder, kind), "--ocsp", kind)

    def received(self, server, version):
        """What a client of OpenSSL says about the response that came."""
        done = subprocess.run([OPENSSL, "s_client", "-connect", server.endpoint, "-status",
                               version, "-servername", tools.SERVER], input=b"Q\n",
                              capture_output=True, check=False, timeout=tools.PATIENCE)
        text = done.stdout.decode("utf-8", "replace")
        self.assertIn("OCSP response:", text)
        return "good" if "Cert Status: good" in text else text

    def test_a_valid_response_is_stapled(self):
        pki = self.pki("good")
        staple = pki.path(tools.SERVER, "ocsp.der")
        with tools.Server(pki.credentials(tools.SERVER), "--client-cert", "none",
                          "--staple", staple) as server:
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(version=version):
                    self.assertEqual(self.received(server, version), "good")

    def test_one_that_is_of_no_use_gives_a_warning_and_is_not_stapled(self):
        rows = [("expired", tools.SERVER, "was to be replaced"),
                ("good", tools.CLIENT, "is none of them")]
        for kind, whose, evidence in rows:
            with self.subTest(kind=kind, whose=whose):
                pki = self.pki(kind)
                with tools.Server(pki.credentials(tools.SERVER), "--client-cert", "none",
                                  "--staple", pki.path(whose, "ocsp.der")) as server:
                    warning = server.expect("warning", reason="ocsp_response_invalid")
                    self.assertIn(evidence, warning["evidence"])
                    for version in ("-tls1_2", "-tls1_3"):
                        self.assertIn("no response sent", self.received(server, version))

    def test_a_file_that_is_no_response_stops_the_server(self):
        pki = self.pki("good")
        rows = [(os.path.join(self.folder, "missing"), "file_not_found"),
                (self.folder, "file_not_regular"),
                (self.file("empty", b""), "ocsp_response_invalid"),
                (pki.path(tools.SERVER, "publickey.pem"), "ocsp_response_invalid")]
        for path, reason in rows:
            with self.subTest(path=path):
                outcome = tools.run("siptls-server", "--json", "--listen", "127.0.0.1:0",
                                    *pki.credentials(tools.SERVER), "--staple", path)
                self.assert_error_event(outcome, reason)

    def connect(self, pki, version):
        """siptls-client to a server of OpenSSL that staples whatever it is told to."""
        command = [OPENSSL, "s_server", "-accept", "127.0.0.1:0", "-naccept", "1", version,
                   "-key", pki.path(tools.SERVER, "privateKey.pem"),
                   "-cert", pki.path(tools.SERVER, "publickey.pem"),
                   "-cert_chain", pki.path("ca", "intermediate1.pem"),
                   "-status_file", pki.path(tools.SERVER, "ocsp.der"), "-rev"]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, preexec_fn=tools.die_with_the_test) as peer:
            try:
                for line in peer.stdout:
                    accepting = re.match(rb"ACCEPT .*:(\d+)$", line.strip())
                    if accepting:
                        break
                else:
                    self.fail("openssl s_server does not listen")
                return tools.run("siptls-client", "--json", "--connect",
                                 f"127.0.0.1:{accepting[1].decode()}", "--domain", tools.SERVER,
                                 "--ca", pki.path(tools.SERVER, "CAList.pem"), "--timeout", "1s",
                                 "--options", f"sip:{tools.SERVER}")
            finally:
                peer.kill()

    def test_a_client_judges_what_is_stapled(self):
        for kind, reason in OCSP_KINDS:
            pki = self.pki(kind)
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(kind=kind, version=version):
                    outcome = self.connect(pki, version)
                    self.assertEqual(len(outcome.named("connected")), 0 if reason else 1,
                                     outcome.text)
                    if reason:
                        self.assert_error_event(outcome, reason)


if __name__ == "__main__":
    tools.main()
