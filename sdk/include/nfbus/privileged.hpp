// The privileged part of a plugin: what needs CAP_NET_ADMIN of it, in a process of its own. For a library of its own:
//
//   class Rules {
//    public:
//     explicit Rules(const nfbus::Options& options);      // those of the instance, for good; throws what is wrong
//     nfbus::Result<std::string> request(std::string_view request);  // what nfbus::Host::request() asks
//   };
//   NFBUS_PRIVILEGED_PART(Rules);
//
// See nfbus_privileged in abi.h for when it runs, and with which rights.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/detail/barrier.hpp>
#include <nfbus/options.hpp>
#include <nfbus/result.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace nfbus::detail {

template <typename T>
concept AnswersRequests = requires(T& part, std::string_view request) {
  { part.request(request) } -> std::same_as<Result<std::string>>;
};

template <typename T>
std::uint32_t open_part(const nfbus_options* options, void** part, nfbus_error* error) noexcept {
  return guard(error, [&] { *part = std::make_unique<T>(Options(options)).release(); });
}

template <typename T>
std::uint32_t answer_request(void* part, nfbus_bytes request, const nfbus_answer* answer, nfbus_error* error) noexcept {
  return guard(error, [&]() -> Result<void> {
    const std::string_view asked(reinterpret_cast<const char*>(request.data), request.size);
    const Result<std::string> answered = static_cast<T*>(part)->request(asked);
    if (!answered.ok()) return answered.error();
    const std::string& text = answered.value();
    if (answer->set(answer->context, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}) == NFBUS_OK) {
      return {};
    }
    return Error{Code::io, "the answer is longer than NFBUS_MAX_REQUEST, or memory is short"};
  });
}

template <typename T>
void close_part(void* part) noexcept {
  contain([&] { delete static_cast<T*>(part); }, [](std::string_view /*thrown*/) {});
}

template <typename T>
constexpr nfbus_privileged privileged_part() {
  static_assert(std::is_constructible_v<T, const Options&>,
                "nfbus: a privileged part is made from its options: explicit Part(const nfbus::Options& options)");
  static_assert(AnswersRequests<T>,
                "nfbus: request must be `nfbus::Result<std::string> request(std::string_view request)`, public");
  return {NFBUS_ABI_MAJOR, NFBUS_ABI_TARGET_MINOR, sizeof(nfbus_privileged),
          &open_part<T>,   &answer_request<T>,     &close_part<T>};
}

}  // namespace nfbus::detail

// NFBUS_PRIVILEGED_PART(Class): once in a shared object NAME.privileged.so, outside of any namespace.
#define NFBUS_PRIVILEGED_PART(Class)                                  \
  extern "C" NFBUS_EXPORT const nfbus_privileged nfbus_privileged_v1; \
  extern "C" constinit const nfbus_privileged nfbus_privileged_v1 = ::nfbus::detail::privileged_part<Class>()
