// siptls/c/framer.h
#include "capi/convert.hpp"

namespace {

using siptls::KeepAlive;
using siptls::SipMessageView;
using siptls::capi::fail;
using siptls::capi::guarded;
using siptls::capi::invalid;
using siptls::capi::octets_of;
using siptls::capi::write_struct;

// Tells what came out of the framer, and keeps it for the host to look at.
struct Show {
  siptls_framer& framer;
  siptls_frame& frame;
  siptls_error* error;

  int operator()(const siptls::NeedMore& more) const noexcept {
    frame.at_least = more.at_least;
    return SIPTLS_FRAME_NEED_MORE;
  }
  int operator()(const SipMessageView& message) const noexcept {
    framer.message.view = message;
    frame.message = &framer.message;
    return SIPTLS_FRAME_MESSAGE;
  }
  int operator()(const KeepAlive& found) const noexcept {
    frame.offset = found.offset;
    return found.kind == KeepAlive::Kind::ping ? SIPTLS_FRAME_PING : SIPTLS_FRAME_PONG;
  }
  int operator()(siptls::Error& why) const noexcept {
    fail(error, std::move(why));
    return SIPTLS_FRAME_ERROR;
  }
};

}  // namespace

void siptls_framer_limits_init(siptls_framer_limits* limits, size_t size) {
  siptls::capi::init_struct(limits, size, siptls::capi::default_framer_limits());
}

int siptls_framer_new(uint32_t role, const siptls_framer_limits* limits, siptls_framer** framer,
                      siptls_error* error) {
  return guarded(error, [&]() -> int {
    const auto known = siptls::capi::to_enum(role, siptls::FramerRole::client);
    if (framer == nullptr || !known) return invalid(error, "framer is NULL, or no such role");
    auto given = siptls::capi::default_framer_limits();
    if (limits != nullptr && (!siptls::capi::read_struct(limits, given) || given.reserved != 0)) {
      return invalid(error, "limits: size, or reserved is not 0");
    }
    *framer = new siptls_framer{siptls::SipFramer({*known, siptls::capi::to_cpp(given)}),
                                siptls_message{}};
    return SIPTLS_OK;
  });
}

void siptls_framer_free(siptls_framer* framer) { delete framer; }

int siptls_framer_push(siptls_framer* framer, const void* data, size_t size, siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (framer == nullptr || (data == nullptr && size != 0)) {
      return invalid(error, "framer or data is NULL");
    }
    framer->framer.push(octets_of(data, size));
    return SIPTLS_OK;
  });
}

int siptls_framer_keep_input(siptls_framer* framer, siptls_error* error) {
  return guarded(error, [&]() -> int {
    if (framer == nullptr) return invalid(error, "framer is NULL");
    framer->framer.keep_input();
    return SIPTLS_OK;
  });
}

int siptls_framer_next(siptls_framer* framer, siptls_frame* frame, siptls_error* error) {
  int kind = SIPTLS_FRAME_ERROR;
  guarded(error, [&]() -> int {
    siptls_frame shown{};
    if (framer == nullptr || !write_struct(frame, shown)) {
      return invalid(error, "framer is NULL, or frame has no size");
    }
    auto output = framer->framer.next();
    kind = std::visit(Show{*framer, shown, error}, output);
    static_cast<void>(write_struct(frame, shown));
    return SIPTLS_OK;
  });
  return kind;
}

size_t siptls_framer_unfinished(const siptls_framer* framer) {
  return framer == nullptr ? 0 : framer->framer.unfinished();
}

uint64_t siptls_framer_position(const siptls_framer* framer) {
  return framer == nullptr ? 0 : framer->framer.position();
}

int siptls_framer_failed(const siptls_framer* framer) {
  return framer == nullptr || framer->framer.failed() ? 1 : 0;
}

unsigned siptls_framer_suggested_status(const siptls_framer* framer) {
  return framer == nullptr ? 0 : framer->framer.suggested_status().value_or(0);
}

siptls_text siptls_framer_refusal_response(const siptls_framer* framer) {
  return framer == nullptr ? siptls_text{nullptr, 0}
                           : siptls::capi::to_c(framer->framer.refusal_response());
}
