// Turns BoringSSL's message callback into entries of a HandshakeTrace.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "siptls/handshake_trace.hpp"

struct ssl_st;

namespace siptls::tls {

enum class Sender : std::uint8_t { self, peer };

// One call of the message callback.
struct WireMessage {
  Sender sender;
  int content_type;  // a TLS content type, or SSL3_RT_HEADER
  std::span<const std::uint8_t> octets;
};

class TraceRecorder {
 public:
  TraceRecorder(std::shared_ptr<HandshakeTrace> trace, Sender client) noexcept
      : trace_(std::move(trace)), client_(client) {}

  void record(const ssl_st* ssl, const WireMessage& message);
  // To be called when application data was read or written: the record that is still in doubt was
  // one of application data.
  void confirm_application_data();

 private:
  void note_version(const ssl_st* ssl);
  void record_header(const ssl_st* ssl, const WireMessage& message);
  void record_handshake(const WireMessage& message);
  void add(TraceEntry::Kind kind, const WireMessage& message, std::uint32_t size,
           std::uint8_t type = 0);
  TraceDirection direction(Sender sender) const noexcept;

  std::shared_ptr<HandshakeTrace> trace_;
  const Sender client_;
  // In TLS 1.3 every protected record has type 23 outside. One that was read is only then one of
  // application data if no message follows it.
  std::optional<TraceEntry> in_doubt_;
  // A handshake message of ours was reported; the record that carries it comes afterwards.
  bool own_message_awaits_record_ = false;
  bool server_hello_seen_ = false;
  bool version_known_ = false;
};

}  // namespace siptls::tls
