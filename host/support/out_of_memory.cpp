#include "support/out_of_memory.hpp"

#include "support/log.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

namespace nfbus::host {

namespace {

// For what threads still need, and for the texts of the counters; untouched, so it is no memory until then.
constexpr std::size_t kReserveBytes = std::size_t{4} << 20U;

// How long a thread that gets no memory waits for another one to end the process.
constexpr std::chrono::milliseconds kOthersLastWords{2000};

std::atomic<OutOfMemory*> the_one{nullptr};

using Name = std::array<char, 16>;  // pthread_setname_np(3)

std::string_view thread_name(Name& room) noexcept {
  if (::getpid() == ::gettid()) return "main";
  return ::pthread_getname_np(::pthread_self(), room.data(), room.size()) == 0 ? room.data() : "a thread";
}

// Allocates nothing.
template <typename... Values>
void log_error(fmt::format_string<Values...> format, Values&&... values) noexcept {
  try {
    std::array<char, 512> text{};
    const auto end = fmt::format_to_n(text.data(), text.size(), format, std::forward<Values>(values)...);
    log::error({text.data(), std::min(end.size, text.size())});
  } catch (const std::exception&) {  // fmt's own, which the formats here do not raise
    log::error("the host ends");
  }
}

}  // namespace

OutOfMemory::OutOfMemory(LogThread& log, std::function<void()> wake)
    : log_(log),
      wake_(std::move(wake)),
      reserve_(::mmap(nullptr, kReserveBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
  the_one.store(this, std::memory_order_release);
  std::set_new_handler(handle_new);
  std::set_terminate(handle_terminate);
}

OutOfMemory::~OutOfMemory() {
  std::set_new_handler(nullptr);
  std::set_terminate(std::abort);
  the_one.store(nullptr, std::memory_order_release);
  if (!happened() && reserve_ != MAP_FAILED) ::munmap(reserve_, kReserveBytes);
}

void OutOfMemory::handle_new() noexcept { the_one.load(std::memory_order_acquire)->handle(); }

void OutOfMemory::handle() noexcept {
  if (!happened_.exchange(true, std::memory_order_acq_rel)) {
    Name room{};
    log_error("out of memory in {}: the host ends", thread_name(room));
    if (reserve_ != MAP_FAILED) ::munmap(reserve_, kReserveBytes);
    try {
      wake_();
    } catch (const std::exception&) {  // there is nobody to wake
    }
    return;
  }
  // This thread may hold what the other one needs, so it is not waited for without bound.
  if (std::this_thread::get_id() != ending_thread_) std::this_thread::sleep_for(kOthersLastWords);
  end_now();
}

void OutOfMemory::handle_terminate() noexcept {
  OutOfMemory* const one = the_one.load(std::memory_order_acquire);
  Name room{};
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    log_error("out of memory in {}: the host ends", thread_name(room));
    one->end_now();
  } catch (const std::exception& error) {
    log_error("an exception ends the host, in {}: {}: please report this", thread_name(room), error.what());
  } catch (...) {
    log_error("an exception ends the host, in {}: please report this", thread_name(room));
  }
  one->log_.flush(LogThread::Clock::now() + LogThread::kLastWait);
  std::abort();
}

void OutOfMemory::end_now() noexcept {
  log_.flush(LogThread::Clock::now() + LogThread::kLastWait);
  ::_exit(EXIT_FAILURE);
}

}  // namespace nfbus::host
