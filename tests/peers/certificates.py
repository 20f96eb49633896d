"""Certificates for the tests with other implementations: by OpenSSL, and by siptls-pki."""

import os
import shutil

import peers
from peers import CLIENT, SERVER, folder, require, run, tool


class Credentials:
    """One side's files: its key, its certificate with the intermediate, and the CAs it trusts."""

    def __init__(self, where):
        self.folder = where
        self.key = os.path.join(where, "privateKey.pem")
        self.chain = os.path.join(where, "publickey.pem")
        self.trust = os.path.join(where, "CAList.pem")

    @property
    def issuers(self):
        """The path of a file with the chain's certificates above the leaf."""
        path = os.path.join(self.folder, "issuers.pem")
        with open(self.chain, encoding="ascii") as chain, open(path, "w", encoding="ascii") as file:
            end = "-----END CERTIFICATE-----\n"
            file.write("".join(part + end for part in chain.read().split(end)[1:-1]))
        return path

    def trusting(self, other):
        """The same credentials with the CAs of another side."""
        where = folder("mixed")
        shutil.copy(self.key, where)
        shutil.copy(self.chain, where)
        shutil.copy(other.trust, where)
        return Credentials(where)

    def in_one_file(self):
        """The path of a file with key and certificate, as some programs want them."""
        path = os.path.join(self.folder, "both.pem")
        with open(path, "w", encoding="ascii") as both:
            for part in (self.key, self.chain):
                with open(part, encoding="ascii") as file:
                    both.write(file.read())
        os.chmod(path, 0o600)
        return path


class Authority:
    """A CA with one intermediate and a certificate for SERVER and for CLIENT."""

    def __init__(self, maker, key):
        self.folder = folder("ca")
        maker(self.folder, key)
        self.server = Credentials(os.path.join(self.folder, SERVER))
        self.client = Credentials(os.path.join(self.folder, CLIENT))


def make_with_siptls(where, key):
    program = os.path.join(peers.arguments.bin, "siptls-pki")
    made = run([program, "--out", where, "--intermediates", "1", "--key",
                {"P-256": "p256", "RSA-2048": "rsa2048"}[key],
                "--identity", SERVER, "--identity", CLIENT])
    require(made.child.returncode == 0, f"siptls-pki failed: {made.err}")


def make_with_openssl(where, key):
    """The same files by OpenSSL: what siptls accepts must not depend on its own certificates."""
    algorithm = {"P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
                 "RSA-2048": ["rsa:2048"]}[key]

    def openssl(*words):
        made = run([tool("openssl"), *words], cwd=where)
        require(made.child.returncode == 0, f"openssl {words[0]} failed: {made.err}")

    def request(name, subject):
        openssl("req", "-newkey", *algorithm, "-nodes", "-keyout", name + ".key", "-out",
                name + ".csr", "-subj", "/CN=" + subject)

    def sign(name, issuer, extensions):
        with open(os.path.join(where, name + ".ext"), "w", encoding="ascii") as file:
            file.write("\n".join(extensions) + "\n")
        openssl("x509", "-req", "-in", name + ".csr", "-CA", issuer + ".pem", "-CAkey",
                issuer + ".key", "-CAcreateserial", "-days", "30", "-sha256", "-extfile",
                name + ".ext", "-out", name + ".pem")

    openssl("req", "-x509", "-newkey", *algorithm, "-nodes", "-keyout", "root.key", "-out",
            "root.pem", "-days", "30", "-sha256", "-subj", "/CN=Peer Test Root",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    request("issuing", "Peer Test Issuing CA")
    sign("issuing", "root", ["basicConstraints=critical,CA:TRUE,pathlen:0",
                             "keyUsage=critical,keyCertSign,cRLSign"])
    for identity in (SERVER, CLIENT):
        request(identity, identity)
        sign(identity, "issuing", [
            f"subjectAltName=URI:sip:{identity},DNS:{identity}", "basicConstraints=CA:FALSE",
            "keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth,clientAuth"])
        side = Credentials(os.path.join(where, identity))
        os.mkdir(side.folder)
        shutil.move(os.path.join(where, identity + ".key"), side.key)
        shutil.copy(os.path.join(where, "root.pem"), side.trust)
        with open(side.chain, "w", encoding="ascii") as chain:
            for name in (identity, "issuing"):
                with open(os.path.join(where, name + ".pem"), encoding="ascii") as file:
                    chain.write(file.read())


_authorities = {}


def authority(maker, key, name="ours"):
    """The authority of that name; made once a run. All but "ours" are strangers to the rest."""
    if (maker, key, name) not in _authorities:
        _authorities[maker, key, name] = Authority(maker, key)
    return _authorities[maker, key, name]
