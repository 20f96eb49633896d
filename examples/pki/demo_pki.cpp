#include "pki/demo_pki.hpp"

#include <stdexcept>
#include <utility>

#include "pki/certificate.hpp"
#include "pki/der.hpp"
#include "pki/key.hpp"
#include "pki/ocsp.hpp"

namespace demo_pki {

struct Entity::Parts {
  Key key;
  std::string spki;
  std::string subject;  // DER of the name
  std::string serial;   // magnitude
  std::string certificate;
  std::shared_ptr<const Parts> issuer;  // null for a self-signed certificate
};

Entity::Entity(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

Entity Entity::self_signed(const CertificateSpec& spec, KeyType key) {
  auto parts = std::make_shared<Parts>();
  parts->key = make_key(key);
  parts->spki = spki_der(*parts->key);
  parts->subject = name_der(spec.common_name);
  parts->serial = new_serial();
  parts->certificate = encode_certificate(
      {spec, parts->serial, parts->subject, parts->spki, parts->subject, *parts->key, parts->spki});
  return Entity(std::move(parts));
}

Entity Entity::issued_by(const Entity& issuer, const CertificateSpec& spec, KeyType key) {
  auto parts = std::make_shared<Parts>();
  parts->key = make_key(key);
  parts->spki = spki_der(*parts->key);
  parts->subject = name_der(spec.common_name);
  parts->serial = new_serial();
  parts->issuer = issuer.parts_;
  parts->certificate =
      encode_certificate({spec, parts->serial, parts->subject, parts->spki, issuer.parts_->subject,
                          *issuer.parts_->key, issuer.parts_->spki});
  return Entity(std::move(parts));
}

std::string Entity::private_key_pem() const { return pem("PRIVATE KEY", pkcs8_der(*parts_->key)); }

std::string Entity::encrypted_private_key_pem(const std::string& passphrase) const {
  return pem("ENCRYPTED PRIVATE KEY", encrypted_pkcs8_der(*parts_->key, passphrase));
}

std::string Entity::sec1_private_key_pem() const {
  return pem("EC PRIVATE KEY", sec1_der(*parts_->key));
}

std::string Entity::pkcs1_private_key_pem() const {
  return pem("RSA PRIVATE KEY", pkcs1_der(*parts_->key));
}

std::string Entity::public_key_pem() const { return pem("PUBLIC KEY", parts_->spki); }

std::string Entity::certificate_pem() const { return pem("CERTIFICATE", parts_->certificate); }

std::string Entity::certificate_der() const { return parts_->certificate; }

std::string Entity::chain_pem() const {
  std::string out;
  for (const auto& certificate : chain_der()) out += pem("CERTIFICATE", certificate);
  return out;
}

std::vector<std::string> Entity::chain_der() const {
  std::vector<std::string> out{parts_->certificate};
  for (auto above = parts_->issuer; above && above->issuer; above = above->issuer) {
    out.push_back(above->certificate);
  }
  return out;
}

const Entity Entity::root() const {
  auto top = parts_;
  while (top->issuer) top = top->issuer;
  return Entity(std::move(top));
}

std::string Entity::crl_pem(const std::vector<Entity>& revoked, Time this_update,
                            Time next_update) const {
  CrlSpec spec;
  spec.this_update = this_update;
  spec.next_update = next_update;
  return crl_pem(revoked, spec);
}

std::string Entity::crl_pem(const std::vector<Entity>& revoked, const CrlSpec& spec) const {
  std::vector<std::string> serials;
  serials.reserve(revoked.size());
  for (const auto& entity : revoked) serials.push_back(entity.parts_->serial);
  return pem("X509 CRL", encode_crl({spec, serials, parts_->subject, *parts_->key, parts_->spki}));
}

std::string Entity::ocsp_response_der(const std::vector<OcspAnswer>& answers,
                                      const OcspSpec& spec) const {
  std::vector<OcspAnswerParts> encoded;
  for (const auto& answer : answers) {
    const Parts& certificate = *answer.certificate.parts_;
    const Parts& issuer = answer.issuer        ? *answer.issuer->parts_
                          : certificate.issuer ? *certificate.issuer
                                               : certificate;
    encoded.push_back({answer, certificate.serial, issuer.subject, issuer.spki});
  }
  std::vector<std::string> certificates;
  for (const auto& entity : spec.certificates) certificates.push_back(entity.certificate_der());
  const Parts& claimed = spec.claimed_responder ? *spec.claimed_responder->parts_ : *parts_;
  return encode_ocsp_response(
      {spec, encoded, certificates, claimed.subject, claimed.spki, *parts_->key});
}

CertificateSpec ca_spec(std::string_view common_name) {
  CertificateSpec spec;
  spec.common_name = common_name;
  spec.ca = true;
  spec.key_usage = {"keyCertSign", "cRLSign"};
  return spec;
}

CertificateSpec sip_spec(std::string_view identity) {
  CertificateSpec spec;
  spec.common_name = identity;
  spec.uris = {"sip:" + std::string(identity)};
  spec.dns_names = {std::string(identity)};
  spec.key_usage = {"digitalSignature"};
  spec.extended_key_usage = {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"};
  return spec;
}

CertificateSpec ocsp_responder_spec(std::string_view common_name) {
  CertificateSpec spec;
  spec.common_name = common_name;
  spec.key_usage = {"digitalSignature"};
  spec.extended_key_usage = {"1.3.6.1.5.5.7.3.9"};  // id-kp-OCSPSigning
  return spec;
}

Hierarchy make_hierarchy(std::string_view identity, int intermediates, KeyType key) {
  const Entity root = Entity::self_signed(ca_spec("siptls demo root"), key);
  std::vector<Entity> below;
  for (int i = 1; i <= intermediates; ++i) {
    const Entity& issuer = below.empty() ? root : below.back();
    below.push_back(
        Entity::issued_by(issuer, ca_spec("siptls demo intermediate " + std::to_string(i)), key));
  }
  Entity leaf = Entity::issued_by(below.empty() ? root : below.back(), sip_spec(identity), key);
  return Hierarchy{root, std::move(below), std::move(leaf)};
}

}  // namespace demo_pki
