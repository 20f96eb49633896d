#include "siptls/handshake_trace.hpp"

#include <fmt/format.h>

#include <array>

namespace siptls {
namespace {

using Kind = TraceEntry::Kind;

struct TypeRow {
  std::uint8_t type;
  std::string_view name;
};
// RFC 9846 appendix B.3 and RFC 5246 section 7.4.
constexpr std::array<TypeRow, 18> kHandshakeTypes = {{{0, "HelloRequest"},
                                                      {1, "ClientHello"},
                                                      {2, "ServerHello"},
                                                      {4, "NewSessionTicket"},
                                                      {5, "EndOfEarlyData"},
                                                      {6, "HelloRetryRequest"},
                                                      {8, "EncryptedExtensions"},
                                                      {11, "Certificate"},
                                                      {12, "ServerKeyExchange"},
                                                      {13, "CertificateRequest"},
                                                      {14, "ServerHelloDone"},
                                                      {15, "CertificateVerify"},
                                                      {16, "ClientKeyExchange"},
                                                      {20, "Finished"},
                                                      {22, "CertificateStatus"},
                                                      {24, "KeyUpdate"},
                                                      {25, "CompressedCertificate"},
                                                      {254, "MessageHash"}}};

// A row of the IMG 2020's list of a mutual handshake, by what is seen on the wire. Its step 11 is
// the client's Finished and 12 the server's ChangeCipherSpec (RFC 5246 section 7.3), whatever the
// words there say.
struct StepRow {
  std::uint8_t step;
  Kind kind;
  std::uint8_t type;
  std::optional<TraceDirection> direction;  // none: either
};
constexpr auto kFromClient = TraceDirection::client_to_server;
constexpr auto kFromServer = TraceDirection::server_to_client;
constexpr std::array<StepRow, 15> kSteps = {{{1, Kind::handshake, 1, kFromClient},
                                             {2, Kind::handshake, 2, kFromServer},
                                             {3, Kind::handshake, 11, kFromServer},
                                             {4, Kind::handshake, 13, kFromServer},
                                             {5, Kind::handshake, 12, kFromServer},
                                             {6, Kind::handshake, 14, kFromServer},
                                             {7, Kind::handshake, 11, kFromClient},
                                             {8, Kind::handshake, 16, kFromClient},
                                             {9, Kind::handshake, 15, kFromClient},
                                             {10, Kind::change_cipher_spec, 0, kFromClient},
                                             {11, Kind::handshake, 20, kFromClient},
                                             {12, Kind::change_cipher_spec, 0, kFromServer},
                                             {13, Kind::handshake, 20, kFromServer},
                                             {14, Kind::application_data, 0, std::nullopt},
                                             {15, Kind::alert, 0, std::nullopt}}};

std::optional<std::uint8_t> step_of(const TraceEntry& entry) noexcept {
  for (const StepRow& row : kSteps) {
    if (row.kind == entry.kind && row.type == entry.type &&
        (!row.direction || *row.direction == entry.direction)) {
      return row.step;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string TraceEntry::name() const {
  switch (kind) {
    case Kind::change_cipher_spec:
      return "ChangeCipherSpec";
    case Kind::application_data:
      return "Application data";
    case Kind::alert: {
      const auto alert = static_cast<Alert>(type);
      const std::string_view known = to_string(alert);
      return known == "alert" ? fmt::format("Alert {}", type) : fmt::format("Alert {}", known);
    }
    case Kind::handshake:
      break;
  }
  for (const TypeRow& row : kHandshakeTypes) {
    if (row.type == type) return std::string(row.name);
  }
  return fmt::format("Handshake message {}", type);
}

void HandshakeTrace::add(TraceEntry entry) {
  if (entries_.size() >= kMaxEntries) {
    ++left_out_;
    return;
  }
  entry.img2020_step =
      version_ == ProtocolVersion::tls1_3 ? std::optional<std::uint8_t>() : step_of(entry);
  entries_.push_back(entry);
}

void HandshakeTrace::set_version(ProtocolVersion version) noexcept {
  version_ = version;
  if (version != ProtocolVersion::tls1_3) return;
  for (TraceEntry& entry : entries_) entry.img2020_step.reset();
}

}  // namespace siptls
