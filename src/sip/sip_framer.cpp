#include "siptls/sip_framer.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "sip/framing_error.hpp"
#include "sip/refusal.hpp"
#include "sip/workspace.hpp"

namespace siptls {
namespace {

// Of a header that did not end in the octets before, this much is copied at a time and looked at
// in its place. What was copied beyond the end of the message counts as unread again.
constexpr std::size_t kChunk = 512;

}  // namespace

SipFramer::SipFramer(const FramerOptions& options) : limits_(options.limits), role_(options.role) {}

SipFramer::SipFramer(const FramerOptions& options, Workspace& shared)
    : workspace_(&shared), limits_(options.limits), role_(options.role), owns_workspace_(false) {}

SipFramer::SipFramer(SipFramer&& other) noexcept { *this = std::move(other); }

SipFramer& SipFramer::operator=(SipFramer&& other) noexcept {
  if (this == &other) return *this;
  release();
  workspace_ = std::exchange(other.workspace_, nullptr);
  assembly_ = std::exchange(other.assembly_, nullptr);
  kept_ = std::exchange(other.kept_, nullptr);
  refusal_ = std::exchange(other.refusal_, nullptr);
  input_ = std::exchange(other.input_, nullptr);
  input_end_ = std::exchange(other.input_end_, nullptr);
  position_ = std::exchange(other.position_, 0);
  limits_ = other.limits_;
  role_ = other.role_;
  owns_workspace_ = std::exchange(other.owns_workspace_, true);
  failed_ = std::exchange(other.failed_, false);
  out_of_memory_ = std::exchange(other.out_of_memory_, false);
  break_octets_ = std::exchange(other.break_octets_, std::uint8_t{0});
  suggested_status_ = std::exchange(other.suggested_status_, std::uint16_t{0});
  return *this;
}

SipFramer::~SipFramer() { release(); }

// Touches nothing in a shared workspace that a view may refer to.
void SipFramer::release() noexcept {
  delete assembly_;
  delete refusal_;
  if (owns_workspace_) {
    delete workspace_;
    delete kept_;
  } else if (kept_ != nullptr) {
    workspace_->retire(std::unique_ptr<detail::KeptInput>(kept_));
  }
  workspace_ = nullptr;
  assembly_ = nullptr;
  kept_ = nullptr;
  refusal_ = nullptr;
}

void SipFramer::push(std::span<const std::byte> bytes) {
  if (failed_) return;
  if (input_ == input_end_ && kept_ == nullptr) {
    input_ = reinterpret_cast<const char*>(bytes.data());
    input_end_ = input_ + bytes.size();
  } else if (!keep(bytes.data(), bytes.size())) {
    out_of_memory_ = true;
  }
}

void SipFramer::keep_input() {
  if (kept_ == nullptr && input_ != input_end_ && !keep(nullptr, 0)) out_of_memory_ = true;
}

// Makes the unread input and `more` behind it one piece of memory of the framer's own.
bool SipFramer::keep(const std::byte* more, std::size_t size) noexcept {
  const std::size_t before = unread();
  const bool fits = kept_ != nullptr && kept_->capacity - kept_->size >= size;
  if (!fits) {
    std::unique_ptr<detail::KeptInput> larger(new (std::nothrow) detail::KeptInput);
    if (!larger) return false;
    larger->capacity = before + std::max(size, more == nullptr ? 0 : before);
    larger->octets.reset(new (std::nothrow) char[larger->capacity]);
    if (!larger->octets) return false;
    if (before > 0) std::char_traits<char>::copy(larger->octets.get(), input_, before);
    larger->size = before;
    delete kept_;
    kept_ = larger.release();
    input_ = kept_->octets.get();
  }
  if (size > 0) {
    std::char_traits<char>::copy(kept_->octets.get() + kept_->size,
                                 reinterpret_cast<const char*>(more), size);
  }
  kept_->size += size;
  input_end_ = kept_->octets.get() + kept_->size;
  return true;
}

// In its callers, since a stream that comes octet by octet spends its time here.
[[gnu::always_inline]] inline FramerOutput SipFramer::need_more(std::size_t at_least) noexcept {
  if (kept_ != nullptr) drop_kept();
  return NeedMore{at_least};
}

void SipFramer::drop_kept() noexcept {
  delete std::exchange(kept_, nullptr);
  input_ = input_end_ = nullptr;
}

// Takes the only unread octet into the message in assembly_, if that changes nothing else. Gives
// how many octets are missing then at least; 0 if the octet was left.
inline std::size_t SipFramer::take_one() noexcept {
  detail::MessageAssembly& found = *assembly_;
  if (!found.has_room()) return 0;
  std::size_t missing = 1;
  if (found.scan.is_complete()) {
    missing = found.scan.message_size() - found.held() - 1;
    if (missing == 0) return 0;
  } else if (!found.scan.take_plain(*input_, limits_)) {
    return 0;
  }
  found.append_one(*input_);
  ++input_;
  return missing;
}

FramerOutput SipFramer::next() {
  if (failed_) {
    return Error(Errc::framer_failed, "this stream has failed before and cannot be re-synchronised")
        .with_offset(position_);
  }
  if (workspace_ == nullptr) workspace_ = make_workspace().release();
  if (workspace_ == nullptr || out_of_memory_) {
    return fail(Error(Errc::out_of_memory, "no memory for unread input").with_offset(position_));
  }
  workspace_->drop_retired();
  if (assembly_ != nullptr) {
    // A stream that comes octet by octet spends its time here.
    if (unread() == 1 && kept_ == nullptr) {
      if (const std::size_t missing = take_one(); missing > 0) return NeedMore{missing};
    }
    return go_on();
  }
  if (input_ == input_end_) return need_more(1);
  if (break_octets_ == 0 && *input_ != '\r' && *input_ != '\n') return begin_message();
  return between_messages();
}

// CRLF and CRLFCRLF between messages (RFC 3261 section 7.5, RFC 5626 sections 3.5.1 and 4.4.1).
// They may come split anywhere, so what has come is counted and not kept.
FramerOutput SipFramer::between_messages() {
  const std::uint8_t whole = role_ == FramerRole::server ? 4 : 2;
  for (; input_ != input_end_; ++input_) {
    const bool awaits_line_feed = break_octets_ % 2 != 0;
    if (awaits_line_feed && *input_ != '\n') {
      return fail(
          sip::stray_break_error(Errc::bare_carriage_return, position_ + break_octets_ - 1u));
    }
    if (!awaits_line_feed && *input_ != '\r') {
      // Only a server can have a CRLF here that became no ping: it is ignored before a message.
      if (break_octets_ != 0 && limits_.max_empty_lines == 0) {
        return fail(sip::empty_lines_error(position_, limits_));
      }
      position_ += std::exchange(break_octets_, std::uint8_t{0});
      if (*input_ == '\n') return fail(sip::stray_break_error(Errc::bare_line_feed, position_));
      return begin_message();
    }
    if (++break_octets_ == whole) {
      ++input_;
      break_octets_ = 0;
      const KeepAlive found{whole == 4 ? KeepAlive::Kind::ping : KeepAlive::Kind::pong, position_,
                            whole};
      position_ += whole;
      return found;
    }
  }
  return need_more(1);
}

FramerOutput SipFramer::begin_message() {
  detail::MessageAssembly* const found = workspace_->current();
  if (found == nullptr) {
    return fail(Error(Errc::out_of_memory, "no memory for a message").with_offset(position_));
  }
  found->restart();
  const std::size_t size = unread();
  std::size_t total = 0;
  switch (found->scan.scan(input_, size, limits_)) {
    case sip::HeaderScan::Outcome::failed:
      return fail(*found, input_);
    case sip::HeaderScan::Outcome::complete:
      total = found->scan.message_size();
      if (total <= size) {
        found->text = input_;
        input_ += total;
        return whole_message(*found, total);
      }
      break;
    case sip::HeaderScan::Outcome::more:
      break;
  }
  if (!found->append(input_, size, total)) {
    return fail(Error(Errc::out_of_memory, "no memory for a message").with_offset(position_));
  }
  assembly_ = workspace_->take();
  input_ = input_end_;
  return need_more(total == 0 ? 1 : total - size);
}

// Goes on with the message in assembly_.
FramerOutput SipFramer::go_on() {
  detail::MessageAssembly& found = *assembly_;
  while (!found.scan.is_complete()) {
    const std::size_t size = std::min(unread(), kChunk);
    if (size == 0) return need_more(1);
    if (!found.append(input_, size, 0)) {
      return fail(Error(Errc::out_of_memory, "no memory for a header").with_offset(position_));
    }
    input_ += size;
    if (found.scan.scan(found.octets(), found.held(), limits_) ==
        sip::HeaderScan::Outcome::failed) {
      return fail(found, found.octets());
    }
  }
  const std::size_t total = found.scan.message_size();
  if (found.held() > total) {
    input_ -= found.held() - total;
  } else if (found.held() < total) {
    const std::size_t size = std::min(unread(), total - found.held());
    if (!found.append(input_, size, total)) {
      return fail(Error(Errc::out_of_memory, "no memory for a body").with_offset(position_));
    }
    input_ += size;
    if (found.held() < total) return need_more(total - found.held());
  }
  found.text = found.octets();
  workspace_->give_back(std::exchange(assembly_, nullptr));
  return whole_message(found, total);
}

FramerOutput SipFramer::whole_message(detail::MessageAssembly& found, std::size_t size) {
  found.total = size;
  found.offset = position_;
  position_ += size;
  return FramerOutput(std::in_place_type<SipMessageView>, &found);
}

FramerOutput SipFramer::fail(Error error) {
  failed_ = true;
  delete std::exchange(assembly_, nullptr);
  delete std::exchange(kept_, nullptr);
  input_ = input_end_ = nullptr;
  return error;
}

FramerOutput SipFramer::fail(const detail::MessageAssembly& found, const char* message) {
  suggested_status_ = sip::suggested_status(found.scan).value_or(0);
  if (suggested_status_ != 0) prepare_refusal(found, message);
  return fail(sip::framing_error(found.scan, message, position_, limits_));
}

// A mistake in the middle of a header can be told before the rest of it was looked at; what is
// there of that rest is used, so that rows behind the mistake can be repeated as well.
void SipFramer::prepare_refusal(const detail::MessageAssembly& found, const char* message) {
  try {
    std::string seen;
    if (message == input_) {
      seen.assign(message, std::min<std::size_t>(unread(), limits_.max_header));
    } else {
      seen.assign(message, found.held());
      seen.append(input_, std::min<std::size_t>(unread(), limits_.max_header));
    }
    std::string made = sip::refusal_response(seen, suggested_status_, found.scan.fault());
    if (!made.empty()) refusal_ = new std::string(std::move(made));
  } catch (const std::bad_alloc&) {
    // Nobody loses anything without it.
  }
}

std::string_view SipFramer::refusal_response() const noexcept {
  return refusal_ == nullptr ? std::string_view() : std::string_view(*refusal_);
}

std::size_t SipFramer::unfinished() const noexcept {
  const std::size_t breaks = break_octets_ == 2 ? 0 : break_octets_;
  const std::size_t held = assembly_ == nullptr ? 0 : assembly_->held();
  return std::max<std::size_t>(breaks + held + unread(), failed_ ? 1 : 0);
}

std::uint64_t SipFramer::position() const noexcept { return position_; }

bool SipFramer::failed() const noexcept { return failed_; }

std::optional<std::uint16_t> SipFramer::suggested_status() const noexcept {
  if (suggested_status_ == 0) return std::nullopt;
  return suggested_status_;
}

}  // namespace siptls
