// What the calls that send have in common, those of a transport and those of a sender.
#pragma once

#include "capi/convert.hpp"
#include "capi/options.hpp"

namespace siptls::capi {

// A refusal of what the host gave, as a Result.
inline Result<SendToken> refused(const char* why) {
  return Unexpected(Errc::invalid_argument, why);
}

template <typename F>
int send_message(const void* handle, const void* message, std::size_t size,
                 const siptls_send_options* options, siptls_token* token, siptls_error* error,
                 F&& send) {
  return guarded(error, [&]() -> int {
    if (handle == nullptr || (message == nullptr && size != 0)) {
      return invalid(error, "the handle or the message is NULL");
    }
    SendOptions how;
    if (const char* const why = read_send(options, how)) return invalid(error, why);
    const Result<SendToken> accepted = send(octets_of(message, size), how);
    if (!accepted) return fail(error, accepted.error());
    if (token != nullptr) *token = static_cast<siptls_token>(*accepted);
    return SIPTLS_OK;
  });
}

}  // namespace siptls::capi
