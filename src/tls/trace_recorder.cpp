#include "tls/trace_recorder.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <array>

#include "tls/session_clock.hpp"

namespace siptls::tls {
namespace {

constexpr std::uint8_t kServerHello = 2;
constexpr std::uint8_t kHelloRetryRequest = 6;
constexpr std::size_t kRandomOffset = 4 + 2;  // after the message's header and legacy_version

// A ServerHello with this random is a HelloRetryRequest (RFC 9846 section 4.2.3).
constexpr std::array<std::uint8_t, 32> kRetryRandom = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

bool is_retry_request(std::span<const std::uint8_t> message) noexcept {
  return message.size() >= kRandomOffset + kRetryRandom.size() &&
         std::equal(kRetryRandom.begin(), kRetryRandom.end(), message.begin() + kRandomOffset);
}

}  // namespace

TraceDirection TraceRecorder::direction(Sender sender) const noexcept {
  return sender == client_ ? TraceDirection::client_to_server : TraceDirection::server_to_client;
}

void TraceRecorder::add(TraceEntry::Kind kind, const WireMessage& message, std::uint32_t size,
                        std::uint8_t type) {
  TraceEntry entry;
  entry.kind = kind;
  entry.direction = direction(message.sender);
  entry.type = type;
  entry.size = size;
  entry.at = call_time().mono;
  entry.fatal = kind == TraceEntry::Kind::alert && !message.octets.empty() &&
                message.octets[0] == SSL3_AL_FATAL;
  trace_->add(entry);
}

void TraceRecorder::note_version(const SSL* ssl) {
  // Before the ServerHello was processed SSL_version() means nothing.
  if (version_known_ || !server_hello_seen_) return;
  version_known_ = true;
  trace_->set_version(SSL_version(ssl) == TLS1_3_VERSION ? ProtocolVersion::tls1_3
                                                         : ProtocolVersion::tls1_2);
}

void TraceRecorder::record(const SSL* ssl, const WireMessage& message) {
  note_version(ssl);
  const auto size = static_cast<std::uint32_t>(message.octets.size());
  switch (message.content_type) {
    case SSL3_RT_HEADER:
      record_header(ssl, message);
      break;
    case SSL3_RT_HANDSHAKE:
      in_doubt_.reset();
      if (size > 0) record_handshake(message);
      break;
    case SSL3_RT_CHANGE_CIPHER_SPEC:
      add(TraceEntry::Kind::change_cipher_spec, message, size);
      break;
    case SSL3_RT_ALERT:
      in_doubt_.reset();
      if (size == 2) add(TraceEntry::Kind::alert, message, size, message.octets[1]);
      break;
    default:
      break;
  }
}

void TraceRecorder::record_handshake(const WireMessage& message) {
  const auto size = static_cast<std::uint32_t>(message.octets.size());
  const std::uint8_t type = message.octets[0];
  const bool retry = type == kServerHello && is_retry_request(message.octets);
  add(TraceEntry::Kind::handshake, message, size, retry ? kHelloRetryRequest : type);
  own_message_awaits_record_ = message.sender == Sender::self;
  server_hello_seen_ = server_hello_seen_ || (type == kServerHello && !retry);
}

void TraceRecorder::record_header(const SSL* ssl, const WireMessage& message) {
  if (message.octets.size() < SSL3_RT_HEADER_LENGTH) return;
  const std::uint8_t type = message.octets[0];
  const auto size = static_cast<std::uint32_t>(message.octets[3] << 8 | message.octets[4]) +
                    SSL3_RT_HEADER_LENGTH;
  const bool tls13 = SSL_version(ssl) == TLS1_3_VERSION;
  confirm_application_data();
  const bool own = message.sender == Sender::self;
  const bool carries_message = own && own_message_awaits_record_;
  if (own) own_message_awaits_record_ = false;

  // BoringSSL drops the peer's ChangeCipherSpec of TLS 1.3's compatibility mode (RFC 9846
  // appendix E.4) without a report of its own.
  if (tls13 && type == SSL3_RT_CHANGE_CIPHER_SPEC && !own) {
    add(TraceEntry::Kind::change_cipher_spec, message, size - SSL3_RT_HEADER_LENGTH);
    return;
  }
  if (type != SSL3_RT_APPLICATION_DATA) return;
  if (!tls13) {
    add(TraceEntry::Kind::application_data, message, size);
    return;
  }
  // Without early data, application data cannot come before the end of the handshake.
  if (SSL_in_init(ssl) || carries_message) return;
  TraceEntry entry;
  entry.kind = TraceEntry::Kind::application_data;
  entry.direction = direction(message.sender);
  entry.size = size;
  entry.at = call_time().mono;
  in_doubt_ = entry;
}

void TraceRecorder::confirm_application_data() {
  if (!in_doubt_) return;
  trace_->add(*in_doubt_);
  in_doubt_.reset();
}

}  // namespace siptls::tls
