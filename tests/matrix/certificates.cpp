#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "matrix/run_cell.hpp"
#include "pki/demo_pki.hpp"

namespace matrix {

namespace {

using demo_pki::Entity;
using demo_pki::KeyType;

constexpr std::array<KeyType, kKeys> kKinds{KeyType::p256,    KeyType::p384,    KeyType::p521,
                                            KeyType::rsa2048, KeyType::rsa3072, KeyType::ed25519};

Entity leaf_below(const Entity& issuer, bool server, KeyType kind) {
  auto spec = demo_pki::sip_spec(server ? "server.example" : "client.example");
  if (server) spec.ip_addresses = {"127.0.0.1"};
  // For the suites with static RSA (RFC 5246 section 7.4.2).
  const bool rsa = kind == KeyType::rsa2048 || kind == KeyType::rsa3072;
  if (rsa) spec.key_usage.emplace_back("keyEncipherment");
  return Entity::issued_by(issuer, spec, kind);
}

}  // namespace

Certificates::Certificates() {
  const char* const base = std::getenv("TMPDIR");
  folder_ = std::string(base != nullptr ? base : "/tmp") + "/siptls-matrix-XXXXXX";
  if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  std::string roots;
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    const auto key = static_cast<Key>(i);
    const KeyType kind = kKinds[i];
    const Entity root =
        Entity::self_signed(demo_pki::ca_spec("matrix root " + std::to_string(i)), kind);
    roots += root.certificate_pem();
    // RSA keys take long to make; their leaves stand right below the root.
    const bool direct = key == kRsa2048 || key == kRsa3072;
    const Entity issuer =
        direct ? root
               : Entity::issued_by(root, demo_pki::ca_spec("matrix CA " + std::to_string(i)), kind);
    for (const bool server : {false, true}) {
      const Entity leaf = leaf_below(issuer, server, kind);
      const std::string name = (server ? "server" : "client") + std::to_string(i);
      write(name + ".key", leaf.private_key_pem());
      write(name + ".pem", leaf.chain_pem());
      credentials_.emplace(
          std::pair(key, server),
          siptls::Credentials::from_pem(leaf.private_key_pem(), leaf.chain_pem()).value());
    }
  }
  write("roots.pem", roots);
  trust_ = siptls::TrustStore::from_pem(roots).value();
}

Certificates::~Certificates() {
  for (const std::string& file : files_) std::remove(file.c_str());
  rmdir(folder_.c_str());
}

void Certificates::write(const std::string& name, const std::string& text) {
  files_.push_back(folder_ + "/" + name);
  std::ofstream(files_.back(), std::ios::binary) << text;
}

const siptls::Credentials& Certificates::credentials(Key key, bool server) const {
  return credentials_.at({key, server});
}

std::string Certificates::path(Key key, bool server) const {
  return folder_ + (server ? "/server" : "/client") + std::to_string(static_cast<int>(key));
}

}  // namespace matrix
