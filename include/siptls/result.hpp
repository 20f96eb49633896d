// Result<T>: a value or an Error. It has the names of std::expected<T, Error> (C++23), and is a
// type of its own so that the ABI does not change with the language level of the program that
// includes it.
//
// Ownership: a Result owns what it holds. `operator*`, `operator->` and `error()` return
// references that live as long as the Result does.
// Errors: `operator*`, `operator->` and `error()` have the precondition that the Result holds what
// is asked for. `value()` throws BadResultAccess in a program that was built with exceptions, as
// std::expected does; the library itself never calls it.
#pragma once

#include <exception>
#include <functional>
#include <type_traits>
#include <utility>
#include <variant>

#include "siptls/error.hpp"

namespace siptls {

// Thrown by Result::value() when there is none: a mistake in the calling program.
class BadResultAccess : public std::exception {
 public:
  explicit BadResultAccess(Error error) : error_(std::move(error)) {}
  const char* what() const noexcept override { return "siptls: value() of a failed Result"; }
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

// What a function returns to fail: `return Unexpected(Error(...))`.
class Unexpected {
 public:
  explicit Unexpected(Error error) : error_(std::move(error)) {}
  explicit Unexpected(Errc reason, std::string evidence = {})
      : error_(reason, std::move(evidence)) {}
  const Error& error() const& noexcept { return error_; }
  Error&& error() && noexcept { return std::move(error_); }

 private:
  Error error_;
};

namespace detail {
[[noreturn]] inline void throw_bad_result_access([[maybe_unused]] const Error& error) {
#if defined(__cpp_exceptions)
  throw BadResultAccess(error);
#else
  __builtin_trap();
#endif
}
}  // namespace detail

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = Error;

  template <typename U = T,
            typename = std::enable_if_t<std::is_constructible_v<T, U&&> &&
                                        !std::is_same_v<std::remove_cvref_t<U>, Result> &&
                                        !std::is_same_v<std::remove_cvref_t<U>, Unexpected>>>
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  Result(Unexpected failure) : state_(std::in_place_index<1>, std::move(failure).error()) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  T& value() & { return require(), **this; }
  const T& value() const& { return require(), **this; }
  T&& value() && { return require(), std::move(**this); }

  Error& error() & noexcept { return *std::get_if<1>(&state_); }
  const Error& error() const& noexcept { return *std::get_if<1>(&state_); }
  Error&& error() && noexcept { return std::move(*std::get_if<1>(&state_)); }

  template <typename U>
  T value_or(U&& other) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(other));
  }
  template <typename U>
  T value_or(U&& other) && {
    return has_value() ? std::move(**this) : static_cast<T>(std::forward<U>(other));
  }

  template <typename F>
  auto and_then(F&& next) && -> std::remove_cvref_t<std::invoke_result_t<F, T&&>> {
    if (has_value()) return std::invoke(std::forward<F>(next), std::move(**this));
    return Unexpected(std::move(*this).error());
  }
  template <typename F>
  auto transform(F&& change) && -> Result<std::remove_cvref_t<std::invoke_result_t<F, T&&>>> {
    if (has_value()) return std::invoke(std::forward<F>(change), std::move(**this));
    return Unexpected(std::move(*this).error());
  }

 private:
  void require() const {
    if (!has_value()) detail::throw_bad_result_access(error());
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;
  using error_type = Error;

  Result() noexcept = default;
  Result(Unexpected failure) : state_(std::in_place_index<1>, std::move(failure).error()) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  void operator*() const noexcept {}
  void value() const {
    if (!has_value()) detail::throw_bad_result_access(error());
  }
  Error& error() & noexcept { return *std::get_if<1>(&state_); }
  const Error& error() const& noexcept { return *std::get_if<1>(&state_); }
  Error&& error() && noexcept { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<std::monostate, Error> state_;
};

}  // namespace siptls
