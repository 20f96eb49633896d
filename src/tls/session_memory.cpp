#include "tls/session_memory.hpp"

#include <utility>

namespace siptls::tls {

std::string SessionMemory::key(std::string_view scope, std::string_view domain) {
  std::string key(scope);
  key += '\n';
  return key += domain;
}

void SessionMemory::put(const std::string& key, bssl::UniquePtr<SSL_SESSION> session) {
  const std::lock_guard lock(mutex_);
  if (const auto known = by_key_.find(key); known != by_key_.end()) {
    known->second->session = std::move(session);
    entries_.splice(entries_.end(), entries_, known->second);
    return;
  }
  if (entries_.size() == kMaxSessions) {
    by_key_.erase(entries_.front().key);
    entries_.pop_front();
  }
  entries_.push_back({key, std::move(session)});
  by_key_.emplace(entries_.back().key, std::prev(entries_.end()));
}

bssl::UniquePtr<SSL_SESSION> SessionMemory::take(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto known = by_key_.find(key);
  if (known == by_key_.end()) return nullptr;
  const auto entry = known->second;
  if (!SSL_SESSION_should_be_single_use(entry->session.get())) return bssl::UpRef(entry->session);
  auto session = std::move(entry->session);
  by_key_.erase(known);
  entries_.erase(entry);
  return session;
}

}  // namespace siptls::tls
