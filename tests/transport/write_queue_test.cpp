#include "transport/write_queue.hpp"

#include <string>

#include "catch.hpp"

using namespace siptls;

namespace {

std::span<const std::byte> octets(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(std::span<const std::byte> octets_) {
  return {reinterpret_cast<const char*>(octets_.data()), octets_.size()};
}

struct Queue {
  WriteQueue queue;
  std::vector<std::uint64_t> sent;
  std::uint64_t cipher = 0;

  void push(std::uint64_t token, const std::string& text, MonoTime expires = MonoTime::max()) {
    queue.push(SendToken{token}, octets(text), expires, true);
  }
  // Encrypts `count` octets, with ten octets of overhead.
  void encrypt(std::size_t count) {
    const std::uint64_t begin = cipher;
    cipher += count + 10;
    queue.mark_encrypted(count, begin, cipher);
  }
  void write(std::uint64_t upto) {
    queue.mark_written(upto,
                       [&](SendToken token) { sent.push_back(static_cast<std::uint64_t>(token)); });
  }
};

std::vector<std::uint64_t> tokens(const std::vector<WriteQueue::Entry>& entries) {
  std::vector<std::uint64_t> result;
  for (const auto& entry : entries) result.push_back(static_cast<std::uint64_t>(entry.token));
  return result;
}

MonoTime at(int seconds) { return MonoTime(std::chrono::seconds(seconds)); }

using Tokens = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("A message is reported as sent when its last octet is in the kernel, not before") {
  Queue q;
  q.push(1, "aaaa");
  q.push(2, "bbbb");
  CHECK(text_of(q.queue.front(100)) == "aaaabbbb");
  CHECK(text_of(q.queue.front(5)) == "aaaab");
  q.encrypt(5);  // one record with the first message and one octet of the second
  q.write(14);
  CHECK(q.sent.empty());
  q.write(15);
  CHECK(q.sent == Tokens{1});
  CHECK(text_of(q.queue.front(100)) == "bbb");
  q.encrypt(3);
  q.write(28);
  CHECK(q.sent == Tokens{1, 2});
  CHECK(q.queue.empty());
}

TEST_CASE("Octets written are those of records that the kernel has whole") {
  Queue q;
  q.push(1, "aaaaaaaa");
  q.encrypt(4);
  q.write(14);
  q.encrypt(2);
  q.write(20);  // the second record is not there whole
  auto all = q.queue.take_all();
  REQUIRE(all.size() == 1);
  CHECK(q.queue.octets_written(all[0]) == 4);
  CHECK(all[0].cipher_end == 0);
}

TEST_CASE("What the peer has acknowledged is forgotten, and nothing else") {
  Queue q;
  for (std::uint64_t i = 1; i <= 4; ++i) {
    q.push(i, "xxxx");
    q.encrypt(4);
    q.write(q.cipher);
  }
  CHECK(q.queue.unacknowledged_messages() == 4);
  q.queue.mark_acknowledged(27);
  CHECK(q.queue.unacknowledged_messages() == 3);
  q.queue.mark_acknowledged(28);
  CHECK(tokens(q.queue.take_all()) == Tokens{3, 4});
}

TEST_CASE("Expired messages are taken out of the middle, and the others keep their octets") {
  Queue q;
  q.push(1, "aaaa", at(5));
  q.push(2, "bbbb", at(1));
  q.push(3, "cccc", at(9));
  q.push(4, "dddd", at(2));
  q.push(5, "eeee");
  CHECK(q.queue.next_expiry() == at(1));
  CHECK(q.queue.take_expired(at(0)).empty());
  CHECK(tokens(q.queue.take_expired(at(2))) == Tokens{2, 4});
  CHECK(text_of(q.queue.front(100)) == "aaaacccceeee");
  CHECK(q.queue.waiting_messages() == 3);
  CHECK(q.queue.next_expiry() == at(5));
  q.push(6, "ffff", at(3));
  CHECK(q.queue.next_expiry() == at(3));
  CHECK(text_of(q.queue.front(100)) == "aaaacccceeeeffff");
  q.encrypt(16);
  q.write(q.cipher);
  CHECK(q.sent == Tokens{1, 3, 5, 6});
  CHECK(q.queue.next_expiry() == MonoTime::max());
}

TEST_CASE("A message of which a part is on its way no longer expires") {
  Queue q;
  q.push(1, "aaaa", at(1));
  q.push(2, "bbbb", at(1));
  q.encrypt(2);
  CHECK(tokens(q.queue.take_expired(at(7))) == Tokens{2});
  CHECK(q.queue.next_expiry() == MonoTime::max());
  CHECK(text_of(q.queue.front(100)) == "aa");
  q.encrypt(2);
  q.write(q.cipher);
  CHECK(q.sent == Tokens{1});
}

TEST_CASE("Everything that is not acknowledged can be accounted for, in order") {
  Queue q;
  for (std::uint64_t i = 1; i <= 300; ++i) q.push(i, std::string(1000, 'x'));
  std::uint64_t written = 0;
  for (int i = 0; i < 100; ++i) {
    q.encrypt(1500);
    written = q.cipher;
    q.write(written);
    if (i % 10 == 9) q.queue.mark_acknowledged(written - 1510);
  }
  // 150 messages are in the kernel; the last record is not acknowledged.
  CHECK(q.sent.size() == 150);
  const auto all = q.queue.take_all();
  REQUIRE(all.size() == 300 - 148);
  CHECK(static_cast<std::uint64_t>(all.front().token) == 149);
  CHECK(static_cast<std::uint64_t>(all.back().token) == 300);
  CHECK(q.queue.empty());
}

TEST_CASE(
    "A message has left as soon as the kernel took an octet of a record that holds some of it") {
  Queue q;
  q.push(1, "aaaa");
  q.push(2, "bbbbbb");
  q.push(3, "cccc");
  // Octets of other TLS output, a ticket perhaps, before the record.
  q.cipher = 100;
  const auto left = [&](std::uint64_t taken) {
    Queue copy = q;
    copy.write(taken);
    Tokens found;
    for (const auto& entry : copy.queue.take_all()) {
      if (copy.queue.has_left(entry, taken))
        found.push_back(static_cast<std::uint64_t>(entry.token));
    }
    return found;
  };
  CHECK(left(100) == Tokens{});
  q.encrypt(6);
  CHECK(left(50) == Tokens{});
  CHECK(left(100) == Tokens{});
  CHECK(left(101) == Tokens{1, 2});
  q.write(q.cipher);
  q.encrypt(2);
  CHECK(left(116) == Tokens{1, 2});
  q.write(q.cipher);
  q.encrypt(4);
  CHECK(left(128) == Tokens{1, 2});
  CHECK(left(129) == Tokens{1, 2, 3});
}
