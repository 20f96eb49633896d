// HandshakeTrace: what went over one TLS connection, as the TLS library reported it.
//
// Filled by a session that was given one; costs nothing otherwise. Every entry comes from the
// library's message callback. Belongs to the thread of its session until that session has ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "siptls/clock.hpp"
#include "siptls/error.hpp"
#include "siptls/export.hpp"
#include "siptls/peer_info.hpp"

namespace siptls {

enum class TraceDirection : std::uint8_t { client_to_server, server_to_client };

struct TraceEntry {
  enum class Kind : std::uint8_t { handshake, change_cipher_spec, alert, application_data };
  Kind kind = Kind::handshake;
  TraceDirection direction = TraceDirection::client_to_server;
  std::uint8_t type = 0;   // handshake type, or the alert's number
  bool fatal = false;      // of an alert
  std::uint32_t size = 0;  // octets of the message; of the record for application data
  MonoTime at;
  // The step of the IMG 2020's list of fifteen that this is, in a TLS 1.2 handshake; none for what
  // that list does not have.
  std::optional<std::uint8_t> img2020_step;

  // "ClientHello", "ChangeCipherSpec", "Alert close_notify", "Application data"
  SIPTLS_API std::string name() const;
};

class SIPTLS_API HandshakeTrace {
 public:
  std::span<const TraceEntry> entries() const noexcept { return entries_; }
  // The call flow as text: one line for each entry, in the order in which they happened, with the
  // number of the IMG 2020's step where there is one.
  std::string ladder() const;
  // The same as a picture for a report: an SVG document that stands alone (no script, no font or
  // file of elsewhere, no ids that could meet another picture's), with the same rows. The same
  // trace gives the same octets.
  std::string ladder_svg() const;

  // For sessions: adds an entry. The step number is found here.
  void add(TraceEntry entry);
  // For sessions: the version that the ServerHello chose. From TLS 1.3 on no entry has a number,
  // those added before included.
  void set_version(ProtocolVersion version) noexcept;
  // At most this many entries are kept, so that a long connection does not grow without bound.
  static constexpr std::size_t kMaxEntries = 256;

 private:
  std::vector<TraceEntry> entries_;
  std::optional<ProtocolVersion> version_;
  std::size_t left_out_ = 0;
};

}  // namespace siptls
