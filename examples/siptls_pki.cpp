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
#include <stdexcept>

#include "pki/defects.hpp"
#include "pki/demo_pki.hpp"
#include "pki/names.hpp"
#include "siptls/endpoint.hpp"
#include "tool/command_line.hpp"
#include "tool/output.hpp"

namespace {

using demo_pki::CertificateSpec;
using demo_pki::Defect;
using demo_pki::Entity;
using demo_pki::KeyType;
using demo_pki::OcspAnswer;
using tool::Json;

const std::string kDefects = demo_pki::defect_names();

const tool::Usage kUsage{
    "siptls-pki",
    "Makes DIR/NAME/{privateKey.pem,publickey.pem,CAList.pem} for each identity, and DIR/ca/.",
    {
        {"--out", "DIR", "where to write; what is there is overwritten"},
        {"--key", "p256|rsa2048", "kind of all keys (p256)"},
        {"--identity", "NAME", "domain or IP address (demo.example)", tool::Option::Repeat::yes},
        {"--intermediates", "N", "CAs between the root and the leaf (1)"},
        {"--eku", "web|sip|none",
         "extended key usage of the leaf; web is serverAuth and clientAuth (web)"},
        {"--san", "FORM:VALUE", "one more name of every leaf: dns, uri, ip, email, dir, rid, other",
         tool::Option::Repeat::yes},
        {"--permit", "FORM:VALUE", "name constraint of the CA above the leaf",
         tool::Option::Repeat::yes},
        {"--exclude", "FORM:VALUE", "likewise; addresses as ip:192.0.2.0/255.255.255.0",
         tool::Option::Repeat::yes},
        {"--crl", "", "write ca/crls.pem, the CRLs of all CAs"},
        {"--ocsp", "good|revoked|expired|unknown", "write NAME/ocsp.der, the issuer's response"},
        {"--defect", kDefects, "what is wrong, of the leaf unless the word says otherwise"},
    },
    ""};

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

// What is asked for.
struct Plan {
  using Clock = std::chrono::system_clock;

  KeyType key = KeyType::p256;
  Defect defect = Defect::none;
  std::uint64_t intermediates = 1;
  std::vector<std::string> extended_key_usage, names, permitted, excluded;
  Clock::time_point now = Clock::now();
};

// The CAs from the root down; with the defect wrong_ca the first of them is not in CAList.pem.
struct Authorities {
  Entity root;
  std::vector<Entity> chain;
  const Entity& issuer() const { return chain.back(); }
};

void add_names(CertificateSpec& leaf, const Plan& plan) {
  for (const std::string& word : plan.names) demo_pki::add_name(leaf, word);
}

void add_constraints(CertificateSpec& issuer, const Plan& plan) {
  for (const std::string& word : plan.permitted) demo_pki::permit_name(issuer, word);
  for (const std::string& word : plan.excluded) demo_pki::exclude_name(issuer, word);
}

// A leaf's specification. An IP address is written as such (RFC 5280 section 4.2.1.6).
CertificateSpec leaf_spec(const std::string& identity, const Plan& plan) {
  const std::string name = plan.defect == Defect::wrong_identity ? "not-" + identity : identity;
  CertificateSpec spec = demo_pki::sip_spec(name);
  spec.extended_key_usage = plan.extended_key_usage;
  const siptls::Result<siptls::Endpoint> address = siptls::Endpoint::parse(name, 0);
  if (address) {
    spec.dns_names.clear();
    spec.ip_addresses = {address->address_text()};
    spec.uris = {address->family() == siptls::AddressFamily::ipv6
                     ? fmt::format("sip:[{}]", address->address_text())
                     : "sip:" + address->address_text()};
  }
  demo_pki::spoil_leaf(spec, identity, plan.defect, plan.now);
  add_names(spec, plan);
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

Plan read_plan(const tool::CommandLine& arguments) {
  Plan plan;
  plan.key = arguments.choice("--key", KeyType::p256,
                              {{"p256", KeyType::p256}, {"rsa2048", KeyType::rsa2048}});
  using Purposes = std::vector<std::string>;
  const Purposes web{"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"}, sip{"1.3.6.1.5.5.7.3.20"};
  plan.extended_key_usage =
      arguments.choice<Purposes>("--eku", web, {{"web", web}, {"sip", sip}, {"none", {}}});
  plan.names = arguments.values("--san");
  plan.permitted = arguments.values("--permit");
  plan.excluded = arguments.values("--exclude");
  // Words that mean nothing are found before anything is written.
  CertificateSpec unused;
  add_names(unused, plan);
  add_constraints(unused, plan);
  plan.intermediates = arguments.number("--intermediates", 1, 0, 32);
  if (const auto name = arguments.value("--defect")) {
    const auto defect = demo_pki::find_defect(*name);
    if (!defect) {
      throw tool::UsageError(
          fmt::format("--defect is \"{}\"; it can be one of {}", *name, kDefects));
    }
    if (demo_pki::needs_intermediate(*defect) && plan.intermediates == 0) {
      throw tool::UsageError(fmt::format("--defect {} needs --intermediates above 0", *name));
    }
    plan.defect = *defect;
  }
  return plan;
}

// The CA above the leaf.
void shape_issuer(CertificateSpec& spec, const Plan& plan) {
  add_constraints(spec, plan);
  demo_pki::spoil_issuer(spec, plan.defect, plan.now);
}

Entity make_root(const Writer& writer, const Plan& plan, const std::string& file,
                 std::string_view name) {
  CertificateSpec spec = demo_pki::ca_spec(name);
  demo_pki::spoil_root(spec, plan.defect, static_cast<int>(plan.intermediates));
  if (plan.intermediates == 0) shape_issuer(spec, plan);
  Entity root = Entity::self_signed(spec, plan.key);
  writer.write_public(fmt::format("ca/{}.pem", file), root.certificate_pem());
  writer.write_secret(fmt::format("ca/{}.key.pem", file), root.private_key_pem());
  return root;
}

Authorities make_authorities(const Writer& writer, const Plan& plan) {
  const Entity root = make_root(writer, plan, "root", "siptls demo root CA");
  Authorities out{root, {root}};
  if (plan.defect == Defect::wrong_ca) {
    out.chain = {make_root(writer, plan, "other-root", "siptls other root CA")};
  }
  for (std::uint64_t i = 1; i <= plan.intermediates; ++i) {
    CertificateSpec spec = demo_pki::ca_spec(fmt::format("siptls demo intermediate CA {}", i));
    if (i == plan.intermediates) shape_issuer(spec, plan);
    const Entity made = Entity::issued_by(out.issuer(), spec, plan.key);
    writer.write_public(fmt::format("ca/intermediate{}.pem", i), made.certificate_pem());
    writer.write_secret(fmt::format("ca/intermediate{}.key.pem", i), made.private_key_pem());
    out.chain.push_back(made);
  }
  return out;
}

// The CRLs of all CAs, the root's first.
std::string make_crls(const Authorities& authorities, const std::vector<Entity>& leaves,
                      const Plan& plan) {
  std::string out;
  for (std::size_t i = 0; i < authorities.chain.size(); ++i) {
    const bool is_issuer = i + 1 == authorities.chain.size();
    if (is_issuer && plan.defect == Defect::crl_missing) break;
    demo_pki::CrlSpec spec;
    spec.this_update = plan.now - std::chrono::hours(24);
    spec.next_update = plan.now + std::chrono::hours(30 * 24);
    std::vector<Entity> revoked;
    if (is_issuer) {
      demo_pki::spoil_crl(spec, plan.defect, plan.now);
      if (plan.defect == Defect::revoked) revoked = leaves;
    } else if (i + 2 == authorities.chain.size() && plan.defect == Defect::ca_revoked) {
      revoked = {authorities.issuer()};
    }
    out += authorities.chain[i].crl_pem(revoked, spec);
  }
  return out;
}

std::string make_ocsp_response(const Entity& issuer, const Entity& leaf, const std::string& kind,
                               const Plan& plan) {
  OcspAnswer answer{leaf, plan.now - std::chrono::hours(1), plan.now + std::chrono::hours(24 * 7)};
  if (kind == "revoked") {
    answer.status = OcspAnswer::Status::revoked;
    answer.revoked_at = plan.now - std::chrono::hours(24);
    answer.reason = 1;  // keyCompromise
  } else if (kind == "unknown") {
    answer.status = OcspAnswer::Status::unknown;
  } else if (kind == "expired") {
    answer.this_update = plan.now - std::chrono::hours(24 * 7);
    answer.next_update = plan.now - std::chrono::hours(1);
  }
  demo_pki::OcspSpec spec;
  spec.produced_at = answer.this_update;
  return issuer.ocsp_response_der({answer}, spec);
}

int make_pki(const tool::CommandLine& arguments, const tool::Output& output) {
  const Writer writer(output, arguments.required("--out"));
  const Plan plan = read_plan(arguments);
  const std::string ocsp = arguments.choice<std::string>(
      "--ocsp", "",
      {{"good", "good"}, {"revoked", "revoked"}, {"expired", "expired"}, {"unknown", "unknown"}});
  std::vector<std::string> identities = arguments.values("--identity");
  if (identities.empty()) identities = {"demo.example"};
  for (const std::string& identity : identities) check_identity(identity);

  const Authorities authorities = make_authorities(writer, plan);
  const KeyType key = demo_pki::leaf_key(plan.key, plan.defect);
  std::vector<Entity> leaves;
  for (const std::string& identity : identities) {
    const CertificateSpec spec = leaf_spec(identity, plan);
    const Entity leaf = plan.defect == Defect::self_signed
                            ? Entity::self_signed(spec, key)
                            : Entity::issued_by(authorities.issuer(), spec, key);
    const Entity key_owner =
        plan.defect == Defect::key_mismatch ? Entity::self_signed(spec, key) : leaf;
    writer.write_secret(identity + "/privateKey.pem", key_owner.private_key_pem());
    writer.write_public(identity + "/publickey.pem", plan.defect == Defect::incomplete
                                                         ? leaf.certificate_pem()
                                                         : leaf.chain_pem());
    writer.write_public(identity + "/CAList.pem", authorities.root.certificate_pem());
    if (!ocsp.empty()) {
      writer.write_public(identity + "/ocsp.der",
                          make_ocsp_response(authorities.issuer(), leaf, ocsp, plan));
    }
    leaves.push_back(leaf);
  }
  if (arguments.has("--crl") || demo_pki::needs_crls(plan.defect)) {
    writer.write_public("ca/crls.pem", make_crls(authorities, leaves, plan));
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
  } catch (const std::runtime_error& failure) {
    // What the certificate maker says about names that it cannot write.
    throw tool::UsageError(failure.what());
  }
}

}  // namespace

int main(int argc, char** argv) { return tool::run(kUsage, argc, argv, make_pki_or_fail); }
