#include "matrix/our_end.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>

#include "matrix/far_end.hpp"

namespace matrix {

using siptls::SessionState;

namespace {

class Player {
 public:
  Player(siptls::TlsSession& session, bool server, int descriptor, const siptls::Now& now)
      : session_(session), now_(now), descriptor_(descriptor), server_(server) {}

  // Until both have closed, something failed, or nothing comes any more.
  void run(OurView& view) {
    while (step(view)) {
    }
    // The alert that explains a failure, or the last close_notify.
    write_output();
    shutdown(descriptor_, SHUT_WR);
    view.complete = !view.error && view.trouble.empty() && received_ == expected() && closed_;
    if (!view.complete && !view.error && view.trouble.empty()) {
      view.trouble = "the connection ended before both messages had passed";
    }
  }

 private:
  std::string_view expected() const { return server_ ? kRequest : kResponse; }

  bool step(OurView& view) {
    if (!speak(view)) return false;
    if (!write_output()) {
      view.trouble = "the far end takes nothing more";
      return false;
    }
    if (session_.state() == SessionState::closed) {
      closed_ = true;
      return false;
    }
    pollfd wanted{descriptor_, POLLIN, 0};
    if (poll(&wanted, 1, kPatienceSeconds * 1000) <= 0) {
      view.hung = true;
      view.trouble = "HANGS: nothing came for " + std::to_string(kPatienceSeconds) + " s";
      return false;
    }
    const ssize_t count = read(descriptor_, octets_.data(), octets_.size());
    if (count <= 0) {
      if (auto ended = session_.feed_end(now_); !ended) return note(view, ended.error());
      return take_plaintext(view) && session_.state() != SessionState::handshaking;
    }
    if (auto fed = session_.feed(std::span(octets_).first(static_cast<std::size_t>(count)), now_);
        !fed) {
      return note(view, fed.error());
    }
    return take_plaintext(view);
  }

  static bool note(OurView& view, const siptls::Error& error) {
    view.error = error;
    return false;
  }

  // Says and closes what is due.
  bool speak(OurView& view) {
    const auto state = session_.state();
    const bool open = state == SessionState::established || state == SessionState::peer_closed;
    if (!open) return true;
    if (!spoken_ && (!server_ || received_ == expected())) {
      spoken_ = true;
      const std::string_view text = server_ ? kResponse : kRequest;
      const auto* const first = reinterpret_cast<const std::byte*>(text.data());
      if (auto sent = session_.send({first, text.size()}, now_); !sent) {
        return note(view, sent.error());
      }
    }
    const bool done = received_ == expected();
    if (done && (server_ ? state == SessionState::peer_closed : !closing_)) {
      closing_ = true;
      if (auto closed = session_.close(now_); !closed) return note(view, closed.error());
    }
    return true;
  }

  bool take_plaintext(OurView& view) {
    for (;;) {
      auto plaintext = session_.next_plaintext(plaintext_, now_);
      if (!plaintext) return note(view, plaintext.error());
      if (plaintext->empty()) return true;
      received_.append(reinterpret_cast<const char*>(plaintext->data()), plaintext->size());
    }
  }

  bool write_output() {
    while (!session_.pending_output().empty()) {
      const auto pending = session_.pending_output();
      const ssize_t count = send(descriptor_, pending.data(), pending.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      session_.consume_output(static_cast<std::size_t>(count));
    }
    return true;
  }

  siptls::TlsSession& session_;
  const siptls::Now& now_;
  int descriptor_;
  bool server_;
  bool spoken_ = false;
  bool closing_ = false;
  bool closed_ = false;
  std::string received_;
  std::array<std::byte, 16384> octets_{};
  std::array<std::byte, 16384> plaintext_{};
};

}  // namespace

OurView play(siptls::TlsSession session, bool server, int descriptor, const siptls::Now& now,
             const std::shared_ptr<siptls::HandshakeTrace>& trace) {
  OurView view;
  Player(session, server, descriptor, now).run(view);
  view.peer = session.peer();
  const auto entries = trace->entries();
  view.retried = std::count_if(entries.begin(), entries.end(),
                               [](const auto& entry) { return entry.name() == "ClientHello"; }) > 1;
  view.ladder = trace->ladder();
  return view;
}

}  // namespace matrix
