// siptls/c/context.h
#include "capi/convert.hpp"
#include "capi/policy.hpp"

namespace {

using siptls::TicketKeyRing;
using siptls::TlsContext;
using siptls::TlsContextConfig;
using siptls::capi::fail;
using siptls::capi::finish;
using siptls::capi::guarded;
using siptls::capi::invalid;
using siptls::capi::octets_of;

int add_credentials(const siptls_context_config& given, TlsContextConfig& into,
                    siptls_error* error) {
  if (given.credentials != nullptr) into.credentials = given.credentials->credentials;
  if (given.more_credentials == nullptr) {
    return given.more_credentials_count == 0
               ? static_cast<int>(SIPTLS_OK)
               : invalid(error, "more_credentials is NULL and not empty");
  }
  for (const auto* more : std::span(given.more_credentials, given.more_credentials_count)) {
    if (more == nullptr) return invalid(error, "one of more_credentials is NULL");
    into.more_credentials.push_back(more->credentials);
  }
  return SIPTLS_OK;
}

int add_key_log(const siptls_context_config& given, TlsContextConfig& into, siptls_error* error) {
  if (given.dangerous_key_log != nullptr && given.dangerous_key_log_file != nullptr) {
    return invalid(error, "a key log goes to a callback or to a file, not to both");
  }
  if (given.dangerous_key_log != nullptr) {
    into.dangerous_key_log = [write = given.dangerous_key_log,
                              context = given.dangerous_key_log_context](std::string_view line) {
      write(context, line.data(), line.size());
    };
  }
  if (given.dangerous_key_log_file != nullptr) {
    auto file = siptls::dangerous_key_log_to_file(given.dangerous_key_log_file);
    if (!file) return fail(error, std::move(file).error());
    into.dangerous_key_log = std::move(*file);
  }
  return SIPTLS_OK;
}

int read_config(const siptls_context_config& given, TlsContextConfig& into, siptls_error* error) {
  if (const int code = add_credentials(given, into, error); code != SIPTLS_OK) return code;
  if (given.trust != nullptr) into.trust = given.trust->store;
  if (given.policy != nullptr) {
    auto policy = siptls::capi::read_policy(given.policy);
    if (!policy) return invalid(error, "policy: a size, or a number that is no choice");
    into.policy = std::move(*policy);
  }
  if (const char* const why = siptls::capi::read_allowed(
          given.allowed_peers, given.allowed_peers_count, into.allowed_peers)) {
    return invalid(error, why);
  }
  if (given.ticket_keys != nullptr) into.ticket_keys = given.ticket_keys->ring;
  return add_key_log(given, into, error);
}

}  // namespace

int siptls_ticket_keys_new(uint64_t rotate_after_seconds, size_t keys, siptls_ticket_keys** ring,
                           siptls_error* error) {
  return guarded(error, [&] {
    if (ring == nullptr) return invalid(error, "ring is NULL");
    constexpr auto kMost = std::chrono::hours(24 * 366 * 100);
    const auto seconds = static_cast<std::int64_t>(
        std::min<std::uint64_t>(rotate_after_seconds, std::chrono::seconds(kMost).count()));
    return finish(TicketKeyRing::create({std::chrono::seconds(seconds), keys}), ring, error,
                  [](std::shared_ptr<TicketKeyRing> made) {
                    return new siptls_ticket_keys{std::move(made)};
                  });
  });
}

int siptls_ticket_keys_rotate(siptls_ticket_keys* ring, siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (ring == nullptr) return invalid(error, "ring is NULL");
    ring->ring->rotate();
    return SIPTLS_OK;
  });
}

int siptls_ticket_keys_export(siptls_ticket_keys* ring, void* buffer, size_t size, size_t* written,
                              siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (ring == nullptr || written == nullptr || (buffer == nullptr && size != 0)) {
      return invalid(error, "ring, buffer or written is NULL");
    }
    auto keys = ring->ring->export_keys();
    if (!keys) return fail(error, std::move(keys).error());
    *written = keys->size();
    const bool fits = keys->size() <= size;
    if (fits) std::copy(keys->begin(), keys->end(), static_cast<std::byte*>(buffer));
    // What goes back to the heap must not be the keys.
    volatile std::byte* octet = keys->data();
    for (std::size_t i = 0; i < keys->size(); ++i) *octet++ = std::byte{0};
    return fits ? static_cast<int>(SIPTLS_OK) : invalid(error, "the buffer is too small");
  });
}

int siptls_ticket_keys_import(siptls_ticket_keys* ring, const void* exported, size_t exported_size,
                              siptls_error* error) {
  return guarded(error, [&] {
    if (ring == nullptr || exported == nullptr) return invalid(error, "an argument is NULL");
    return finish(ring->ring->import_keys(octets_of(exported, exported_size)), error);
  });
}

void siptls_ticket_keys_free(siptls_ticket_keys* ring) { delete ring; }

void siptls_context_config_init(siptls_context_config* config, size_t size) {
  siptls::capi::init_struct(config, size, siptls_context_config{});
}

int siptls_context_new(const siptls_context_config* config, siptls_context** context,
                       siptls_error* error) {
  return guarded(error, [&] {
    if (config == nullptr || context == nullptr) return invalid(error, "an argument is NULL");
    siptls_context_config given{};
    if (!siptls::capi::read_struct(config, given)) return invalid(error, "config: size");
    TlsContextConfig into;
    if (const int code = read_config(given, into, error); code != SIPTLS_OK) return code;
    return finish(TlsContext::create(std::move(into)), context, error,
                  [](TlsContext made) { return new siptls_context{std::move(made)}; });
  });
}

void siptls_context_free(siptls_context* context) { delete context; }

int siptls_context_valid_at(const siptls_context* context, const siptls_now* now,
                            siptls_error* error) {
  return guarded(error, [&] {
    if (context == nullptr || now == nullptr) return invalid(error, "context or now is NULL");
    return finish(context->context.valid_at(siptls::capi::to_cpp(*now)), error);
  });
}

int siptls_context_warning(const siptls_context* context, const siptls_now* now, size_t index,
                           siptls_error* warning) {
  if (warning != nullptr) warning->error.reset();
  if (context == nullptr || now == nullptr) return 0;
  return siptls::capi::guarded_or(0, [&] {
    auto warnings = context->context.warnings(siptls::capi::to_cpp(*now));
    if (index >= warnings.size()) return 0;
    fail(warning, std::move(warnings[index]));
    return 1;
  });
}

uint64_t siptls_context_id(const siptls_context* context) {
  return context == nullptr ? 0 : context->context.id();
}
