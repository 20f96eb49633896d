// Runs a SipFramer over a stream that is cut into pieces, and checks on the way what holds for
// every stream: positions, views, and what NeedMore promises.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "naive_framer.hpp"
#include "siptls/sip_framer.hpp"

namespace siptls_test {

// Thrown when something is broken that holds for every stream.
struct BrokenPromise : std::logic_error {
  using std::logic_error::logic_error;
};

inline void promise(bool kept, const char* what) {
  if (!kept) throw BrokenPromise(what);
}

inline std::string_view as_text(std::span<const std::byte> octets) {
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

class FramerRun {
 public:
  // `framer` is fresh.
  FramerRun(siptls::SipFramer& framer, std::string_view stream)
      : framer_(framer), stream_(stream) {}

  // Takes the next `size` octets of the stream; false when nothing more can come out.
  bool take(std::size_t size) {
    // Memory of exactly this size, that is gone when the framer has asked for more.
    auto piece = std::make_unique<char[]>(size);
    if (size > 0) std::memcpy(piece.get(), stream_.data() + fed_, size);
    fed_ += size;
    framer_.push(std::as_bytes(std::span(piece.get(), size)));
    for (;;) {
      const siptls::FramerOutput output = framer_.next();
      if (const auto* more = std::get_if<siptls::NeedMore>(&output)) return need_more(*more);
      promise(fed_ >= earliest_, "something came before NeedMore::at_least octets");
      promise(!exact_ || fed_ == 0 || earliest_ == 0 || previous_fed_ < earliest_,
              "NeedMore::at_least was not exact");
      earliest_ = 0;
      exact_ = false;
      if (!store(output)) return false;
    }
  }

  // How it stands when the stream ends here.
  std::vector<Framed> finish() {
    if (out_.empty() || out_.back().kind != Framed::Kind::error) {
      Framed end;
      end.offset = static_cast<std::size_t>(framer_.position());
      end.length = last_.at_least;
      out_.push_back(end);
      const std::string_view rest = stream_.substr(end.offset, fed_ - end.offset);
      promise(framer_.unfinished() == (rest == "\r\n" ? 0 : rest.size()), "unfinished() is wrong");
    }
    return std::move(out_);
  }

 private:
  bool need_more(const siptls::NeedMore& more) {
    last_ = more;
    promise(more.at_least >= 1, "NeedMore{0}");
    if (exact_) promise(fed_ + more.at_least == earliest_, "NeedMore::at_least moved");
    exact_ = more.at_least > 1;
    earliest_ = fed_ + more.at_least;
    previous_fed_ = fed_;
    return true;
  }

  bool store(const siptls::FramerOutput& output) {
    Framed found;
    if (const auto* message = std::get_if<siptls::SipMessageView>(&output)) {
      found.kind = Framed::Kind::message;
      found.offset = static_cast<std::size_t>(message->offset());
      found.length = message->bytes().size();
      found.header_length = message->header().size();
      promise(as_text(message->bytes()) == stream_.substr(found.offset, found.length),
              "a view of other octets");
      promise(message->body().size() == found.length - found.header_length, "header and body");
      promise(framer_.position() == found.offset + found.length, "position() after a message");
      for (std::size_t i = 0; i < message->row_count(); ++i) {
        const siptls::HeaderRow row = message->row(i);
        found.rows.push_back({std::string(row.name), std::string(row.value)});
      }
    } else if (const auto* keep_alive = std::get_if<siptls::KeepAlive>(&output)) {
      found.kind = keep_alive->kind == siptls::KeepAlive::Kind::ping ? Framed::Kind::ping
                                                                     : Framed::Kind::pong;
      found.offset = static_cast<std::size_t>(keep_alive->offset);
      found.length = keep_alive->length;
    } else {
      const auto& error = std::get<siptls::Error>(output);
      found.kind = Framed::Kind::error;
      found.reason = error.reason();
      found.offset = static_cast<std::size_t>(error.offset().value());
      promise(error.category() == siptls::Category::framing, "an error of another category");
      promise(!error.evidence().empty(), "an error without evidence");
      promise(framer_.failed() && !framer_.at_boundary(), "an error, and the framer goes on");
      promise(std::get<siptls::Error>(framer_.next()).reason() == siptls::Errc::framer_failed,
              "a second output after an error");
    }
    out_.push_back(std::move(found));
    return out_.back().kind != Framed::Kind::error;
  }

  siptls::SipFramer& framer_;
  std::string_view stream_;
  std::size_t fed_ = 0;
  std::size_t previous_fed_ = 0;
  std::size_t earliest_ = 0;  // nothing may come before so many octets are fed
  bool exact_ = false;
  siptls::NeedMore last_;
  std::vector<Framed> out_;
};

// The whole stream in pieces that end at `cuts` and at its end.
inline std::vector<Framed> frame(std::string_view stream, const std::vector<std::size_t>& cuts,
                                 const siptls::FramerOptions& options,
                                 siptls::SipFramer::Workspace& workspace) {
  siptls::SipFramer framer(options, workspace);
  FramerRun run(framer, stream);
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : stream.size();
    if (!run.take(end - begin)) break;
    begin = end;
  }
  return run.finish();
}

inline std::vector<Framed> frame_by_octets(std::string_view stream,
                                           const siptls::FramerOptions& options,
                                           siptls::SipFramer::Workspace& workspace) {
  siptls::SipFramer framer(options, workspace);
  FramerRun run(framer, stream);
  for (std::size_t i = 0; i < stream.size() && run.take(1); ++i) {
  }
  if (stream.empty()) run.take(0);
  return run.finish();
}

template <typename Random>
std::vector<std::size_t> random_cuts(std::size_t size, Random& random) {
  std::vector<std::size_t> cuts;
  const std::size_t longest = std::uniform_int_distribution<std::size_t>(1, 200)(random);
  std::uniform_int_distribution<std::size_t> step(0, longest);
  for (std::size_t at = step(random); at < size; at += step(random)) {
    if (cuts.size() < 4 * size) cuts.push_back(at);
  }
  return cuts;
}

// Equal but for offsets of errors that the reference leaves open.
inline bool same(const std::vector<Framed>& reference, const std::vector<Framed>& found) {
  if (reference.size() != found.size()) return false;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    Framed expected = reference[i];
    if (expected.kind == Framed::Kind::error && expected.offset == std::string_view::npos) {
      expected.offset = found[i].offset;
    }
    if (expected != found[i]) return false;
  }
  return true;
}

inline std::string describe(const std::vector<Framed>& framed) {
  static constexpr const char* kNames[] = {"message", "ping", "pong", "error", "more"};
  std::ostringstream text;
  for (const Framed& one : framed) {
    text << kNames[static_cast<int>(one.kind)] << " at " << one.offset << " length " << one.length
         << " header " << one.header_length << " " << siptls::to_string(one.reason) << " rows "
         << one.rows.size();
    for (const NaiveRow& row : one.rows) text << " [" << row.name << "|" << row.value << "]";
    text << "\n";
  }
  return text.str();
}

}  // namespace siptls_test
