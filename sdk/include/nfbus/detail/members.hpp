// Tells whether a class has a member of a name, whatever its signature, so that a wrong signature is an error and not
// an absent function.
#pragma once

#include <type_traits>

namespace nfbus::detail {

// A class with one data member of the name, and a class that inherits it and T: there the name is ambiguous, and its
// address cannot be taken, exactly if T has such a member. A final class cannot be inherited: there only a public
// function is seen.
// NOLINTBEGIN(bugprone-macro-parentheses): it is a name
#define NFBUS_DETAIL_MEMBER(name)                            \
  template <typename T>                                      \
  struct clash_of_##name {                                   \
    struct Probe {                                           \
      int name;                                              \
    };                                                       \
    struct Both : T, Probe {};                               \
  };                                                         \
  template <typename T>                                      \
  consteval bool has_##name() {                              \
    if constexpr (std::is_final_v<T>) {                      \
      return requires { &T::name; };                         \
    } else {                                                 \
      return !requires { &clash_of_##name<T>::Both::name; }; \
    }                                                        \
  }
// NOLINTEND(bugprone-macro-parentheses)

NFBUS_DETAIL_MEMBER(open)
NFBUS_DETAIL_MEMBER(reopen)
NFBUS_DETAIL_MEMBER(flush)
NFBUS_DETAIL_MEMBER(tick)
NFBUS_DETAIL_MEMBER(hear)
NFBUS_DETAIL_MEMBER(finish)
NFBUS_DETAIL_MEMBER(close)
NFBUS_DETAIL_MEMBER(stop)
NFBUS_DETAIL_MEMBER(diagnose)

#undef NFBUS_DETAIL_MEMBER

}  // namespace nfbus::detail
