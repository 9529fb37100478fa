#include "support/own_thread.hpp"

#include <cap-ng.h>
#include <fmt/format.h>
#include <pthread.h>

#include <csignal>
#include <exception>
#include <future>
#include <memory>
#include <utility>

namespace nfbus::host {

Result<void> start_own_thread(std::thread& thread, const char* name, std::function<void()> run) {
  try {
    const auto without_rights = std::make_shared<std::promise<void>>();
    thread = std::thread([without_rights, run = std::move(run)] {
      sigset_t all;
      ::sigfillset(&all);
      ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
      capng_clear(CAPNG_SELECT_CAPS);
      capng_apply(CAPNG_SELECT_CAPS);
      without_rights->set_value();
      run();
    });
    ::pthread_setname_np(thread.native_handle(), name);
    without_rights->get_future().wait();
  } catch (const std::exception& error) {  // no thread, or no memory
    return Error{.code = Code::io, .text = fmt::format("cannot start the thread \"{}\": {}", name, error.what())};
  }
  return {};
}

}  // namespace nfbus::host
