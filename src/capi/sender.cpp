// siptls/c/transport.h: the handle for other threads.
#include "capi/convert.hpp"
#include "capi/options.hpp"
#include "capi/sending.hpp"

namespace {

using siptls::ConnectionId;
using siptls::capi::finish;
using siptls::capi::guarded;
using siptls::capi::invalid;
using siptls::capi::octets_of;
using siptls::capi::refused;
using siptls::capi::send_message;

ConnectionId id_of(siptls_connection connection) noexcept {
  return static_cast<ConnectionId>(connection);
}

}  // namespace

int siptls_sender_new(const siptls_transport* transport, siptls_sender** sender,
                      siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (transport == nullptr || sender == nullptr) return invalid(error, "an argument is NULL");
    *sender = new siptls_sender{transport->transport.sender()};
    return SIPTLS_OK;
  });
}

void siptls_sender_free(siptls_sender* sender) { delete sender; }

int siptls_sender_send(const siptls_sender* sender, siptls_connection connection,
                       const void* message, size_t size, const siptls_send_options* options,
                       siptls_token* token, siptls_error* error) {
  return send_message(sender, message, size, options, token, error,
                      [&](std::span<const std::byte> octets, const siptls::SendOptions& how) {
                        return sender->sender.send(id_of(connection), octets, how);
                      });
}

int siptls_sender_send_to(const siptls_sender* sender, const siptls_target* target,
                          const void* message, size_t size, const siptls_send_options* options,
                          siptls_token* token, siptls_error* error) {
  return send_message(sender, message, size, options, token, error,
                      [&](std::span<const std::byte> octets, const siptls::SendOptions& how) {
                        siptls::Target into;
                        if (const char* const why = siptls::capi::read_target(target, into)) {
                          return refused(why);
                        }
                        return sender->sender.send(into, octets, how);
                      });
}

int siptls_sender_respond(const siptls_sender* sender, siptls_connection connection,
                          const void* message, size_t size, const siptls_fallback* fallback,
                          const siptls_send_options* options, siptls_token* token,
                          siptls_error* error) {
  return send_message(sender, message, size, options, token, error,
                      [&](std::span<const std::byte> octets, const siptls::SendOptions& how) {
                        siptls::ResponseFallback into;
                        if (const char* const why = siptls::capi::read_fallback(fallback, into)) {
                          return refused(why);
                        }
                        return sender->sender.respond(id_of(connection), octets, into, how);
                      });
}

int siptls_sender_authorise(const siptls_sender* sender, siptls_connection connection,
                            uint32_t verdict, siptls_error* error) {
  return guarded(error, [&] {
    const auto known = siptls::capi::to_enum(verdict, siptls::Verdict::refuse);
    if (sender == nullptr || !known) return invalid(error, "sender is NULL, or no verdict");
    return finish(sender->sender.authorise(id_of(connection), *known), error);
  });
}

int siptls_sender_complete_signature(const siptls_sender* sender, siptls_connection connection,
                                     const void* signature, size_t size, siptls_error* error) {
  return guarded(error, [&] {
    if (sender == nullptr || (signature == nullptr && size != 0)) {
      return invalid(error, "sender or signature is NULL");
    }
    return finish(sender->sender.complete_signature(id_of(connection), octets_of(signature, size)),
                  error);
  });
}

int siptls_sender_post(const siptls_sender* sender, uint64_t value, siptls_error* error) {
  return guarded(error, [&] {
    if (sender == nullptr) return invalid(error, "sender is NULL");
    return finish(sender->sender.post(value), error);
  });
}
