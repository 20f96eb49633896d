"""siptls-pki makes what it promises, and siptls-verify judges it."""

import os
import re
import shutil
import stat
import subprocess

import tools

# --defect, what siptls-verify says, index of the certificate
DEFECTS = [
    ("expired", "certificate_expired", 0),
    ("not-yet-valid", "certificate_not_yet_valid", 0),
    ("ca-expired", "certificate_expired", 1),
    ("wrong-ca", "unknown_ca", None),
    ("self-signed", "unknown_ca", None),
    ("incomplete", "unknown_ca", None),
    ("bad-signature", "certificate_signature_invalid", 0),
    ("wrong-identity", "identity_mismatch", 0),
    ("wildcard", "identity_mismatch", 0),
    ("no-san", "no_sip_identity", 0),
    ("sips-uri-only", "no_sip_identity", 0),
    ("user-in-uri", "no_sip_identity", 0),
    ("nul-in-name", "no_sip_identity", 0),
    ("name-constraint", "name_constraint_violated", 0),
    ("path-length", "path_length_exceeded", None),
    ("not-a-ca", "not_a_ca", 1),
    ("no-cert-sign", "not_a_ca", 1),
    ("key-usage", "key_usage_forbidden", 0),
    ("eku-wrong", "extended_key_usage_forbidden", 0),
    ("ca-eku-wrong", "extended_key_usage_forbidden", 1),
    ("weak-key", "weak_key", 0),
    ("sha1-signature", "weak_signature", 0),
    ("unknown-critical-extension", "unknown_critical_extension", 0),
]


class PkiAndVerify(tools.TestCase):
    def verify(self, pki, *arguments, identity=tools.SERVER):
        return tools.run("siptls-verify", "--json", "--anchors", pki.path(identity, "CAList.pem"),
                         "--chain", pki.path(identity, "publickey.pem"), *arguments)

    def assert_verdict(self, outcome, ok):
        self.assertEqual(len(outcome.events), 1, outcome.text)
        verdict = outcome.events[0]
        self.assertEqual(list(verdict)[:2], ["event", "ok"])
        self.assertEqual((verdict["event"], verdict["ok"]), ("verdict", ok), outcome.err)
        self.assertEqual(outcome.status, 0 if ok else 1)
        return verdict

    def assert_refused(self, outcome, reason, certificate=None):
        verdict = self.assert_verdict(outcome, False)
        self.assertEqual(verdict["reason"], reason, outcome.text)
        self.assertTrue(verdict["evidence"])
        self.assertEqual(verdict["certificate"], certificate, outcome.text)
        self.assert_failed(outcome, reason)

    def assert_good(self, outcome, identities, ca_depth):
        verdict = self.assert_verdict(outcome, True)
        self.assertEqual(verdict["identities"], identities)
        self.assertEqual(verdict["ca_depth"], ca_depth)
        self.assertEqual(outcome.err, "")

    def test_every_identity_gets_its_three_files(self):
        for key, block in (("p256", "PRIVATE KEY"), ("rsa2048", "PRIVATE KEY")):
            with self.subTest(key=key):
                pki = tools.Pki(os.path.join(self.folder, key), "--key", key)
                for identity in (tools.SERVER, tools.CLIENT):
                    self.assertEqual(tools.pem_blocks(pki.path(identity, "privateKey.pem")),
                                     [block])
                    self.assertEqual(tools.pem_blocks(pki.path(identity, "publickey.pem")),
                                     ["CERTIFICATE"] * 2)
                    self.assertEqual(tools.pem_blocks(pki.path(identity, "CAList.pem")),
                                     ["CERTIFICATE"])
                    self.assertEqual(sorted(os.listdir(os.path.join(pki.folder, identity))),
                                     ["CAList.pem", "privateKey.pem", "publickey.pem"])
                self.assertIn("root.pem", os.listdir(os.path.join(pki.folder, "ca")))
                self.assert_good(self.verify(pki, "--identity", tools.SERVER), [tools.SERVER], 2)

    def test_the_default_identity_is_demo_example(self):
        pki = tools.Pki(self.folder, identities=())
        self.assertEqual(sorted(os.listdir(self.folder)), ["ca", "demo.example"])
        self.assert_good(self.verify(pki, identity="demo.example"), ["demo.example"], 2)

    def test_private_keys_are_for_their_owner_only(self):
        loose = self.file("privateKey.pem", b"")
        os.makedirs(os.path.join(self.folder, tools.SERVER))
        os.chmod(loose, 0o644)
        os.rename(loose, os.path.join(self.folder, tools.SERVER, "privateKey.pem"))
        pki = tools.Pki(self.folder)
        secrets = [os.path.join(folder, name) for folder, _, names in os.walk(pki.folder)
                   for name in names if "PRIVATE KEY" in " ".join(
                       tools.pem_blocks(os.path.join(folder, name)))]
        self.assertEqual(len(secrets), 4)  # two leaves, the root, the intermediate
        for path in secrets:
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600, path)

    def test_what_was_written_is_told(self):
        outcome = tools.run("siptls-pki", "--json", "--out", self.folder, "--intermediates", 0)
        told = [event["path"] for event in outcome.named("written")]
        self.assertEqual(sorted(told), sorted(os.path.join(folder, name)
                                              for folder, _, names in os.walk(self.folder)
                                              for name in names))

    def test_a_folder_that_cannot_be_written_is_named(self):
        blocked = self.file("blocked", b"")
        outcome = tools.run("siptls-pki", "--json", "--out", blocked)
        self.assert_error_event(outcome, "io_failed")
        self.assertIn(blocked, outcome.err)

    def test_intermediates_stand_behind_the_leaf_and_count_for_the_depth(self):
        for intermediates, good in ((0, True), (3, True), (4, False)):
            with self.subTest(intermediates=intermediates):
                pki = tools.Pki(os.path.join(self.folder, str(intermediates)),
                                "--intermediates", intermediates)
                chain = pki.path(tools.SERVER, "publickey.pem")
                self.assertEqual(len(tools.pem_blocks(chain)), intermediates + 1)
                outcome = self.verify(pki)
                if good:
                    self.assert_good(outcome, [tools.SERVER], intermediates + 1)
                else:
                    self.assert_verdict(outcome, False)
                    self.assert_failed(outcome, "chain_too_deep")
                    self.assert_good(self.verify(pki, "--max-depth", 5), [tools.SERVER], 5)

    def test_the_depth_can_be_narrowed(self):
        pki = tools.Pki(self.folder)
        self.assert_good(self.verify(pki, "--max-depth", 2), [tools.SERVER], 2)
        self.assert_failed(self.verify(pki, "--max-depth", 1), "chain_too_deep")

    def test_an_ip_address_is_an_identity(self):
        for address in ("192.0.2.1", "2001:db8::1"):
            with self.subTest(address=address):
                pki = tools.Pki(self.folder, identities=(address,))
                outcome = self.verify(pki, "--identity", address, identity=address)
                self.assertEqual(self.assert_verdict(outcome, True)["matched"], address)

    def test_each_defect_has_its_reason(self):
        for defect, reason, certificate in DEFECTS:
            with self.subTest(defect=defect):
                pki = tools.Pki(os.path.join(self.folder, defect), "--defect", defect)
                outcome = self.verify(pki, "--identity", tools.SERVER)
                verdict = self.assert_verdict(outcome, False)
                self.assertEqual(verdict["reason"], reason, outcome.text)
                if certificate is not None:
                    self.assertEqual(verdict["certificate"], certificate, outcome.text)
                self.assert_failed(outcome, reason)
        # The chain itself is good; the key is another one.
        pki = tools.Pki(os.path.join(self.folder, "key-mismatch"), "--defect", "key-mismatch")
        self.assert_good(self.verify(pki), [tools.SERVER], 2)

    def test_defects_are_defects_with_a_single_ca_too(self):
        for defect, reason, _ in DEFECTS:
            arguments = ("--out", os.path.join(self.folder, defect), "--defect", defect,
                         "--intermediates", 0, "--identity", tools.SERVER)
            if defect in ("incomplete", "path-length", "ca-eku-wrong"):
                self.assert_failed(tools.run("siptls-pki", *arguments), "invalid_argument", 2)
                continue
            with self.subTest(defect=defect):
                pki = tools.Pki(os.path.join(self.folder, defect), *arguments[2:6],
                                identities=(tools.SERVER,))
                outcome = self.verify(pki, "--identity", tools.SERVER)
                self.assert_failed(outcome, reason)

    def test_a_wildcard_and_a_common_name_count_where_they_are_allowed(self):
        name = "a." + tools.SERVER
        for defect, option in (("wildcard", ("--wildcard", "one-label")),
                               ("no-san", ("--allow-cn",))):
            with self.subTest(defect=defect):
                pki = tools.Pki(os.path.join(self.folder, defect), "--defect", defect,
                                identities=(name,))
                for more, good in ((option, True), ((), False)):
                    outcome = self.verify(pki, "--identity", name, *more, identity=name)
                    self.assert_verdict(outcome, good)

    def test_the_extended_key_usage_can_be_chosen(self):
        # --eku of siptls-pki, of siptls-verify
        rows = [("web", "either", True), ("web", "sip-strict", False), ("sip", "either", True),
                ("sip", "sip-strict", True), ("none", "either", True),
                ("none", "sip-strict", True)]
        for made, asked, good in rows:
            with self.subTest(made=made, asked=asked):
                pki = tools.Pki(os.path.join(self.folder, made), "--eku", made)
                for role in ("server", "client"):
                    outcome = self.verify(pki, "--eku", asked, "--role", role)
                    self.assert_verdict(outcome, good)

    def test_names_of_every_form_can_be_added(self):
        names = {"dns:b.example": "DNS:b.example", "uri:sip:c.example": "URI:sip:c.example",
                 "ip:2001:db8::1": "IP Address:2001:DB8:0:0:0:0:0:1",
                 "email:user@d.example": "email:user@d.example", "dir:someone": "DirName:",
                 "rid:1.3.6.1.4.1.32473.2": "Registered ID:1.3.6.1.4.1.32473.2",
                 "other:anything": "othername:"}
        added = [part for name in names for part in ("--san", name)]
        pki = tools.Pki(self.folder, *added)
        verdict = self.assert_verdict(self.verify(pki), True)
        # A sip URI switches dNSName off (RFC 5922 section 7.1).
        self.assertEqual(verdict["identities"], [tools.SERVER, "c.example", "2001:db8::1"])
        if shutil.which("openssl"):
            told = subprocess.run(["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in",
                                   pki.path(tools.SERVER, "publickey.pem")],
                                  capture_output=True, check=True).stdout.decode()
            for text in names.values():
                self.assertIn(text, told)

    def test_names_that_cannot_be_written_are_bad_usage(self):
        for option, word in (("--san", "x400:a"), ("--san", "example"), ("--san", "ip:1.2.3"),
                             ("--san", "rid:one"), ("--permit", "ip:192.0.2.1"),
                             ("--exclude", "other:a")):
            with self.subTest(option=option, word=word):
                outcome = tools.run("siptls-pki", "--out", self.folder, option, word)
                self.assert_failed(outcome, "invalid_argument", status=2)

    def test_name_constraints_hold_for_what_they_name(self):
        ip = ("--defect", "no-san", "--san", "ip:192.0.2.7")
        rows = [(["--permit", "dns:example"], None),
                (["--permit", "dns:" + tools.SERVER], None),
                (["--permit", "dns:other.example"], "name_constraint_violated"),
                (["--exclude", "dns:example"], "name_constraint_violated"),
                (["--exclude", "dns:other.example"], None),
                (["--permit", "email:d.example"], None),
                (["--permit", "email:d.example", "--san", "email:user@d.example"], None),
                (["--permit", "email:d.example", "--san", "email:user@e.example"],
                 "name_constraint_violated"),
                (["--exclude", "email:d.example", "--san", "email:user@d.example"],
                 "name_constraint_violated"),
                (["--exclude", "dir:" + tools.SERVER], "name_constraint_violated"),
                (["--permit", "dir:" + tools.SERVER], None)]
        for number, (options, reason) in enumerate(rows):
            with self.subTest(options=options):
                pki = tools.Pki(os.path.join(self.folder, str(number)), *options,
                                identities=(tools.SERVER,))
                outcome = self.verify(pki, "--identity", tools.SERVER)
                verdict = self.assert_verdict(outcome, reason is None)
                self.assertEqual(verdict.get("reason"), reason)
        for number, constraint in enumerate(("--permit", "--exclude")):
            # The library that judges these knows no constraints of addresses, and refuses them.
            with self.subTest(constraint=constraint):
                pki = tools.Pki(os.path.join(self.folder, f"ip{number}"), *ip, constraint,
                                "ip:192.0.2.0/255.255.255.0")
                outcome = self.verify(pki, "--identity", "192.0.2.7")
                self.assert_failed(outcome, "name_constraint_violated")

    def test_an_expired_leaf_is_certificate_0(self):
        pki = tools.Pki(self.folder, "--defect", "expired")
        self.assert_refused(self.verify(pki), "certificate_expired", certificate=0)

    def test_the_time_can_be_given(self):
        pki = tools.Pki(self.folder)
        rows = [("2023-12-31T23:59:59Z", "certificate_not_yet_valid"),
                ("2024-01-01T00:00:00Z", None), ("2024-01-01T00:30:00+01:00",
                                                 "certificate_not_yet_valid"),
                ("2030-06-01T12:00:00.5Z", None), ("2100-01-01T00:00:01Z", "certificate_expired")]
        for at, reason in rows:
            with self.subTest(at=at):
                outcome = self.verify(pki, "--at", at)
                if reason:
                    verdict = self.assert_verdict(outcome, False)
                    self.assert_failed(outcome, reason)
                else:
                    self.assert_good(outcome, [tools.SERVER], 2)
                    verdict = outcome.events[0]
                self.assertEqual(verdict["clock"], "given")
        now = self.verify(pki).events[0]
        self.assertIn(now["clock"], ("synchronised", "unsynchronised"))
        self.assertRegex(now["at"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_identities_are_matched_as_sip_does(self):
        pki = tools.Pki(self.folder)
        self.assert_good(self.verify(pki, "--identity", "SERVER.example"), [tools.SERVER], 2)
        for name in ("example", "a." + tools.SERVER, tools.CLIENT, "192.0.2.1"):
            with self.subTest(name=name):
                self.assert_refused(self.verify(pki, "--identity", name), "identity_mismatch", 0)

    def test_a_list_of_allowed_peers_narrows(self):
        pki = tools.Pki(self.folder)
        both = ("--allow", "other.example", "--allow", tools.SERVER.upper())
        self.assert_good(self.verify(pki, *both), [tools.SERVER], 2)
        self.assert_refused(self.verify(pki, *both[:2]), "identity_not_allowed", 0)

    def test_a_name_that_cannot_be_asked_for_is_bad_usage(self):
        pki = tools.Pki(self.folder)
        self.assert_error_event(self.verify(pki, "--identity", "a b"), "invalid_domain", status=2)

    def test_role_and_extended_key_usage(self):
        pki = tools.Pki(self.folder)
        for role in ("server", "client"):
            for eku, good in (("either", True), ("ignore-client", True), ("sip-strict", False)):
                with self.subTest(role=role, eku=eku):
                    outcome = self.verify(pki, "--role", role, "--eku", eku)
                    if good:
                        self.assert_good(outcome, [tools.SERVER], 2)
                    else:
                        self.assert_verdict(outcome, False)
                        self.assert_failed(outcome, "extended_key_usage_forbidden")

    def test_the_number_of_anchors_is_limited(self):
        pki = tools.Pki(self.folder)
        roots = []
        for i in range(16):
            other = tools.Pki(os.path.join(self.folder, f"other{i}"), "--intermediates", 0,
                              identities=("x.example",))
            with open(other.path("x.example", "CAList.pem"), "rb") as file:
                roots.append(file.read())
        with open(pki.path(tools.SERVER, "CAList.pem"), "rb") as file:
            own = file.read()
        chain = pki.path(tools.SERVER, "publickey.pem")

        def judge(anchors, *arguments):
            return tools.run("siptls-verify", "--json", "--anchors",
                             self.file("anchors.pem", b"".join(anchors)), "--chain", chain,
                             *arguments)
        self.assert_good(judge(roots[:15] + [own]), [tools.SERVER], 2)
        self.assert_good(judge(roots[:15] + [own] * 3), [tools.SERVER], 2)
        self.assert_refused(judge(roots + [own]), "trust_store_full")
        self.assert_good(judge(roots + [own], "--max-entries", 17), [tools.SERVER], 2)
        self.assert_refused(judge(roots[:2], "--max-entries", 1), "trust_store_full")

    def test_anchors_can_be_a_folder(self):
        pki = tools.Pki(self.folder)
        anchors = os.path.join(self.folder, "anchors")
        os.mkdir(anchors)
        os.link(pki.path(tools.SERVER, "CAList.pem"), os.path.join(anchors, "root.crt"))
        outcome = tools.run("siptls-verify", "--json", "--anchors", anchors,
                            "--chain", pki.path(tools.SERVER, "publickey.pem"))
        self.assert_good(outcome, [tools.SERVER], 2)

    def test_files_that_cannot_be_used_are_refused_with_their_reason(self):
        pki = tools.Pki(self.folder)
        anchors = pki.path(tools.SERVER, "CAList.pem")
        chain = pki.path(tools.SERVER, "publickey.pem")
        key = pki.path(tools.SERVER, "privateKey.pem")
        empty, missing = self.file("empty.pem", b""), os.path.join(self.folder, "missing.pem")
        rows = [(missing, chain, [], "file_not_found"), (anchors, missing, [], "file_not_found"),
                (anchors, self.folder, [], "file_not_regular"),
                (empty, chain, [], "pem_empty"), (anchors, empty, [], "pem_empty"),
                (key, chain, [], "pem_wrong_type"), (anchors, key, [], "pem_wrong_type"),
                (anchors, chain, ["--crl", missing], "file_not_found"),
                (anchors, chain, ["--crl", empty], "pem_empty"),
                (anchors, chain, ["--crl", anchors], "pem_wrong_type")]
        for anchors_path, chain_path, more, reason in rows:
            with self.subTest(reason=reason, anchors=anchors_path, chain=chain_path, more=more):
                outcome = tools.run("siptls-verify", "--json", "--anchors", anchors_path,
                                    "--chain", chain_path, *more)
                self.assert_refused(outcome, reason)

    def test_people_get_lines(self):
        pki = tools.Pki(self.folder)
        outcome = tools.run("siptls-verify", "--anchors", pki.path(tools.SERVER, "CAList.pem"),
                            "--chain", pki.path(tools.SERVER, "publickey.pem"))
        self.assertEqual(outcome.status, 0)
        self.assertTrue(outcome.text.startswith("verdict: good, 2 CA certificates above the leaf"))
        self.assertRegex(outcome.text, rf"(?m)^identity: \S+ {re.escape(tools.SERVER)}$")
        refused = tools.run("siptls-verify", "--anchors", pki.path(tools.SERVER, "CAList.pem"),
                            "--chain", pki.path(tools.SERVER, "publickey.pem"),
                            "--identity", "other.example")
        self.assert_failed(refused, "identity_mismatch")
        self.assertEqual(refused.text, "verdict: refused, certificate 0\n")


if __name__ == "__main__":
    tools.main()
