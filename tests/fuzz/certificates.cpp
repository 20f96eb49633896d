// Fuzz target: everything that reads certificates, CRLs, OCSP responses and keys. The first octet
// says which function gets the rest.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "siptls/credentials.hpp"
#include "siptls/trust_store.hpp"

namespace {

using siptls::Credentials;
using siptls::TrustStore;
using siptls::VerifyOptions;

// A root,
const char* const kRoot =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBmTCCAT+gAwIBAgIQZhvcQL1vvPUBqdBq5sBX6jAKBggqhkjOPQQDAjAbMRkw\n"
    "FwYDVQQDDBBzaXB0bHMgZGVtbyByb290MCAXDTI0MDEwMTAwMDAwMFoYDzIxMDAw\n"
    "MTAxMDAwMDAwWjAbMRkwFwYDVQQDDBBzaXB0bHMgZGVtbyByb290MFkwEwYHKoZI\n"
    "zj0CAQYIKoZIzj0DAQcDQgAEApif7pnvLQjARHuq1ukZ9aIAAWFcGJ019uGUS5ld\n"
    "VDVvSp8Upk5p8uJIAapwprY5TuzdfA7LmE2PpRyyuS/dkqNjMGEwHQYDVR0OBBYE\n"
    "FO2+D83XphGUNf2lLON7NpSM3vC8MB8GA1UdIwQYMBaAFO2+D83XphGUNf2lLON7\n"
    "NpSM3vC8MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMAoGCCqGSM49\n"
    "BAMCA0gAMEUCIQD2sj95hXMWV4y1GUvqje+L/eZCdaHsTgt3gRyqMU5YhAIgcNxm\n"
    "FfL64ltG8FTZZmi/UEBMngi7TEZ/SIhwvhZD6mI=\n"
    "-----END CERTIFICATE-----\n";

// a leaf for demo.example with the intermediate above it,
const char* const kChain =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIB6DCCAY6gAwIBAgIQcA8FHLDiYbqU4chf4trlfjAKBggqhkjOPQQDAjAlMSMw\n"
    "IQYDVQQDDBpzaXB0bHMgZGVtbyBpbnRlcm1lZGlhdGUgMTAgFw0yNDAxMDEwMDAw\n"
    "MDBaGA8yMTAwMDEwMTAwMDAwMFowFzEVMBMGA1UEAwwMZGVtby5leGFtcGxlMFkw\n"
    "EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEuelmVARCeJdxf9udZWB5HN5sA4F8d8m\n"
    "LpZYUfw2mLxEE9uZJNM69n03RfGr4TPRkb9EtTLLL7mFa16eok22a6OBqzCBqDAd\n"
    "BgNVHQ4EFgQUNPGqUlcKKRivef47PXt8Oq2u2X8wHwYDVR0jBBgwFoAUA0QAr4LP\n"
    "gXgRVVoQwFgOpaMTzhswDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8EBAMCB4AwHQYD\n"
    "VR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMCkGA1UdEQQiMCCGEHNpcDpkZW1v\n"
    "LmV4YW1wbGWCDGRlbW8uZXhhbXBsZTAKBggqhkjOPQQDAgNIADBFAiAvX0dMUxiB\n"
    "CvYf1YZ1X4gWkTgpqrWrIl/kY2I7qywYugIhAKN6RakD5SZM90qID5iNiA0a5PMS\n"
    "H1PA4xmDETijWkCx\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBojCCAUmgAwIBAgIQSykfseCne/C3suo5oAjC+TAKBggqhkjOPQQDAjAbMRkw\n"
    "FwYDVQQDDBBzaXB0bHMgZGVtbyByb290MCAXDTI0MDEwMTAwMDAwMFoYDzIxMDAw\n"
    "MTAxMDAwMDAwWjAlMSMwIQYDVQQDDBpzaXB0bHMgZGVtbyBpbnRlcm1lZGlhdGUg\n"
    "MTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKGfnAuZKV9o5ycSOgLHDbWCCffE\n"
    "upS60hQK1/2Sa/HzMVcEVtdFviaZxFSPPWR0oRK+HAUhM0AiczyoWBWbxmmjYzBh\n"
    "MB0GA1UdDgQWBBQDRACvgs+BeBFVWhDAWA6loxPOGzAfBgNVHSMEGDAWgBTtvg/N\n"
    "16YRlDX9pSzjezaUjN7wvDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQEAwIB\n"
    "BjAKBggqhkjOPQQDAgNHADBEAiBPeQjGgzv/jLeuqkUIYrDl3xfCaeMUczQonA4m\n"
    "LFLCIgIgPe1FO7Y4KEOtm/E8Ra93TIKt7zbl/pqdUABrNM2MaEM=\n"
    "-----END CERTIFICATE-----\n";

// and its key. They protect nothing.
const char* const kKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQglcyfYkapS1s3PreJ\n"
    "lBgTF032HwQPfTr1gf9aiYMtOnqhRANCAAQS56WZUBEJ4l3F/251lYHkc3mwDgXx\n"
    "3yYullhR/DaYvEQT25kk0zr2fTdF8avhM9GRv0S1MssvuYVrXp6iTbZr\n"
    "-----END PRIVATE KEY-----\n";

void require(bool truth, const char* what) {
  if (truth) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

VerifyOptions options() {
  // 2026-01-01
  auto out = VerifyOptions::given(siptls::WallTime(std::chrono::seconds(1767225600)));
  out.names.common_name = siptls::CommonNamePolicy::dangerous_if_no_subject_alt_name;
  out.names.wildcard = siptls::WildcardPolicy::dangerous_one_label;
  return out;
}

void check_evidence(const siptls::Error& error) {
  for (const char c : error.evidence())
    require(c >= ' ' && c < 0x7f, "evidence is printable ASCII");
}

template <typename T>
void check_error(const siptls::Result<T>& result) {
  if (!result) check_evidence(result.error());
}

void check_proof(const siptls::Result<siptls::ProvenPath>& result, const VerifyOptions& how) {
  if (!result) return check_evidence(result.error());
  require(!result->identities.empty(), "a proof names an identity");
  require(result->certificates.size() == result->ca_depth + 1, "the depth leaves the leaf out");
  require(!how.identity || result->matched, "the identity that was asked for is proven");
  require(!result->matched || *result->matched < result->identities.size(), "matched is an index");
}

void judge(const TrustStore& store, std::span<const std::span<const std::byte>> chain) {
  VerifyOptions how = options();
  check_proof(store.verify(chain, how), how);
  how.identity = "demo.example";
  how.role = siptls::PeerRole::client;
  how.eku = siptls::EkuPolicy::sip_strict;
  check_proof(store.verify(chain, how), how);
}

void judge_pem(const TrustStore& store, std::string_view chain) {
  VerifyOptions how = options();
  check_proof(store.verify_pem(chain, how), how);
  how.identity = "demo.example";
  check_proof(store.verify_pem(chain, how), how);
}

const TrustStore& fixed_store() {
  static const TrustStore store = TrustStore::from_pem(kRoot).value();
  return store;
}

// A store of the input, which judges the input and the chain that is known.
void load_store(const siptls::Result<TrustStore>& store, std::string_view pem) {
  check_error(store);
  if (!store) return;
  require(!store->entries().empty(), "a loaded store has entries");
  require(store->entries().size() <= store->limits().max_entries, "a store has a limit");
  judge_pem(*store, kChain);
  if (!pem.empty()) judge_pem(*store, pem);
}

void load_crls(std::string_view text) {
  const auto store = fixed_store().with_crls(text);
  check_error(store);
  if (store) judge_pem(*store, kChain);
}

// The first octets behind their number in two octets; takes them away.
std::span<const std::byte> take_piece(std::span<const std::byte>& octets) {
  if (octets.size() < 2) return {};
  const std::size_t size =
      std::to_integer<std::size_t>(octets[0]) << 8 | std::to_integer<std::size_t>(octets[1]);
  octets = octets.subspan(2);
  const auto piece = octets.first(std::min(size, octets.size()));
  octets = octets.subspan(piece.size());
  return piece;
}

// A CRL as DER, so that what is altered is the CRL and not its base64.
void load_crl(std::span<const std::byte> der) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string pem = "-----BEGIN X509 CRL-----\n";
  for (std::size_t i = 0; i < der.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, der.size() - i);
    std::size_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (k < count ? std::to_integer<std::size_t>(der[i + k]) : 0);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      pem += k <= count ? kDigits[bits >> (18 - 6 * k) & 63] : '=';
    }
    if (i % 48 == 45) pem += '\n';
  }
  load_crls(pem + "\n-----END X509 CRL-----\n");
}

// A trusted certificate, a leaf and its OCSP response: the first two each behind its length.
void judge_ocsp(std::span<const std::byte> octets) {
  const auto anchor = take_piece(octets);
  const auto leaf = take_piece(octets);
  static const Credentials credentials = Credentials::from_pem(kKey, kChain).value();
  check_error(credentials.with_ocsp_response(octets));
  const auto store = TrustStore::from_der(anchor);
  check_error(store);
  if (!store) return;
  VerifyOptions how = options();
  how.ocsp_response = octets;
  how.ocsp = siptls::OcspPolicy::require;
  const auto required = store->verify(std::span(&leaf, 1), how);
  check_proof(required, how);
  how.ocsp = siptls::OcspPolicy::ignore;
  const auto ignored = store->verify(std::span(&leaf, 1), how);
  require(ignored || !required, "a response saves nobody");
  require(!ignored || !ignored->ocsp_valid_until, "what is ignored is not judged");
  if (!required) return;
  require(required->ocsp_valid_until.has_value(), "what is required is judged");
  require(*required->ocsp_valid_until >= how.at.wall, "a response that is good is good now");
}

// Certificates as a peer presents them: each behind its length in two octets.
void judge_octets(std::span<const std::byte> octets) {
  std::vector<std::span<const std::byte>> chain;
  while (octets.size() >= 2) chain.push_back(take_piece(octets));
  judge(fixed_store(), chain);
  if (chain.empty()) return;
  // Trusted itself, so that its names are reached whatever its signature is.
  const auto store = TrustStore::from_der(chain[0]);
  check_error(store);
  if (store) judge(*store, chain);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto octets = std::as_bytes(std::span(data, size)).subspan(1);
  const std::string_view text(reinterpret_cast<const char*>(octets.data()), octets.size());
  switch (data[0]) {
    case '0':
      load_store(TrustStore::from_pem(text), text);
      break;
    case '1':
      load_store(TrustStore::from_der(octets), {});
      break;
    case '2':
      load_crls(text);
      break;
    case '3':
      check_error(Credentials::from_pem(text, kChain));
      break;
    case '4':
      check_error(Credentials::from_pem(kKey, text));
      break;
    case '5':
      judge_pem(fixed_store(), text);
      break;
    case '7':
      judge_ocsp(octets);
      break;
    case '8':
      load_crl(octets);
      break;
    default:
      judge_octets(octets);
      break;
  }
  return 0;
}
