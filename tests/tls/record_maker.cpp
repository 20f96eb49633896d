#include "record_maker.hpp"

#include <openssl/digest.h>
#include <openssl/hkdf.h>

#include <algorithm>
#include <array>

#include "catch.hpp"

namespace siptls_test {

using namespace siptls;

Octets plain_record(std::uint8_t type, std::span<const std::byte> content) {
  constexpr std::size_t kHeaderSize = 5;
  Octets octets(kHeaderSize + content.size());
  octets[0] = std::byte{type};
  octets[1] = std::byte{3};
  octets[2] = std::byte{3};
  octets[3] = static_cast<std::byte>(content.size() >> 8);
  octets[4] = static_cast<std::byte>(content.size() & 0xff);
  std::copy(content.begin(), content.end(), octets.begin() + kHeaderSize);
  return octets;
}

RecordMaker::RecordMaker(const std::string& line) {
  for (const std::byte octet : from_hex(line.substr(line.rfind(' ') + 1))) {
    secret_.push_back(std::to_integer<std::uint8_t>(octet));
  }
  REQUIRE(secret_.size() == 32);
  use_secret();
}

Octets RecordMaker::make_key_update(bool answer_wanted) {
  Octets made = make(22, std::string("\x18\0\0\1", 4) + (answer_wanted ? '\1' : '\0'));
  secret_ = expand("traffic upd", secret_.size());
  use_secret();
  return made;
}

Octets RecordMaker::make(std::uint8_t type, std::string_view content) {
  std::string inner(content);
  inner += static_cast<char>(type);
  std::vector<std::uint8_t> sealed(inner.size() + 16);
  const std::array<std::uint8_t, 5> header{23, 3, 3, static_cast<std::uint8_t>(sealed.size() >> 8),
                                           static_cast<std::uint8_t>(sealed.size())};
  auto nonce = iv_;
  for (std::size_t i = 0; i < 8; ++i) {
    nonce[11 - i] ^= static_cast<std::uint8_t>(number_ >> (8 * i));
  }
  ++number_;
  std::size_t size = 0;
  REQUIRE(EVP_AEAD_CTX_seal(aead_.get(), sealed.data(), &size, sealed.size(), nonce.data(),
                            nonce.size(), reinterpret_cast<const std::uint8_t*>(inner.data()),
                            inner.size(), header.data(), header.size()));
  Octets octets;
  for (const std::uint8_t octet : header) octets.push_back(std::byte{octet});
  for (const std::uint8_t octet : sealed) octets.push_back(std::byte{octet});
  return octets;
}

void RecordMaker::use_secret() {
  const Key key = expand("key", 16);
  iv_ = expand("iv", 12);
  number_ = 0;
  aead_.reset(EVP_AEAD_CTX_new(EVP_aead_aes_128_gcm(), key.data(), key.size(),
                               EVP_AEAD_DEFAULT_TAG_LENGTH));
  REQUIRE(aead_);
}

RecordMaker::Key RecordMaker::expand(const std::string& label, std::size_t size) const {
  const std::string full = "tls13 " + label;
  Key info{0, static_cast<std::uint8_t>(size), static_cast<std::uint8_t>(full.size())};
  for (const char c : full) info.push_back(static_cast<std::uint8_t>(c));
  info.push_back(0);
  Key key(size);
  REQUIRE(HKDF_expand(key.data(), key.size(), EVP_sha256(), secret_.data(), secret_.size(),
                      info.data(), info.size()));
  return key;
}

Forged established_as(PeerRole role) {
  const bool as_server = role == PeerRole::server;
  const std::string label = as_server ? "CLIENT_TRAFFIC_SECRET_0 " : "SERVER_TRAFFIC_SECRET_0 ";
  const auto secret = std::make_shared<std::string>();
  const TlsContext logging = context([&](TlsContextConfig& made) {
    only(ProtocolVersion::tls1_3)(made);
    made.policy.resumption = Resumption::off;
    made.dangerous_key_log = [=](std::string_view line) {
      if (line.rfind(label, 0) == 0) *secret = std::string(line);
    };
  });
  SessionEnd a = client(logging);
  SessionEnd b = server(logging);
  connect(a, b);
  REQUIRE(a.established());
  REQUIRE(b.established());
  REQUIRE(b.session.peer().cipher_suite == 0x1301);
  return {std::move(as_server ? b : a), RecordMaker(*secret)};
}

}  // namespace siptls_test
