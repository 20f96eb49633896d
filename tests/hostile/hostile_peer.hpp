// One hostile client on a non-blocking socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "hostile/attackers.hpp"

namespace hostile {

// What all of them use.
struct Tools {
  explicit Tools(const Certificates& certificates);

  siptls::TlsContext member;    // trusted by the server
  siptls::TlsContext stranger;  // with the huge chain
  std::string client_hello;     // a good one, to be said again and again
  std::string noise;
};

class HostilePeer {
 public:
  using Clock = std::chrono::steady_clock;

  // The `number`th of its kind; that chooses its variant.
  HostilePeer(Kind kind, std::uint64_t number, const Tools& tools);
  HostilePeer(const HostilePeer&) = delete;
  HostilePeer& operator=(const HostilePeer&) = delete;
  ~HostilePeer();  // with a reset

  // From 127.0.0.`source`. False: not possible.
  bool connect(std::uint8_t source, std::uint16_t port);
  // Something is possible on the socket. False: this client is done.
  bool move();
  // Every 10 ms. False: this client is done.
  bool tick(Clock::time_point now);

  Kind kind() const noexcept { return kind_; }
  int socket() const noexcept { return socket_; }
  bool ended_by_server() const noexcept { return ended_; }
  std::uint64_t octets() const noexcept { return octets_; }

  std::list<HostilePeer>::iterator place;  // where its owner keeps it

 private:
  void begin();
  void established();
  bool attack_established();
  bool read();
  bool write();
  void take(std::string_view octets);
  void say(std::string_view plaintext);
  bool is_proven() const;

  Kind kind_;
  std::uint64_t number_;
  const Tools& tools_;
  int socket_ = -1;
  std::optional<siptls::TlsSession> session_;
  std::string slow_;  // what is said one octet at a time
  std::size_t slow_said_ = 0;
  std::string outbox_;
  std::size_t outbox_sent_ = 0;
  Clock::time_point next_;
  std::uint64_t octets_ = 0;
  bool up_ = false;     // TCP
  bool begun_ = false;  // the attack of a proven peer
  bool ended_ = false;
  bool half_closed_ = false;
};

}  // namespace hostile
