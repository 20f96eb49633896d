// What the baselines share: certificates from PEM texts, and failures that end the program.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace baseline {

inline void check(bool done, const char* what) {
  if (done) return;
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  throw std::runtime_error(std::string(what) + ": " + (reason != nullptr ? reason : "?"));
}

inline bssl::UniquePtr<BIO> reader(const std::string& text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

inline std::vector<bssl::UniquePtr<X509>> certificates(const std::string& pem) {
  std::vector<bssl::UniquePtr<X509>> all;
  const auto bio = reader(pem);
  while (X509* one = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) all.emplace_back(one);
  ERR_clear_error();
  check(!all.empty(), "certificates");
  return all;
}

}  // namespace baseline
