#include "tls/staple.hpp"

#include <utility>

#include "pki/credentials_impl.hpp"
#include "pki/ocsp_response.hpp"
#include "pki/trust_store_impl.hpp"

namespace siptls::tls {
namespace {

// A verdict that the response is no good may be due to the clock, so it is asked for again.
constexpr std::chrono::seconds kJudgeAgainAfter{10};

// The certificate that issued the leaf: the next one of the chain, or an entry of the trust store.
const pki::Certificate* issuer_of_leaf(const CredentialsImpl& credentials,
                                       const TrustStoreImpl& trust) {
  const auto chain = credentials.certificates();
  if (chain.size() > 1) return &chain[1];
  for (const pki::Certificate& anchor : trust.anchors()) {
    if (X509_check_issued(anchor.x509(), chain[0].x509()) == X509_V_OK) return &anchor;
  }
  return nullptr;
}

}  // namespace

Staple::Staple(Credentials credentials, TrustStore trust)
    : credentials_(std::move(credentials)), trust_(std::move(trust)) {
  const auto octets = CredentialsImpl::of(credentials_).ocsp_response();
  if (!octets.empty()) {
    response_.reset(CRYPTO_BUFFER_new(octets.data(), octets.size(), nullptr));
  }
}

Result<WallTime> Staple::judge_response(const Now& now) const {
  const pki::ErrorQueueScope errors;
  const CredentialsImpl& credentials = CredentialsImpl::of(credentials_);
  return pki::judge_ocsp_response(credentials.ocsp_response(), credentials.certificates()[0],
                                  issuer_of_leaf(credentials, TrustStoreImpl::of(trust_)), now);
}

bool Staple::is_served(const Result<WallTime>& verdict) const {
  if (verdict) return true;
  const CredentialsImpl& credentials = CredentialsImpl::of(credentials_);
  // Without the issuer nobody knows who says so.
  return verdict.error().reason() == Errc::certificate_revoked &&
         issuer_of_leaf(credentials, TrustStoreImpl::of(trust_)) != nullptr;
}

Result<void> Staple::judge(const Now& now) const {
  if (!response_) return {};
  auto verdict = judge_response(now);
  if (verdict) return {};
  const std::string& subject = credentials_.certificates().front().subject;
  if (is_served(verdict)) {
    return Unexpected(Errc::certificate_revoked, "the OCSP response that is stapled to \"" +
                                                     subject +
                                                     "\" says: " + verdict.error().evidence());
  }
  return Unexpected(
      Errc::ocsp_response_invalid,
      "the OCSP response of \"" + subject + "\" is not stapled: " + verdict.error().message());
}

CRYPTO_BUFFER* Staple::to_serve(const Now& now) {
  if (!response_) return nullptr;
  const std::lock_guard lock(mutex_);
  if (now.wall < from_ || now.wall > until_) {
    const auto verdict = judge_response(now);
    good_ = is_served(verdict);
    from_ = now.wall;
    until_ = verdict ? *verdict : now.wall + kJudgeAgainAfter;
  }
  return good_ ? response_.get() : nullptr;
}

}  // namespace siptls::tls
