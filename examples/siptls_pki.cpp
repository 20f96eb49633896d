// siptls-pki: makes a root CA, intermediate CAs and credentials for demonstrations and tests, good
// ones and, with --defect, bad ones. Not for production: the CA's key lies beside its certificate.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "pki/demo_pki.hpp"
#include "siptls/endpoint.hpp"
#include "tool/command_line.hpp"
#include "tool/output.hpp"

namespace {

using demo_pki::CertificateSpec;
using demo_pki::Entity;
using demo_pki::KeyType;
using tool::Json;

const tool::Usage kUsage{
    "siptls-pki",
    "Makes DIR/NAME/{privateKey.pem,publickey.pem,CAList.pem} for each identity, and DIR/ca/.",
    {
        {"--out", "DIR", "where to write; what is there is overwritten"},
        {"--key", "p256|rsa2048", "kind of all keys (p256)"},
        {"--identity", "NAME", "domain or IP address (demo.example)", tool::Option::Repeat::yes},
        {"--intermediates", "N", "CAs between the root and the leaf (1)"},
        {"--defect", "expired|not-yet-valid|wrong-ca|wrong-identity|self-signed|key-mismatch",
         "what is wrong with every leaf"},
    },
    ""};

enum class Defect {
  none,
  expired,
  not_yet_valid,
  wrong_ca,        // issued by a CA that CAList.pem does not have
  wrong_identity,  // the leaf says not-NAME
  self_signed,     // and not an entry of CAList.pem
  key_mismatch,    // privateKey.pem is another key
};

class Writer {
 public:
  Writer(const tool::Output& output, std::filesystem::path folder)
      : output_(output), folder_(std::move(folder)) {}

  // Throws std::filesystem::filesystem_error, which names file and cause.
  void write(const std::string& name, const std::string& text, mode_t mode) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    // An older file keeps its mode until it is told otherwise, which must be before the key is in.
    const bool written =
        file >= 0 && ::fchmod(file, mode) == 0 &&
        ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const int failure = errno;
    if (file >= 0) ::close(file);
    if (!written) {
      throw std::filesystem::filesystem_error("cannot write", path,
                                              std::error_code(failure, std::system_category()));
    }
    output_.event(Json{{"event", "written"}, {"path", path.string()}},
                  fmt::format("wrote {}", path.string()));
  }
  void write_public(const std::string& name, const std::string& text) const {
    write(name, text, 0644);
  }
  void write_secret(const std::string& name, const std::string& text) const {
    write(name, text, 0600);
  }

 private:
  const tool::Output& output_;
  std::filesystem::path folder_;
};

// A leaf's specification. An IP address is written as such (RFC 5280 section 4.2.1.6).
CertificateSpec leaf_spec(const std::string& identity, Defect defect) {
  const auto now = std::chrono::system_clock::now();
  constexpr std::chrono::hours kDay(24);
  const std::string name = defect == Defect::wrong_identity ? "not-" + identity : identity;
  CertificateSpec spec = demo_pki::sip_spec(name);
  const siptls::Result<siptls::Endpoint> address = siptls::Endpoint::parse(name, 0);
  if (address) {
    spec.dns_names.clear();
    spec.ip_addresses = {address->address_text()};
    spec.uris = {address->family() == siptls::AddressFamily::ipv6
                     ? fmt::format("sip:[{}]", address->address_text())
                     : "sip:" + address->address_text()};
  }
  if (defect == Defect::expired) {
    spec.not_before = now - 30 * kDay;
    spec.not_after = now - kDay;
  } else if (defect == Defect::not_yet_valid) {
    spec.not_before = now + kDay;
    spec.not_after = now + 30 * kDay;
  }
  return spec;
}

// NAME becomes the name of a folder beside `ca`.
void check_identity(const std::string& identity) {
  if (identity.empty() || identity.find('/') != identity.npos || identity.front() == '.' ||
      identity == "ca") {
    throw tool::UsageError(fmt::format(
        "--identity \"{}\": it must be a domain or an IP address, and not \"ca\"", identity));
  }
}

int make_pki(const tool::CommandLine& arguments, const tool::Output& output) {
  const Writer writer(output, arguments.required("--out"));
  const KeyType key_type = arguments.choice(
      "--key", KeyType::p256, {{"p256", KeyType::p256}, {"rsa2048", KeyType::rsa2048}});
  const Defect defect = arguments.choice("--defect", Defect::none,
                                         {{"expired", Defect::expired},
                                          {"not-yet-valid", Defect::not_yet_valid},
                                          {"wrong-ca", Defect::wrong_ca},
                                          {"wrong-identity", Defect::wrong_identity},
                                          {"self-signed", Defect::self_signed},
                                          {"key-mismatch", Defect::key_mismatch}});
  const std::uint64_t intermediates = arguments.number("--intermediates", 1, 0, 32);
  std::vector<std::string> identities = arguments.values("--identity");
  if (identities.empty()) identities = {"demo.example"};
  for (const std::string& identity : identities) check_identity(identity);

  const Entity root = Entity::self_signed(demo_pki::ca_spec("siptls demo root CA"), key_type);
  writer.write_public("ca/root.pem", root.certificate_pem());
  writer.write_secret("ca/root.key.pem", root.private_key_pem());
  Entity issuer = root;
  if (defect == Defect::wrong_ca) {
    issuer = Entity::self_signed(demo_pki::ca_spec("siptls other root CA"), key_type);
    writer.write_public("ca/other-root.pem", issuer.certificate_pem());
    writer.write_secret("ca/other-root.key.pem", issuer.private_key_pem());
  }
  for (std::uint64_t i = 1; i <= intermediates; ++i) {
    const std::string name = fmt::format("siptls demo intermediate CA {}", i);
    issuer = Entity::issued_by(issuer, demo_pki::ca_spec(name), key_type);
    writer.write_public(fmt::format("ca/intermediate{}.pem", i), issuer.certificate_pem());
    writer.write_secret(fmt::format("ca/intermediate{}.key.pem", i), issuer.private_key_pem());
  }

  for (const std::string& identity : identities) {
    const CertificateSpec spec = leaf_spec(identity, defect);
    const Entity leaf = defect == Defect::self_signed ? Entity::self_signed(spec, key_type)
                                                      : Entity::issued_by(issuer, spec, key_type);
    const Entity key_owner =
        defect == Defect::key_mismatch ? Entity::self_signed(spec, key_type) : leaf;
    writer.write_secret(identity + "/privateKey.pem", key_owner.private_key_pem());
    writer.write_public(identity + "/publickey.pem", leaf.chain_pem());
    writer.write_public(identity + "/CAList.pem", root.certificate_pem());
  }
  return tool::kSuccess;
}

int make_pki_or_fail(const tool::CommandLine& arguments, const tool::Output& output) {
  try {
    return make_pki(arguments, output);
  } catch (const std::filesystem::filesystem_error& failure) {
    return output.fail(
        siptls::Error(siptls::Errc::io_failed,
                      fmt::format("{}: {}", failure.path1().string(), failure.code().message())));
  }
}

}  // namespace

int main(int argc, char** argv) { return tool::run(kUsage, argc, argv, make_pki_or_fail); }
