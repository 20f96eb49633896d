// What the clients of one TlsContext remember of their servers' sessions, to resume them.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace siptls::tls {

// Thread-safe and bounded; the least recently stored one goes first. A context's credentials,
// policy and trust are its own, so the key is the scope (the remote address) and the domain alone.
class SessionMemory {
 public:
  static std::string key(std::string_view scope, std::string_view domain);

  // Keeps the newest session for each key.
  void put(const std::string& key, bssl::UniquePtr<SSL_SESSION> session);
  // Null if there is none. One of TLS 1.3 is taken out: it is offered once, so that nobody can link
  // two connections by it (RFC 8446 appendix C.4).
  bssl::UniquePtr<SSL_SESSION> take(const std::string& key);

 private:
  static constexpr std::size_t kMaxSessions = 1024;

  struct Entry {
    std::string key;
    bssl::UniquePtr<SSL_SESSION> session;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;  // oldest first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
};

}  // namespace siptls::tls
