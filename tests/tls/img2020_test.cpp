// A peer with the list of the IMG 2020: all of it, and each suite of it alone.
#include <algorithm>
#include <string>

#include "catch.hpp"
#include "peers.hpp"
#include "raw_hello.hpp"
#include "siptls/cipher_suites.hpp"
#include "tls/library_features.hpp"

using namespace siptls;
using namespace siptls_test;
using demo_pki::KeyType;

namespace {

constexpr std::uint16_t kSignal = 0x00ff;
constexpr std::uint16_t kGrease = 0x1a1a;
constexpr std::size_t kListSize = 55;
constexpr KeyType kKeys[] = {KeyType::p256, KeyType::rsa2048};

using Codes = std::vector<std::uint16_t>;

struct Preset {
  const char* name;
  TlsPolicy policy;
};
std::vector<Preset> presets() {
  return {{"modern", TlsPolicy::modern()},
          {"interop", TlsPolicy::interop()},
          {"img2020", TlsPolicy::img2020()},
          {"img2020 only_128", TlsPolicy::img2020(SuiteStrength::only_128)},
          {"img2020 at_least_128", TlsPolicy::img2020(SuiteStrength::at_least_128)}};
}

Codes whole_list() {
  Codes codes;
  for (const CipherSuite& suite : cipher_suites().first(kListSize)) codes.push_back(suite.code);
  return codes;
}

// With these suites, the curves of that time, signatures from SHA-1 to SHA-512, and the extended
// master secret or not. Secure renegotiation is said by the signalling suite alone.
enum class MasterSecret { extended, plain };
Octets client_hello(const Codes& suites, MasterSecret secret = MasterSecret::extended) {
  // P-256, P-384 and P-521; uncompressed points; signatures.
  std::string extensions = "000a00080006001700180019";
  extensions += "000b00020100";
  extensions += "000d0012001004010501060104030503060302010203";
  if (secret == MasterSecret::extended) extensions += "00170000";
  return raw_client_hello(suites, extensions);
}

// The suite of the ServerHello that the flight begins with; none if it begins with something else.
std::optional<std::uint16_t> chosen_suite(const Octets& flight) {
  const auto octet = [&](std::size_t i) { return std::to_integer<std::size_t>(flight[i]); };
  constexpr std::size_t kSessionId = 5 + 4 + 2 + 32;  // after the headers, version and random
  if (flight.size() < kSessionId + 1 || octet(0) != 22 || octet(5) != 2) return std::nullopt;
  const std::size_t place = kSessionId + 1 + octet(kSessionId);
  if (flight.size() < place + 2) return std::nullopt;
  return static_cast<std::uint16_t>(octet(place) << 8 | octet(place + 1));
}

// A certificate that may be used with every suite of its kind of key: newer BoringSSL wants
// keyUsage to allow what the suite does.
const Credentials& versatile(KeyType key) {
  static const auto make = [](KeyType of) {
    return leaf_of(
        site(),
        [of](demo_pki::CertificateSpec& spec) {
          spec.key_usage = {"digitalSignature"};
          if (of == KeyType::rsa2048) spec.key_usage.emplace_back("keyEncipherment");
        },
        of);
  };
  static const Credentials ecdsa = make(KeyType::p256);
  static const Credentials rsa = make(KeyType::rsa2048);
  return key == KeyType::rsa2048 ? rsa : ecdsa;
}

TlsContext context_with(const TlsPolicy& policy, KeyType key) {
  return context([&](TlsContextConfig& made) {
    made.policy = policy;
    made.credentials = versatile(key);
  });
}

bool is_for(const CipherSuite& suite, KeyType key) {
  return suite.authentication == (key == KeyType::rsa2048 ? "RSA" : "ECDSA");
}
bool contains(const Codes& codes, std::uint16_t code) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

// The first suite of the policy that a peer with the whole list has, and the key fits.
std::uint16_t expected_suite(const TlsPolicy& policy, KeyType key) {
  for (const std::uint16_t code : policy.cipher_suites) {
    const CipherSuite* suite = find_cipher_suite(code);
    if (suite->in_img2020_list && is_for(*suite, key)) return code;
  }
  FAIL("the policy has no suite for this key");
  return 0;
}

// What an operator reads about a suite that was not taken.
void check_explained(const Error& error, const CipherSuite& suite, const TlsPolicy& policy) {
  CAPTURE(error.message());
  CHECK(error.reason() == Errc::no_common_cipher_suite);
  CHECK(error.category() == Category::incompatible);
  CHECK(error.alert() == Alert::handshake_failure);
  const std::string& text = error.evidence();
  const auto says = [&](std::string_view words) { return text.find(words) != std::string::npos; };
  const std::string status = suite.status == SuiteStatus::refused   ? " (refused): "
                             : suite.status == SuiteStatus::interop ? " (interop): "
                                                                    : " (offered): ";
  std::string reason(suite.reason);
  if (reason.empty()) reason = "not in this policy";
  if (suite.status == SuiteStatus::interop && !tls::library_has_suite(suite.code)) {
    reason = "this BoringSSL does not have it";
  }
  if (contains(policy.cipher_suites, suite.code)) {
    reason = "not for the key of this side's certificate";
  }
  CHECK(says("the peer offers " + std::string(suite.name)));
  CHECK(says(std::string(suite.name) + status + reason));
  CHECK(says("this side allows "));
}

}  // namespace

TEST_CASE("A ClientHello with exactly the list of the IMG 2020 is answered under every preset") {
  for (const Preset& preset : presets()) {
    for (const KeyType key : kKeys) {
      CAPTURE(preset.name, static_cast<int>(key));
      const std::uint16_t expected = expected_suite(preset.policy, key);
      SessionEnd end = server(context_with(preset.policy, key));
      end.receive(client_hello(whole_list()));
      if (end.error) FAIL(end.error->message());
      const auto chosen = chosen_suite(end.take_output());
      REQUIRE(chosen.has_value());
      CHECK(cipher_suite_name(*chosen) == cipher_suite_name(expected));
      // The same in pieces, and for a peer whose list ends with something unknown.
      SessionEnd slow = server(context_with(preset.policy, key));
      for (const std::byte octet : client_hello(whole_list())) slow.receive({&octet, 1});
      CHECK(chosen_suite(slow.take_output()) == expected);
      Codes longer = whole_list();
      longer.insert(longer.end(), {kGrease, 0x000a, 0x0005});
      SessionEnd other = server(context_with(preset.policy, key));
      other.receive(client_hello(longer));
      CHECK(chosen_suite(other.take_output()) == expected);
    }
  }
}

TEST_CASE(
    "A list without the extended master secret or the signal is served only where it may be") {
  TlsPolicy relaxed = TlsPolicy::img2020();
  relaxed.extended_master_secret = ExtendedMasterSecret::dangerous_optional;
  Codes without_signal = whole_list();
  without_signal.pop_back();
  for (const KeyType key : kKeys) {
    CAPTURE(static_cast<int>(key));
    SessionEnd strict = server(context_with(TlsPolicy::img2020(), key));
    strict.receive(client_hello(whole_list(), MasterSecret::plain));
    REQUIRE(strict.error.has_value());
    CHECK(strict.error->reason() == Errc::extended_master_secret_missing);

    SessionEnd served = server(context_with(relaxed, key));
    served.receive(client_hello(whole_list(), MasterSecret::plain));
    CHECK(chosen_suite(served.take_output()) == expected_suite(relaxed, key));

    SessionEnd insecure = server(context_with(relaxed, key));
    insecure.receive(client_hello(without_signal));
    REQUIRE(insecure.error.has_value());
    CHECK(insecure.error->reason() == Errc::insecure_renegotiation);
  }
}

TEST_CASE("Each suite of the list alone is chosen, or the error names it and its reason") {
  std::size_t answered = 0;
  for (const Preset& preset : presets()) {
    for (const KeyType key : kKeys) {
      const TlsContext serving = context_with(preset.policy, key);
      for (const CipherSuite& suite : cipher_suites().first(kListSize - 1)) {
        CAPTURE(preset.name, static_cast<int>(key), suite.name);
        SessionEnd end = server(serving);
        end.receive(client_hello({suite.code, kSignal}));
        if (contains(preset.policy.cipher_suites, suite.code) && is_for(suite, key)) {
          if (end.error) FAIL(end.error->message());
          CHECK(chosen_suite(end.take_output()) == suite.code);
          ++answered;
          continue;
        }
        REQUIRE(end.error.has_value());
        check_explained(*end.error, suite, preset.policy);
        CHECK(end.session.state() == SessionState::failed);
        CHECK_FALSE(chosen_suite(end.take_output()).has_value());
      }
    }
  }
  // modern 4, interop at least 8, img2020 as many, half of them with 128 bits.
  CHECK(answered >= 4 + 8 + 8 + 4 + 8);
}

TEST_CASE("The signal alone is no suite, and the error says so") {
  SessionEnd end = server(context_with(TlsPolicy::img2020(), KeyType::p256));
  end.receive(client_hello({kSignal}));
  REQUIRE(end.error.has_value());
  CAPTURE(end.error->message());
  CHECK(end.error->reason() == Errc::no_common_cipher_suite);
  CHECK(end.error->evidence().find("TLS_EMPTY_RENEGOTIATION_INFO_SCSV (refused): a signal") !=
        std::string::npos);
}

TEST_CASE("Each suite of the list that a policy names works end to end, or is refused by name") {
  std::size_t worked = 0;
  for (const CipherSuite& suite : cipher_suites().first(kListSize)) {
    CAPTURE(suite.name);
    const KeyType key = suite.authentication == "RSA" ? KeyType::rsa2048 : KeyType::p256;
    TlsContextConfig wanted = config([&](TlsContextConfig& made) {
      made.policy = TlsPolicy::img2020();
      made.policy.cipher_suites = {suite.code};
      made.credentials = versatile(key);
    });
    const auto made = TlsContext::create(wanted);
    const bool usable = suite.status != SuiteStatus::refused && tls::library_has_suite(suite.code);
    REQUIRE(made.has_value() == usable);
    if (!made) {
      CHECK(made.error().reason() == Errc::policy_unsupported);
      const std::string& text = made.error().evidence();
      CAPTURE(text);
      CHECK(text.find(suite.name) != std::string::npos);
      CHECK(text.find(suite.status == SuiteStatus::refused
                          ? suite.reason
                          : "BoringSSL does not have") != std::string::npos);
      // Beside a good one it is refused as well: nothing is left out silently.
      wanted.policy.cipher_suites = {0xc02b, 0xc02f, suite.code};
      CHECK_FALSE(TlsContext::create(wanted));
      continue;
    }
    SessionEnd a = client(*made);
    SessionEnd b = server(*made);
    connect(a, b);
    if (a.error) FAIL(a.error->message());
    if (b.error) FAIL(b.error->message());
    REQUIRE(a.established());
    REQUIRE(b.established());
    CHECK(a.session.peer().cipher_suite == suite.code);
    CHECK(b.session.peer().cipher_suite == suite.code);
    REQUIRE(a.session.send(octets_of("OPTIONS"), a.now));
    REQUIRE(b.session.send(octets_of("200"), b.now));
    connect(a, b);
    CHECK(b.received == "OPTIONS");
    CHECK(a.received == "200");
    ++worked;
  }
  // ECDHE with AEAD and CBC, and static RSA; two more where the library has CBC with SHA-256.
  CHECK((worked == 12 || worked == 13 || worked == 14));
}

TEST_CASE(
    "A server of the old days that has one suite of the list is met by interop, if it may be") {
  for (const CipherSuite& suite : cipher_suites().first(kListSize - 1)) {
    if (suite.status == SuiteStatus::refused || !tls::library_has_suite(suite.code)) continue;
    CAPTURE(suite.name);
    const KeyType key = suite.authentication == "RSA" ? KeyType::rsa2048 : KeyType::p256;
    TlsPolicy alone = TlsPolicy::img2020();
    alone.cipher_suites = {suite.code};
    SessionEnd a = client(context_with(TlsPolicy::interop(), key));
    SessionEnd b = server(context_with(alone, key));
    connect(a, b);
    if (contains(TlsPolicy::interop().cipher_suites, suite.code)) {
      REQUIRE(a.established());
      CHECK(a.session.peer().cipher_suite == suite.code);
    } else {
      // Static RSA: in no preset.
      CHECK(suite.key_exchange == "static RSA");
      REQUIRE(a.error.has_value());
      CHECK(a.error->reason() == Errc::peer_found_nothing_in_common);
      REQUIRE(b.error.has_value());
      CHECK(b.error->reason() == Errc::no_common_cipher_suite);
    }
  }
}
