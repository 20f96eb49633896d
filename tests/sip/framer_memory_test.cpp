// What framing costs in memory, and that no octet outside of the lent ones is read.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "catch.hpp"
#include "framer_run.hpp"
#include "scale.hpp"
#include "stream_maker.hpp"

namespace {
std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> live_octets{0};

// Each block has its size in front. Not inlined: GCC would warn about the offset in free().
constexpr std::size_t kFront = alignof(std::max_align_t);

[[gnu::noinline]] void* allocate(std::size_t size) noexcept {
  auto* block = static_cast<char*>(std::malloc(size + kFront));
  if (block == nullptr) return nullptr;
  std::memcpy(block, &size, sizeof size);
  ++allocations;
  live_octets += size;
  return block + kFront;
}

[[gnu::noinline]] void release(void* pointer) noexcept {
  if (pointer == nullptr) return;
  char* const block = static_cast<char*>(pointer) - kFront;
  std::size_t size = 0;
  std::memcpy(&size, block, sizeof size);
  live_octets -= size;
  std::free(block);
}
}  // namespace

void* operator new(std::size_t size) {
  void* const pointer = allocate(size);
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* pointer) noexcept { release(pointer); }
void operator delete[](void* pointer) noexcept { release(pointer); }
void operator delete(void* pointer, std::size_t) noexcept { release(pointer); }
void operator delete[](void* pointer, std::size_t) noexcept { release(pointer); }

namespace siptls_test {
namespace {

using siptls::SipFramer;

std::string message(std::size_t rows, std::size_t body) {
  std::string text = "MESSAGE sip:bob@biloxi.example SIP/2.0\r\n";
  for (std::size_t i = 0; i < rows; ++i) text += "Subject: row " + std::to_string(i) + "\r\n";
  return text + "l: " + std::to_string(body) + "\r\n\r\n" + std::string(body, 'b');
}

// Frames `stream` in pieces; how many messages came.
std::size_t take(SipFramer& framer, std::string_view stream, std::size_t piece) {
  std::size_t messages = 0;
  const auto octets = std::as_bytes(std::span(stream));
  for (std::size_t at = 0; at < octets.size(); at += piece) {
    framer.push(octets.subspan(at, std::min(piece, octets.size() - at)));
    for (;;) {
      const auto output = framer.next();
      if (std::holds_alternative<siptls::NeedMore>(output)) break;
      if (std::holds_alternative<siptls::SipMessageView>(output)) ++messages;
    }
  }
  return messages;
}

TEST_CASE("an idle framer on a shared workspace takes less than 128 octets") {
  const auto workspace = SipFramer::make_workspace();
  const std::string stream = message(20, 3000) + "\r\n\r\n\r\n";
  std::vector<SipFramer> framers;
  constexpr std::size_t kFramers = 100;
  framers.reserve(kFramers);
  for (std::size_t i = 0; i < kFramers; ++i)
    framers.emplace_back(siptls::FramerOptions{}, *workspace);
  for (SipFramer& framer : framers) REQUIRE(take(framer, stream, 700) == 1);
  const std::size_t before = live_octets;
  for (SipFramer& framer : framers) REQUIRE(take(framer, stream + stream, 700) == 2);
  CHECK(sizeof(SipFramer) < 128);
  CHECK(live_octets == before);  // what a message needed is not the framer's any more
  framers.clear();
  CHECK(live_octets == before);
}

TEST_CASE("in the steady state framing allocates nothing") {
  const auto workspace = SipFramer::make_workspace();
  SipFramer first({}, *workspace);
  SipFramer second({}, *workspace);
  std::string stream;
  for (std::size_t rows = 1; rows < 100; ++rows) stream += message(rows, 10 * rows);
  for (const std::size_t piece :
       {stream.size(), std::size_t{1460}, std::size_t{64}, std::size_t{1}}) {
    INFO(piece);
    take(first, stream, piece);
    take(second, stream, piece);
    const std::size_t before = allocations;
    std::size_t messages = 0;
    for (int i = 0; i < 10; ++i) {
      messages += take(first, stream, piece);
      messages += take(second, stream, piece);
    }
    const std::size_t after = allocations;
    CHECK(messages == 20 * 99);
    CHECK(after == before);
  }
}

TEST_CASE("a large message does not leave its memory behind") {
  const auto workspace = SipFramer::make_workspace();
  SipFramer framer({}, *workspace);
  take(framer, message(5, 100), 10);
  const std::size_t before = live_octets;
  REQUIRE(take(framer, message(5, 1024 * 1024), 1460) == 1);
  REQUIRE(take(framer, message(5, 100), 10) == 1);
  CHECK(live_octets < before + 128 * 1024);
}

TEST_CASE("a body that is announced and does not come takes no memory for the whole of it") {
  const auto workspace = SipFramer::make_workspace();
  SipFramer framer({}, *workspace);
  const std::string stream = message(5, 1024 * 1024);
  const std::size_t before = live_octets;
  take(framer, std::string_view(stream).substr(0, 500), 500);
  CHECK(live_octets < before + 8 * 1024);
}

// Octets that end directly before, or begin directly behind, memory that cannot be touched.
class Guarded {
 public:
  explicit Guarded(std::size_t capacity) {
    page_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    middle_ = (capacity / page_ + 1) * page_;
    void* const memory = mmap(nullptr, middle_ + 2 * page_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    memory_ = static_cast<char*>(memory);
    REQUIRE(mprotect(memory_, page_, PROT_NONE) == 0);
    REQUIRE(mprotect(memory_ + page_ + middle_, page_, PROT_NONE) == 0);
  }
  ~Guarded() { munmap(memory_, middle_ + 2 * page_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  std::string_view at_end(std::string_view text) {
    return copy(memory_ + page_ + middle_ - text.size(), text);
  }
  std::string_view at_begin(std::string_view text) { return copy(memory_ + page_, text); }

 private:
  static std::string_view copy(char* place, std::string_view text) {
    if (!text.empty()) std::memcpy(place, text.data(), text.size());
    return {place, text.size()};
  }
  std::size_t page_ = 0;
  std::size_t middle_ = 0;
  char* memory_ = nullptr;
};

TEST_CASE("nothing in front of or behind the lent octets is read") {
  const auto workspace = SipFramer::make_workspace();
  Guarded guarded(256 * 1024);
  const std::size_t count = scaled("streams at a guard page", 5000);
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    StreamMaker maker(seed);
    const siptls::FramerOptions options = maker.options();
    const std::string stream = maker.stream();
    const std::size_t cut = maker.random()() % (stream.size() + 1);
    for (const std::size_t size : {cut, stream.size()}) {
      for (const bool end : {true, false}) {
        const auto text = std::string_view(stream).substr(0, size);
        const std::string_view placed = end ? guarded.at_end(text) : guarded.at_begin(text);
        SipFramer framer(options, *workspace);
        framer.push(std::as_bytes(std::span(placed)));
        std::size_t outputs = 0;
        for (;;) {
          const auto output = framer.next();
          if (const auto* view = std::get_if<siptls::SipMessageView>(&output)) {
            for (std::size_t i = 0; i < view->row_count(); ++i)
              outputs += view->row(i).value.size();
            (void)view->top_via();
            (void)view->cseq();
          }
          ++outputs;
          if (framer.failed() || std::holds_alternative<siptls::NeedMore>(output)) break;
        }
        REQUIRE(outputs > 0);
      }
    }
  }
}

}  // namespace
}  // namespace siptls_test
