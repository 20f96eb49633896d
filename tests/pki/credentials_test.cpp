#include "siptls/credentials.hpp"

#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/pkcs8.h>
#include <openssl/rsa.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "pki/pki_support.hpp"

using namespace pki_test;
using demo_pki::KeyType;
using siptls::Credentials;

namespace {

const demo_pki::Hierarchy& hierarchy(KeyType key) {
  static const auto p256 = demo_pki::make_hierarchy("demo.example", 2, KeyType::p256);
  static const auto rsa = demo_pki::make_hierarchy("demo.example", 1, KeyType::rsa2048);
  return key == KeyType::p256 ? p256 : rsa;
}

siptls::PassphraseSource says(const std::string& text) {
  return [text] { return std::optional<std::string>(text); };
}

std::string text_of(BIO* bio) {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  REQUIRE(BIO_mem_contents(bio, &data, &size) == 1);
  return std::string(reinterpret_cast<const char*>(data), size);
}

bssl::UniquePtr<EVP_PKEY> key_of(const std::string& pem) {
  const bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return bssl::UniquePtr<EVP_PKEY>(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
}

// The form that OpenSSL wrote before PKCS#8.
std::string proc_type_pem(const std::string& key_pem, const EVP_CIPHER* cipher,
                          std::string passphrase) {
  const auto key = key_of(key_pem);
  const bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
  REQUIRE(PEM_write_bio_ECPrivateKey(out.get(), EVP_PKEY_get0_EC_KEY(key.get()), cipher,
                                     reinterpret_cast<unsigned char*>(passphrase.data()),
                                     static_cast<int>(passphrase.size()), nullptr, nullptr) == 1);
  return text_of(out.get());
}

// A SEC 1 key without its curve, behind an EC PARAMETERS block that names it.
std::string sec1_with_parameters_pem(const std::string& key_pem) {
  const auto key = key_of(key_pem);
  bssl::ScopedCBB cbb;
  std::uint8_t* data = nullptr;
  std::size_t size = 0;
  REQUIRE(CBB_init(cbb.get(), 128));
  REQUIRE(EC_KEY_marshal_private_key(cbb.get(), EVP_PKEY_get0_EC_KEY(key.get()),
                                     EC_PKEY_NO_PARAMETERS));
  REQUIRE(CBB_finish(cbb.get(), &data, &size));
  const bssl::UniquePtr<std::uint8_t> owner(data);
  const bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
  const std::uint8_t prime256v1[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
  REQUIRE(PEM_write_bio(out.get(), "EC PARAMETERS", "", prime256v1, sizeof prime256v1) > 0);
  REQUIRE(PEM_write_bio(out.get(), "EC PRIVATE KEY", "", data, static_cast<long>(size)) > 0);
  return text_of(out.get());
}

std::string pkcs8_of_curve(int nid) {
  const bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(nid));
  const bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  REQUIRE(EC_KEY_generate_key(ec.get()) == 1);
  REQUIRE(EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) == 1);
  const bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                        nullptr) == 1);
  return text_of(out.get());
}

// PBES2 with PBKDF2 and HMAC-SHA512, written by OpenSSL; the passphrase is "hush".
const char* const kSha512Key =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAg21TfviahzlwIBCjAM\n"
    "BggqhkiG9w0CCwUAMB0GCWCGSAFlAwQBKgQQuqTQS8sLl6MlhViT7GD6zASBkLWo\n"
    "LTIjdAGLvPE3BN0AxeGbO2IYO1UjvNgzyncAxZ925RCSXITxxoKiDAwuwccR/l1Y\n"
    "eQalS/Xzutjb5zGRDLsTqWoPH2lLwIPRFXDrTQAmvL27TQxAS/7fplPl7yomfCaa\n"
    "ijCNX79rX220ojuMKVebixkb7pu4UkRu6LJUfPd2+aUUVBfJPDaquBy7wqJOvA==\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

// PBES2 with scrypt (RFC 7914 section 7), written by OpenSSL; the passphrase is "hush".
const char* const kScryptKey =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAgZ2wNKaSd/sQICQAAC\n"
    "AQgCAQEwHQYJYIZIAWUDBAEqBBCwsCbCUwcS7r7m/AbZ0lhYBIGQsSGDYzts5efO\n"
    "H/roXOE6jkD2CToKzHmtVoQG9fEIufxdCutQ61e96LaiZr/DeQCN+1PD58+vjnvl\n"
    "r7JCTbB2FEJDSSJUWLvwpuKjdCsVkgdjLCm6nmwcb6dtRkHY6p/lmIre9KnuKZkr\n"
    "4n2557KjROwa1x0d2pVVWmz4hlJcDPpodWrysK9gCpkXi8vwwhW1\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

}  // namespace

TEST_CASE("private keys are read in every usual form", "[pki][credentials]") {
  const Entity& ec = hierarchy(KeyType::p256).leaf;
  const Entity& rsa = hierarchy(KeyType::rsa2048).leaf;
  struct Row {
    const char* what;
    std::string key;
    std::string chain;
    siptls::PassphraseSource passphrase;
  };
  const std::vector<Row> rows{
      {"PKCS#8, EC", ec.private_key_pem(), ec.chain_pem(), {}},
      {"PKCS#8, RSA", rsa.private_key_pem(), rsa.chain_pem(), {}},
      {"SEC 1", ec.sec1_private_key_pem(), ec.chain_pem(), {}},
      {"SEC 1 behind EC PARAMETERS",
       sec1_with_parameters_pem(ec.private_key_pem()),
       ec.chain_pem(),
       {}},
      {"PKCS#1", rsa.pkcs1_private_key_pem(), rsa.chain_pem(), {}},
      {"PBES2", ec.encrypted_private_key_pem("hush"), ec.chain_pem(), says("hush")},
      {"PBES2 with an empty passphrase", ec.encrypted_private_key_pem(""), ec.chain_pem(),
       says("")},
      {"Proc-Type, AES", proc_type_pem(ec.private_key_pem(), EVP_aes_128_cbc(), "hush"),
       ec.chain_pem(), says("hush")},
      {"text around the key", "Bag Attributes\n" + ec.private_key_pem() + "\n", ec.chain_pem(), {}},
      {"a passphrase that is not needed", ec.private_key_pem(), ec.chain_pem(), says("x")},
      {"with the root at the end",
       ec.private_key_pem(),
       ec.chain_pem() + hierarchy(KeyType::p256).root.certificate_pem(),
       {}},
      {"the leaf alone", ec.private_key_pem(), ec.certificate_pem(), {}},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const auto result = Credentials::from_pem(row.key, row.chain, row.passphrase);
    INFO((result ? std::string() : result.error().message()));
    CHECK(outcome(result) == "ok");
  }
}

TEST_CASE("Ed25519 and the larger curves work", "[pki][credentials]") {
  for (const KeyType type : {KeyType::ed25519, KeyType::p384, KeyType::p521}) {
    const Entity self = Entity::self_signed(demo_pki::sip_spec("demo.example"), type);
    CHECK(outcome(Credentials::from_pem(self.private_key_pem(), self.chain_pem())) == "ok");
  }
}

TEST_CASE("every way to fail while loading credentials has its own reason", "[pki][credentials]") {
  const auto& ec = hierarchy(KeyType::p256);
  const std::string key = ec.leaf.private_key_pem();
  const std::string chain = ec.leaf.chain_pem();
  std::string broken_key = key;
  broken_key.replace(broken_key.find('\n') + 1, 8, "AAAAAAAA");
  const Entity weak = Entity::self_signed(demo_pki::sip_spec("weak.example"), KeyType::rsa1024);
  const std::string dsa = "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n";
  struct Row {
    const char* what;
    std::string key;
    std::string chain;
    siptls::PassphraseSource passphrase;
    std::string expected;
    std::string evidence;
  };
  const std::vector<Row> rows{
      {"no key", "", chain, {}, "pem_empty", ""},
      {"no chain", key, "", {}, "pem_empty", ""},
      {"a certificate for a key", chain, chain, {}, "pem_wrong_type", "CERTIFICATE"},
      {"a public key for a key",
       ec.leaf.public_key_pem(),
       chain,
       {},
       "pem_wrong_type",
       "PUBLIC KEY"},
      {"a public key for a chain",
       key,
       ec.leaf.public_key_pem(),
       {},
       "pem_wrong_type",
       "PUBLIC KEY"},
      {"a key for a chain", key, key, {}, "pem_wrong_type", "PRIVATE KEY"},
      {"two keys", key + key, chain, {}, "pem_wrong_type", "one private key"},
      {"a key that is cut", key.substr(0, 80), chain, {}, "pem_malformed", "does not end"},
      {"a key that is none", broken_key, chain, {}, "private_key_malformed", ""},
      {"parameters without a key",
       "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
       chain,
       {},
       "pem_wrong_type",
       "EC PARAMETERS"},
      {"a DSA key", dsa, chain, {}, "private_key_unsupported", "DSA"},
      {"a key on P-224", pkcs8_of_curve(NID_secp224r1), chain, {}, "private_key_unsupported", ""},
      {"a short RSA key", weak.private_key_pem(), weak.chain_pem(), {}, "weak_key", "RSA 1024"},
      {"a short RSA key for another leaf",
       weak.private_key_pem(),
       chain,
       {},
       "weak_key",
       "RSA 1024"},
      {"a leaf with a short RSA key", key, weak.chain_pem(), {}, "weak_key", "RSA 1024"},
      {"encrypted, and nobody to ask",
       ec.leaf.encrypted_private_key_pem("hush"),
       chain,
       {},
       "passphrase_required",
       ""},
      {"encrypted, and no answer", ec.leaf.encrypted_private_key_pem("hush"), chain,
       [] { return std::optional<std::string>(); }, "passphrase_required", ""},
      {"encrypted, and the wrong answer", ec.leaf.encrypted_private_key_pem("hush"), chain,
       says("hush "), "wrong_passphrase", ""},
      {"Proc-Type, and nobody to ask",
       proc_type_pem(key, EVP_aes_256_cbc(), "hush"),
       chain,
       {},
       "passphrase_required",
       ""},
      {"Proc-Type, and the wrong answer", proc_type_pem(key, EVP_aes_256_cbc(), "hush"), chain,
       says("no"), "wrong_passphrase", ""},
      {"scrypt", kScryptKey, chain, says("hush"), "key_encryption_unsupported", "openssl pkcs8"},
      {"the key of another",
       ec.intermediates[0].private_key_pem(),
       chain,
       {},
       "key_mismatch",
       "demo.example"},
      {"a key of another kind",
       hierarchy(KeyType::rsa2048).leaf.private_key_pem(),
       chain,
       {},
       "key_mismatch",
       "RSA 2048"},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const auto result = Credentials::from_pem(row.key, row.chain, row.passphrase);
    CHECK(outcome(result) == row.expected);
    if (!result) {
      INFO(result.error().evidence());
      CHECK(mentions(result.error(), row.evidence));
    }
  }
}

TEST_CASE("a key that the library cannot open says with what it was encrypted",
          "[pki][credentials]") {
  const auto chain = hierarchy(KeyType::p256).leaf.chain_pem();
  const auto scrypt = Credentials::from_pem(kScryptKey, chain, says("hush"));
  REQUIRE_FALSE(scrypt);
  CHECK(mentions(scrypt.error(), "PBES2 with scrypt and AES-256-CBC"));
  // Newer BoringSSL opens this one, and then it is the key of another.
  const auto sha512 = Credentials::from_pem(kSha512Key, chain, says("hush"));
  REQUIRE_FALSE(sha512);
  if (sha512.error().reason() == siptls::Errc::key_mismatch) return;
  CHECK(outcome(sha512) == "key_encryption_unsupported");
  CHECK(mentions(sha512.error(), "PBES2 with PBKDF2 (HMAC-SHA512) and AES-256-CBC"));
  CHECK(mentions(sha512.error(), "openssl pkcs8 -topk8"));
}

TEST_CASE("a key file that others can read is a warning, or an error under strict",
          "[pki][credentials]") {
  const auto& ec = hierarchy(KeyType::p256);
  const auto folder = std::filesystem::temp_directory_path() /
                      ("siptls-keys-" + std::to_string(std::random_device{}()));
  std::filesystem::create_directory(folder);
  const std::string key = folder / "privateKey.pem";
  const std::string chain = folder / "publickey.pem";
  std::ofstream(key) << ec.leaf.private_key_pem();
  std::ofstream(chain) << ec.leaf.chain_pem();
  using std::filesystem::perms;
  struct Row {
    perms mode;
    bool exposed;
  };
  const perms owner = perms::owner_read | perms::owner_write;
  for (const Row& row :
       {Row{owner, false}, Row{perms::owner_read, false}, Row{owner | perms::group_read, true},
        Row{owner | perms::others_read, true}, Row{owner | perms::group_write, true}}) {
    CAPTURE(static_cast<unsigned>(row.mode));
    std::filesystem::permissions(key, row.mode);
    const auto lenient = Credentials::from_pem_files(key, chain);
    REQUIRE(lenient);
    CHECK(lenient->warnings().size() == (row.exposed ? 1U : 0U));
    const auto strict = Credentials::from_pem_files(key, chain, {}, siptls::KeyFilePolicy::strict);
    CHECK(outcome(strict) == (row.exposed ? "key_file_exposed" : "ok"));
    if (!row.exposed) continue;
    CHECK(lenient->warnings()[0].reason() == siptls::Errc::key_file_exposed);
    CHECK(mentions(strict.error(), key));
    CHECK(mentions(strict.error(), "chmod 600"));
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("credentials of a key that is held elsewhere are checked as far as they go",
          "[pki][credentials]") {
  const auto& ec = hierarchy(KeyType::p256);
  const auto good = Credentials::from_external_key("slot 7", ec.leaf.chain_pem());
  REQUIRE(good);
  CHECK(good->certificates().size() == 3);
  CHECK(good->identities().size() == 1);
  const Entity weak = Entity::self_signed(demo_pki::sip_spec("a.example"), KeyType::rsa1024);
  CHECK(outcome(Credentials::from_external_key("k", weak.chain_pem())) == "weak_key");
  CHECK(outcome(Credentials::from_external_key("k", "nothing")) == "pem_empty");
}

TEST_CASE("an OCSP response that is none is refused where it is given", "[pki][credentials]") {
  const auto& ec = hierarchy(KeyType::p256);
  const Credentials made =
      Credentials::from_pem(ec.leaf.private_key_pem(), ec.leaf.chain_pem()).value();
  const std::string nonsense = "no response";
  CHECK(outcome(made.with_ocsp_response(bytes(nonsense))) == "ocsp_response_invalid");
  CHECK(outcome(made.with_ocsp_response({})) == "ok");
  CHECK(outcome(made.with_ocsp_response_file("/nonexistent/ocsp.der")) == "file_not_found");
}

TEST_CASE("a chain that is out of order is refused with the place", "[pki][credentials]") {
  const auto& ec = hierarchy(KeyType::p256);
  const std::string key = ec.leaf.private_key_pem();
  const std::string leaf = ec.leaf.certificate_pem();
  const std::string lower = ec.intermediates[1].certificate_pem();
  const std::string upper = ec.intermediates[0].certificate_pem();
  const auto folder = std::filesystem::temp_directory_path() /
                      ("siptls-chain-" + std::to_string(std::random_device{}()));
  std::filesystem::create_directory(folder);
  const auto place = [&](const std::string& chain) {
    const auto result = Credentials::from_pem(key, chain);
    REQUIRE(outcome(result) == "certificate_invalid");
    std::ofstream(folder / "key.pem") << key;
    std::ofstream(folder / "chain.pem") << chain;
    const auto from_files = Credentials::from_pem_files(folder / "key.pem", folder / "chain.pem");
    REQUIRE(outcome(from_files) == "certificate_invalid");
    CHECK(from_files.error().certificate() == result.error().certificate());
    return result.error().certificate();
  };
  CHECK(outcome(Credentials::from_pem(key, leaf + lower + upper)) == "ok");
  CHECK(place(leaf + upper + lower) == 1U);
  CHECK(place(leaf + lower + lower) == 2U);
  CHECK(place(leaf + leaf) == 1U);
  CHECK(place(leaf + lower + ec.root.certificate_pem()) == 2U);
  CHECK(outcome(Credentials::from_pem(key, lower + leaf)) == "key_mismatch");
  std::filesystem::remove_all(folder);
}

TEST_CASE("credentials say what they prove", "[pki][credentials]") {
  const auto& ec = hierarchy(KeyType::p256);
  const auto made = Credentials::from_pem(ec.leaf.private_key_pem(), ec.leaf.chain_pem());
  REQUIRE(made);
  REQUIRE(made->certificates().size() == 3);
  CHECK(made->certificates()[0].subject == "CN=demo.example");
  CHECK(made->certificates()[2].subject == "CN=siptls demo intermediate 1");
  REQUIRE(made->identities().size() == 1);
  CHECK(made->identities()[0].name == "demo.example");
  CHECK(made->identities()[0].source == siptls::Identity::Source::sip_uri);
}

TEST_CASE("files of credentials are named in errors", "[pki][credentials]") {
  const auto none =
      Credentials::from_pem_files("/nonexistent/privateKey.pem", "/nonexistent/publickey.pem");
  CHECK(outcome(none) == "file_not_found");
  CHECK(mentions(none.error(), "/nonexistent/"));
}
