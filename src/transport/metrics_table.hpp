// The rows of TransportMetrics: what each number is called, and what it means. JSON, OpenMetrics
// and merge() all go by this table, so that none of them can forget a row.
#pragma once

#include <string_view>

#include "siptls/cipher_suites.hpp"
#include "siptls/metrics.hpp"

namespace siptls::metrics {

enum class Kind : std::uint8_t { gauge, counter };

// A single number.
struct Number {
  Kind kind;
  std::string_view name;
  std::string_view help;
  std::uint64_t TransportMetrics::*value;
};

inline constexpr Number kNumbers[] = {
    {Kind::gauge, "connections", "Open connections, handshakes included.",
     &TransportMetrics::connections},
    {Kind::gauge, "handshakes_in_flight", "Connections whose peer is not proven yet.",
     &TransportMetrics::handshakes},
    {Kind::gauge, "aliases", "Accepted connections that are reused (RFC 5923).",
     &TransportMetrics::aliases},
    {Kind::gauge, "listeners", "Listeners.", &TransportMetrics::listeners},
    {Kind::gauge, "listeners_paused", "Listeners that do not accept at the moment.",
     &TransportMetrics::listeners_paused},
    {Kind::gauge, "queued_messages", "Messages that wait to be written.",
     &TransportMetrics::queued_messages},
    {Kind::gauge, "queued_bytes", "Octets of messages that wait to be written.",
     &TransportMetrics::queued_bytes},
    {Kind::gauge, "buffered_bytes", "Octets not in the kernel yet, and of input that is held.",
     &TransportMetrics::buffered_bytes},
    {Kind::counter, "accepted", "TCP connections taken from a listener.",
     &TransportMetrics::accepted},
    {Kind::counter, "health_checks", "Connections by which a load balancer looked after itself.",
     &TransportMetrics::health_checks},
    {Kind::counter, "connect_attempts", "Addresses that were tried.",
     &TransportMetrics::connect_attempts},
    {Kind::counter, "handshakes_server", "Handshakes done as TLS server.",
     &TransportMetrics::handshakes_server},
    {Kind::counter, "handshakes_client", "Handshakes done as TLS client.",
     &TransportMetrics::handshakes_client},
    {Kind::counter, "handshakes_resumed", "Handshakes that resumed a session.",
     &TransportMetrics::handshakes_resumed},
    {Kind::counter, "handshakes_authenticated", "Handshakes whose peer had a certificate.",
     &TransportMetrics::handshakes_authenticated},
    {Kind::counter, "messages_received", "Whole SIP messages handed to the host.",
     &TransportMetrics::messages_received},
    {Kind::counter, "message_bytes_received", "Their octets.",
     &TransportMetrics::message_bytes_received},
    {Kind::counter, "messages_accepted", "SIP messages accepted from the host.",
     &TransportMetrics::messages_accepted},
    {Kind::counter, "message_bytes_accepted", "Their octets.",
     &TransportMetrics::message_bytes_accepted},
    {Kind::counter, "pings_received", "Keep-alive pings of peers.",
     &TransportMetrics::pings_received},
    {Kind::counter, "pongs_received", "Keep-alive answers of peers.",
     &TransportMetrics::pongs_received},
    {Kind::counter, "pings_sent", "Keep-alive pings of this side.", &TransportMetrics::pings_sent},
    {Kind::counter, "flows_failed", "Flows that failed for want of a pong.",
     &TransportMetrics::flows_failed},
    {Kind::counter, "connections_reused", "Sends to a target that needed no new connection.",
     &TransportMetrics::connections_reused},
    {Kind::counter, "closed_clean", "Connections that both sides closed.",
     &TransportMetrics::closed_clean},
    {Kind::counter, "context_updates", "Exchanges of certificates, trust or policy.",
     &TransportMetrics::context_updates},
};

// Counters by reason.
struct Reasons {
  std::string_view name;
  std::string_view help;
  TransportMetrics::ByReason TransportMetrics::*values;
};

inline constexpr Reasons kReasons[] = {
    {"accepts_refused", "Connections ended at once by a limit.",
     &TransportMetrics::accepts_refused},
    {"listener_pauses", "Times that a listener stopped accepting.",
     &TransportMetrics::listener_pauses},
    {"connect_failures", "Addresses that did not work.", &TransportMetrics::connect_failures},
    {"handshake_failures", "Handshakes that failed.", &TransportMetrics::handshake_failures},
    {"sends_refused", "Messages that were not accepted.", &TransportMetrics::sends_refused},
    {"sends_failed", "Accepted messages that were not delivered for certain.",
     &TransportMetrics::sends_failed},
    {"closed", "Connections that ended with an error.", &TransportMetrics::closed},
    {"warnings", "Warnings given.", &TransportMetrics::warnings},
};

// Handshakes by something that has a code and a name.
struct Codes {
  std::string_view name;
  std::string_view label;
  std::string_view help;
  TransportMetrics::ByCode TransportMetrics::*values;
  std::string (*name_of)(std::uint16_t);
};

inline std::string name_of_group(std::uint16_t code) {
  return code == 0 ? "none" : group_name(code);
}

inline constexpr Codes kCodes[] = {
    {"handshakes_by_suite", "suite", "Handshakes done, by cipher suite.",
     &TransportMetrics::handshakes_by_suite, cipher_suite_name},
    {"handshakes_by_group", "group", "Handshakes done, by group.",
     &TransportMetrics::handshakes_by_group, name_of_group},
};

}  // namespace siptls::metrics
