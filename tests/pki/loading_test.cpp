#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "catch.hpp"
#include "pki/pki_support.hpp"

using namespace pki_test;

namespace {

const demo_pki::Hierarchy& hierarchy() {
  static const auto made = demo_pki::make_hierarchy("demo.example");
  return made;
}

std::string with_crlf(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? "\r\n" : std::string(1, c);
  return out;
}

// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "siptls-pki-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& name = {}) const {
    return name.empty() ? path_ : path_ + "/" + name;
  }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

 private:
  std::string path_;
};

std::vector<Entity> many_roots(int count) {
  std::vector<Entity> out;
  for (int i = 0; i < count; ++i) {
    out.push_back(Entity::self_signed(demo_pki::ca_spec("root " + std::to_string(i))));
  }
  return out;
}

}  // namespace

TEST_CASE("every way to fail while loading certificates has its own reason", "[pki][loading]") {
  const std::string good = hierarchy().root.certificate_pem();
  const std::string cut = good.substr(0, good.size() / 2);
  std::string not_base64 = good;
  not_base64[good.size() / 2] = '!';
  struct Row {
    const char* what;
    std::string pem;
    std::string expected;
    std::string evidence;
  };
  const std::vector<Row> rows{
      {"a certificate", good, "ok", ""},
      {"CRLF at the ends of lines", with_crlf(good), "ok", ""},
      {"text before, between and behind",
       "subject=/CN=x\n" + good + "\n# another one\n" + hierarchy().leaf.certificate_pem() + "end",
       "ok", ""},
      {"no line end at the end", good.substr(0, good.size() - 1), "ok", ""},
      {"an empty text", "", "pem_empty", "empty"},
      {"a text without blocks", "hello\n", "pem_empty", "no PEM block"},
      {"DER instead of PEM", hierarchy().root.certificate_der(), "pem_empty", "DER"},
      {"a bare public key", hierarchy().leaf.public_key_pem(), "pem_wrong_type", "PUBLIC KEY"},
      {"a private key", hierarchy().leaf.private_key_pem(), "pem_wrong_type", "PRIVATE KEY"},
      {"a private key behind a certificate", good + hierarchy().leaf.private_key_pem(),
       "pem_wrong_type", "PRIVATE KEY"},
      {"a CRL", hierarchy().root.crl_pem({}, at(0), at(kNow)), "pem_wrong_type", "X509 CRL"},
      {"a block that does not end", cut, "pem_malformed", "does not end"},
      {"a block inside a block", cut + "\n" + good, "pem_malformed", "does not end"},
      {"an END of another type",
       good.substr(0, good.find("-----END")) + "-----END PRIVATE KEY-----\n", "pem_malformed",
       "PRIVATE KEY"},
      {"what is not base64", not_base64, "pem_malformed", "base64"},
      {"an empty block", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
       "pem_malformed", "empty"},
      {"a BEGIN row without end", "-----BEGIN CERTIFICATE\nAAAA\n", "pem_malformed", "line 1"},
      {"a block that is no certificate",
       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate_malformed",
       "line 1"},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const auto result = TrustStore::from_pem(row.pem);
    CHECK(outcome(result) == row.expected);
    if (!result) {
      INFO(result.error().evidence());
      CHECK(mentions(result.error(), row.evidence));
    }
  }
}

TEST_CASE("DER must be one certificate and nothing behind it", "[pki][loading]") {
  const std::string der = hierarchy().root.certificate_der();
  CHECK(outcome(TrustStore::from_der(bytes(der))) == "ok");
  const std::string longer = der + std::string(1, '\0');
  CHECK(outcome(TrustStore::from_der(bytes(longer))) == "certificate_malformed");
  const std::string shorter = der.substr(0, der.size() - 1);
  CHECK(outcome(TrustStore::from_der(bytes(shorter))) == "certificate_malformed");
  CHECK(outcome(TrustStore::from_der({})) == "certificate_malformed");
}

TEST_CASE("a store takes sixteen entries and refuses the seventeenth", "[pki][loading]") {
  const auto roots = many_roots(17);
  std::string pem;
  for (int i = 0; i < 16; ++i) pem += roots[static_cast<std::size_t>(i)].certificate_pem();
  const auto full = TrustStore::from_pem(pem);
  REQUIRE(full);
  CHECK(full->entries().size() == 16);

  const auto more = full->with_pem(roots[16].certificate_pem());
  REQUIRE(outcome(more) == "trust_store_full");
  CHECK(mentions(more.error(), "17"));
  CHECK(mentions(more.error(), "max_entries is 16"));
  CHECK(mentions(more.error(), "root 16"));
  CHECK(full->entries().size() == 16);

  CHECK(outcome(TrustStore::from_pem(pem + roots[16].certificate_pem())) == "trust_store_full");
  const auto same = full->with_pem(roots[3].certificate_pem());
  REQUIRE(same);
  CHECK(same->entries().size() == 16);
  CHECK(same->digest() == full->digest());
  siptls::TrustLimits wider;
  wider.max_entries = 17;
  CHECK(outcome(TrustStore::from_pem(pem + roots[16].certificate_pem(), wider)) == "ok");
}

TEST_CASE("a store is a value: what is made from it leaves it alone", "[pki][loading]") {
  const TrustStore empty;
  const auto one = empty.with_pem(hierarchy().root.certificate_pem());
  REQUIRE(one);
  CHECK(empty.entries().empty());
  CHECK(one->entries().size() == 1);
  CHECK(empty.digest() != one->digest());
  const TrustStore copy = *one;
  CHECK(copy.digest() == one->digest());
}

TEST_CASE("the digest tells stores that judge differently apart", "[pki][loading]") {
  const auto roots = many_roots(2);
  const TrustStore forwards = store_of({roots[0], roots[1]});
  CHECK(forwards.digest() == store_of({roots[1], roots[0]}).digest());
  std::set<std::array<std::uint8_t, 32>> digests{forwards.digest(), store_of({roots[0]}).digest(),
                                                 TrustStore().digest()};
  siptls::TrustLimits limits;
  limits.max_ca_depth = 3;
  digests.insert(store_of({roots[0]}, limits).digest());
  limits = {};
  limits.max_entries = 3;
  digests.insert(store_of({roots[0]}, limits).digest());
  const auto crl = roots[0].crl_pem({}, at(kNow), at(kNow + kDay));
  digests.insert(store_of({roots[0]}).with_crls(crl).value().digest());
  CHECK(digests.size() == 6);
}

TEST_CASE("an entry says what it is", "[pki][loading]") {
  const TrustStore store = store_of({hierarchy().root, hierarchy().leaf});
  REQUIRE(store.entries().size() == 2);
  const auto& root = store.entries()[0];
  CHECK(root.certificate.subject == "CN=siptls demo root");
  CHECK(root.certificate.issuer == "CN=siptls demo root");
  CHECK(root.certificate.key == "P-256");
  CHECK(siptls::format_time(root.certificate.not_before) == "2024-01-01T00:00:00Z");
  CHECK(siptls::format_time(root.certificate.not_after) == "2100-01-01T00:00:00Z");
  CHECK(root.certificate.serial.size() == 32);
  CHECK(root.self_signed);
  CHECK(root.is_ca);
  CHECK_FALSE(store.entries()[1].self_signed);
  CHECK_FALSE(store.entries()[1].is_ca);
}

TEST_CASE("names in summaries are ASCII", "[pki][loading]") {
  const auto entity = Entity::self_signed(demo_pki::ca_spec("Bj\xc3\xb6rn, \"x\"\n"));
  const TrustStore store = store_of({entity});
  CHECK(store.entries()[0].certificate.subject == "CN=Bj\\C3\\B6rn\\, \\\"x\\\"\\0A");
}

TEST_CASE("an end of validity that no clock reaches stays in the future", "[pki][loading]") {
  auto spec = demo_pki::ca_spec("eternal");
  spec.not_after = WallTime::max();
  const Entity root = Entity::self_signed(spec);
  const TrustStore store = store_of({root});
  CHECK(store.entries()[0].certificate.not_after > at(kNow));
}

TEST_CASE("files are read with a bound and named in errors", "[pki][loading]") {
  const Folder folder;
  const auto good = folder.write("CAList.pem", hierarchy().root.certificate_pem());
  CHECK(outcome(TrustStore::from_pem_file(good)) == "ok");

  const auto missing = TrustStore::from_pem_file(folder.path("none.pem"));
  CHECK(outcome(missing) == "file_not_found");
  CHECK(mentions(missing.error(), "none.pem"));
  CHECK(outcome(TrustStore::from_pem_file(folder.path())) == "file_not_regular");
  const auto empty = TrustStore::from_pem_file(folder.write("empty.pem", ""));
  CHECK(outcome(empty) == "pem_empty");
  CHECK(mentions(empty.error(), "empty.pem"));
  CHECK(outcome(TrustStore::from_pem_file(
            folder.write("big.pem", std::string(2 * 1024 * 1024, 'x')))) == "file_too_large");
  const auto key =
      TrustStore::from_pem_file(folder.write("publickey.pem", hierarchy().leaf.public_key_pem()));
  CHECK(outcome(key) == "pem_wrong_type");
  CHECK(mentions(key.error(), "publickey.pem"));
  CHECK(mentions(key.error(), "PUBLIC KEY"));
}

TEST_CASE("each file that cannot be read has its own reason, and none makes the reader wait",
          "[pki][loading]") {
  const Folder folder;
  const std::string good = hierarchy().root.certificate_pem();
  const auto sparse = folder.write("sparse.pem", "");
  std::filesystem::resize_file(sparse, std::uintmax_t{1} << 30);
  const std::string fifo = folder.path("fifo.pem");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const auto hidden = folder.write("hidden.pem", good);
  std::filesystem::permissions(hidden, std::filesystem::perms::none);
  std::filesystem::create_directory(folder.path("folder.pem"));
  std::filesystem::create_symlink(folder.path("loop.pem"), folder.path("loop.pem"));
  std::filesystem::create_symlink("/dev/zero", folder.path("device.pem"));
  const auto cut = good.substr(0, good.size() - good.size() / 3);
  const auto end = good.find("-----END");
  std::string without_a_line = good;
  without_a_line.erase(good.find('\n', good.find('\n') + 1) + 1, 65);
  struct Row {
    std::string file;
    std::string expected;
  };
  const std::vector<Row> rows{
      {sparse, "file_too_large"},
      {fifo, "file_not_regular"},
      {folder.path("folder.pem"), "file_not_regular"},
      {folder.path("device.pem"), "file_not_regular"},
      {folder.path("loop.pem"), "file_unreadable"},
      {folder.path("missing.pem"), "file_not_found"},
      {folder.write("empty.pem", ""), "pem_empty"},
      {folder.write("cut.pem", cut), "pem_malformed"},
      {folder.write("line.pem", without_a_line), "certificate_malformed"},
      {folder.write("odd.pem", good.substr(0, end - 2) + "\n" + good.substr(end)), "pem_malformed"},
      {folder.write("key.pem", hierarchy().leaf.private_key_pem()), "pem_wrong_type"},
      {folder.write("behind.pem", good + "-----BEGIN CERTIFICATE-----\ngarbage"), "pem_malformed"},
  };
  for (const auto& row : rows) {
    INFO(row.file);
    const auto result = TrustStore::from_pem_file(row.file);
    CHECK(outcome(result) == row.expected);
    if (!result) CHECK(mentions(result.error(), row.file));
  }
  // Who may read everything is not kept out by permissions.
  const auto unreadable = TrustStore::from_pem_file(hidden);
  CHECK(outcome(unreadable) == (::geteuid() == 0 ? "ok" : "file_permission_denied"));
}

TEST_CASE("an operating system's bundle is refused with advice", "[pki][loading]") {
  const Entity key = Entity::self_signed(demo_pki::ca_spec("issuer"), demo_pki::KeyType::ed25519);
  std::string bundle;
  for (int i = 0; i < 140; ++i) {
    const auto spec = demo_pki::ca_spec("root " + std::to_string(i));
    bundle += "# root " + std::to_string(i) + "\n" +
              Entity::issued_by(key, spec, demo_pki::KeyType::ed25519).certificate_pem();
  }
  const auto refused = TrustStore::from_pem(bundle);
  REQUIRE(outcome(refused) == "trust_store_full");
  CHECK(mentions(refused.error(), "140 different certificates"));
  CHECK(mentions(refused.error(), "max_entries is 16"));
  CHECK(mentions(refused.error(), "leave out what is not needed"));
  siptls::TrustLimits limits;
  limits.max_entries = 140;
  CHECK(TrustStore::from_pem(bundle, limits).value().entries().size() == 140);
}

TEST_CASE("a folder gives the certificates of its files", "[pki][loading]") {
  const Folder folder;
  const auto roots = many_roots(3);
  CHECK(outcome(TrustStore::from_folder(folder.path())) == "trust_store_empty");
  folder.write("b.pem", roots[1].certificate_pem() + roots[0].certificate_pem());
  folder.write("a.crt", roots[2].certificate_der());
  folder.write("README", "not read");
  folder.write("key.pem.bak", "not read");
  const auto store = TrustStore::from_folder(folder.path());
  REQUIRE(outcome(store) == "ok");
  REQUIRE(store->entries().size() == 3);
  CHECK(store->entries()[0].certificate.subject == "CN=root 2");
  CHECK(store->entries()[1].certificate.subject == "CN=root 1");

  folder.write("c.cer", "not PEM");
  const auto broken = TrustStore::from_folder(folder.path());
  CHECK(outcome(broken) == "pem_empty");
  CHECK(mentions(broken.error(), "c.cer"));
  CHECK(outcome(TrustStore::from_folder(folder.path("none"))) == "file_not_found");
  CHECK(outcome(TrustStore::from_folder(folder.path("b.pem"))) == "file_not_regular");
}

TEST_CASE("CRLs are loaded from X509 CRL blocks only", "[pki][loading]") {
  const TrustStore store = store_of({hierarchy().root});
  CHECK(outcome(store.with_crls(hierarchy().root.crl_pem({}, at(kNow), at(kNow + kDay)))) == "ok");
  CHECK(outcome(store.with_crls("")) == "pem_empty");
  CHECK(outcome(store.with_crls(hierarchy().root.certificate_pem())) == "pem_wrong_type");
  CHECK(outcome(store.with_crls("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")) ==
        "crl_malformed");
}

TEST_CASE("moved-from stores and credentials are empty", "[pki][loading]") {
  TrustStore store = store_of({hierarchy().root});
  const TrustStore taken = std::move(store);
  CHECK(taken.entries().size() == 1);
  // NOLINTNEXTLINE(bugprone-use-after-move): this is what is tested
  CHECK(store.entries().empty());
  CHECK(outcome(verify(store, hierarchy().leaf, options())) == "trust_store_empty");
}
