#include "hostile/stage.hpp"

#include <charconv>
#include <vector>

#include "pki/demo_pki.hpp"

namespace hostile {
namespace {

// DER of the chain that hostile peers show.
constexpr std::size_t kHugeChain = 16 * 1024;
constexpr int kHugeIntermediates = 3;

// So many names as make a certificate of a quarter of that.
std::vector<std::string> many_names(std::string_view of) {
  std::vector<std::string> names;
  for (std::size_t size = 0; size < kHugeChain / (kHugeIntermediates + 1) - 350;) {
    names.push_back("name-" + std::to_string(names.size() + 100) + "." + std::string(of) +
                    ".a-domain-of-some-length.example");
    size += names.back().size() + 2;
  }
  return names;
}

// With the root's name, so that a server has to look at signatures to see what this is.
Certificate make_huge_chain(std::string_view root_name) {
  using namespace demo_pki;
  Entity issuer = Entity::self_signed(ca_spec(root_name));
  for (int i = 0; i < kHugeIntermediates; ++i) {
    CertificateSpec spec = ca_spec("Intermediate " + std::to_string(i));
    spec.dns_names = many_names("intermediate");
    issuer = Entity::issued_by(issuer, spec);
  }
  CertificateSpec spec = sip_spec("hostile.example");
  for (const std::string& name : many_names("leaf")) spec.dns_names.push_back(name);
  const Entity leaf = Entity::issued_by(issuer, spec);
  std::size_t size = 0;
  for (const std::string& certificate : leaf.chain_der()) size += certificate.size();
  if (size < kHugeChain) throw std::runtime_error("the huge chain is too small");
  return {leaf.private_key_pem(), leaf.chain_pem()};
}

}  // namespace

Certificates make_certificates(ServerKey key) {
  using namespace demo_pki;
  const Entity root = Entity::self_signed(ca_spec("Hostile Test Root"));
  const Entity issuer = Entity::issued_by(root, ca_spec("Hostile Test Issuer"));
  const KeyType type = key == ServerKey::p256 ? KeyType::p256 : KeyType::rsa2048;
  const Entity server = Entity::issued_by(issuer, sip_spec(kDomain), type);
  const Entity client = Entity::issued_by(issuer, sip_spec("client.example"));
  return {root.certificate_pem(),
          {server.private_key_pem(), server.chain_pem()},
          {client.private_key_pem(), client.chain_pem()},
          make_huge_chain("Hostile Test Root")};
}

siptls::TlsContext make_context(const Certificate& own, const std::string& trusted) {
  siptls::TlsContextConfig config;
  config.credentials = must(siptls::Credentials::from_pem(own.key, own.chain));
  config.trust = must(siptls::TrustStore::from_pem(trusted));
  // Every handshake is a whole one, as those of attackers are.
  config.policy.resumption = siptls::Resumption::off;
  return must(siptls::TlsContext::create(std::move(config)));
}

std::string options_request(std::uint64_t number) {
  const std::string text = std::to_string(number);
  return "OPTIONS sip:server.example;transport=tls SIP/2.0\r\n"
         "Via: SIP/2.0/TLS client.example;branch=z9hG4bK" +
         text +
         "\r\nMax-Forwards: 70\r\nFrom: <sips:user@client.example>;tag=1\r\n"
         "To: <sips:server.example>\r\nCall-ID: " +
         text + "\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
}

std::uint64_t number_of(const siptls::SipMessageView& message) {
  const std::string_view text = message.call_id();
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ptr != text.data() + text.size()) throw std::runtime_error("a Call-ID of nobody");
  return number;
}

}  // namespace hostile
