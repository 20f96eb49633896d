#include "capi/pki.h"

#include <openssl/base.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "pki/demo_pki.hpp"
#include "pki/key.hpp"

namespace {

using demo_pki::Entity;
using demo_pki::Time;

constexpr auto kHour = std::chrono::hours(1);

Time now() { return std::chrono::system_clock::now(); }

struct Owner {
  explicit Owner(const Entity& made)
      : entity(made),
        key(made.private_key_pem()),
        encrypted_key(made.encrypted_private_key_pem("secret")),
        chain(made.chain_pem()),
        der(made.chain_der()) {}
  Entity entity;
  std::string key, encrypted_key, chain;
  std::vector<std::string> der;
  std::string ocsp_response;
};

demo_pki::CertificateSpec expired_spec() {
  auto spec = demo_pki::sip_spec("alpha.example");
  spec.not_after = Time(std::chrono::seconds(1735689600));
  return spec;
}

demo_pki::CertificateSpec server_only_spec() {
  auto spec = demo_pki::sip_spec("alpha.example");
  spec.extended_key_usage = {"1.3.6.1.5.5.7.3.1"};  // id-kp-serverAuth
  return spec;
}

// With these DNS names and nothing else in its subjectAltName.
demo_pki::CertificateSpec named_spec(const std::vector<std::string>& dns_names) {
  auto spec = demo_pki::sip_spec("alpha.example");
  spec.uris.clear();
  spec.dns_names = dns_names;
  return spec;
}

class Pki {
 public:
  const std::string& root() const { return root_; }
  const std::string& root_der() const { return root_der_; }
  const std::string& stranger_root() const { return stranger_root_pem_; }
  const Owner& owner(pki_owner who) const { return owners_.at(who); }

  const std::string& crls(pki_owner revoked) {
    const Entity& intermediate = alpha_.intermediates.front();
    crls_ = alpha_.root.crl_pem({}, now() - kHour, now() + kHour) +
            intermediate.crl_pem({owner(revoked).entity}, now() - kHour, now() + kHour);
    return crls_;
  }

  const std::string& ocsp_response(pki_owner who) {
    const Entity& intermediate = alpha_.intermediates.front();
    demo_pki::OcspSpec spec;
    spec.produced_at = now() - kHour;
    owners_.at(who).ocsp_response = intermediate.ocsp_response_der(
        {demo_pki::OcspAnswer{owner(who).entity, now() - kHour, now() + kHour}}, spec);
    return owner(who).ocsp_response;
  }

 private:
  Owner issue(const demo_pki::CertificateSpec& spec) const {
    return Owner(Entity::issued_by(alpha_.intermediates.front(), spec));
  }

  demo_pki::Hierarchy alpha_ = demo_pki::make_hierarchy("alpha.example");
  Entity stranger_root_ = Entity::self_signed(demo_pki::ca_spec("Stranger CA"));
  std::string root_ = alpha_.root.certificate_pem();
  std::string root_der_ = alpha_.root.certificate_der();
  std::string stranger_root_pem_ = stranger_root_.certificate_pem();
  std::array<Owner, PKI_OWNERS> owners_{
      Owner(alpha_.leaf),
      issue(demo_pki::sip_spec("alpha.example")),
      issue(expired_spec()),
      issue(demo_pki::sip_spec("beta.example")),
      issue(demo_pki::sip_spec("gamma.example")),
      Owner(Entity::issued_by(stranger_root_, demo_pki::sip_spec("alpha.example"))),
      issue(server_only_spec()),
      issue(named_spec({"*.alpha.example"})),
      issue(named_spec({}))};
  std::string crls_;
};

Pki& pki() {
  static Pki the_pki;
  return the_pki;
}

const void* shown(const std::string& octets, size_t* size) {
  *size = octets.size();
  return octets.data();
}

}  // namespace

const char* pki_root() { return pki().root().c_str(); }
const char* pki_stranger_root() { return pki().stranger_root().c_str(); }
const char* pki_key(pki_owner owner) { return pki().owner(owner).key.c_str(); }
const char* pki_encrypted_key(pki_owner owner) { return pki().owner(owner).encrypted_key.c_str(); }
const char* pki_chain(pki_owner owner) { return pki().owner(owner).chain.c_str(); }

const void* pki_der(pki_owner owner, size_t index, size_t* size) {
  const auto& chain = pki().owner(owner).der;
  return index < chain.size() ? shown(chain[index], size) : nullptr;
}

const void* pki_root_der(size_t* size) { return shown(pki().root_der(), size); }
const char* pki_crls(pki_owner revoked) { return pki().crls(revoked).c_str(); }

const void* pki_ocsp_response(pki_owner owner, size_t* size) {
  return shown(pki().ocsp_response(owner), size);
}

size_t pki_sign(pki_owner owner, const void* input, size_t input_size, void* signature,
                size_t room) {
  const std::string& pem = pki().owner(owner).key;
  const bssl::UniquePtr<BIO> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const demo_pki::Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  const std::string made = demo_pki::sign(*key, demo_pki::Digest::sha256,
                                          std::string(static_cast<const char*>(input), input_size));
  if (made.size() > room) return 0;
  std::memcpy(signature, made.data(), made.size());
  return made.size();
}

int64_t pki_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(now().time_since_epoch()).count();
}
