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

// Untouched, so it is no memory until then.
constexpr std::size_t kReserveBytes = std::size_t{1} << 20U;

// Where so much can be had, somebody asked for an absurd amount.
constexpr std::size_t kPlentyBytes = std::size_t{32} << 20U;

// How long a thread that gets no memory waits for another one to end the process.
constexpr std::chrono::milliseconds kOthersLastWords{2000};

std::atomic<OutOfMemory*> the_one{nullptr};

using Name = std::array<char, 16>;  // pthread_setname_np(3)

std::string_view thread_name(Name& room) noexcept {
  if (::getpid() == ::gettid()) return "main";
  return ::pthread_getname_np(::pthread_self(), room.data(), room.size()) == 0 ? room.data() : "a thread";
}

// Null: there is no room for it.
void* map_untouched(std::size_t size_bytes) noexcept {
  void* const mapped = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapped == MAP_FAILED ? nullptr : mapped;
}

bool is_plenty_left() noexcept {
  void* const tried = map_untouched(kPlentyBytes);
  if (tried != nullptr) ::munmap(tried, kPlentyBytes);
  return tried != nullptr;
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

OutOfMemory::OutOfMemory(LogThread& log, std::function<void()> wake) : log_(log), wake_(std::move(wake)) {
  for (auto& reserve : reserves_) reserve.store(map_untouched(kReserveBytes), std::memory_order_relaxed);
  static const bool is_known = std::atexit(handle_exit) == 0;
  static_cast<void>(is_known);  // at worst some lines are missing
  the_one.store(this, std::memory_order_release);
  std::set_new_handler(handle_new);
  std::set_terminate(handle_terminate);
}

OutOfMemory::~OutOfMemory() {
  std::set_new_handler(nullptr);
  std::set_terminate(std::abort);
  the_one.store(nullptr, std::memory_order_release);
  while (give_back_some()) {
  }
}

void OutOfMemory::handle_new() { the_one.load(std::memory_order_acquire)->handle(); }

void OutOfMemory::handle_exit() noexcept {
  OutOfMemory* const one = the_one.load(std::memory_order_acquire);
  if (one != nullptr) one->log_.flush(LogThread::Clock::now() + LogThread::kLastWait);
}

void OutOfMemory::handle() {
  if (log_.is_this_thread() || is_plenty_left()) throw std::bad_alloc();
  begin_end();
  if (give_back_some()) return;
  end_after_others();
}

void OutOfMemory::begin_end() noexcept {
  if (happened_.exchange(true, std::memory_order_acq_rel)) return;
  Name room{};
  log_error("out of memory in {}: the host ends", thread_name(room));
  try {
    wake_();
  } catch (const std::exception&) {  // there is nobody to wake
  }
}

bool OutOfMemory::give_back_some() noexcept {
  for (auto& reserve : reserves_) {
    void* const some = reserve.exchange(nullptr, std::memory_order_acq_rel);
    if (some == nullptr) continue;
    ::munmap(some, kReserveBytes);
    return true;
  }
  return false;
}

void OutOfMemory::handle_terminate() noexcept {
  OutOfMemory* const one = the_one.load(std::memory_order_acquire);
  Name room{};
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    one->begin_end();
    one->end_after_others();
  } catch (const std::exception& error) {
    log_error("an exception ends the host, in {}: {}: please report this", thread_name(room), error.what());
  } catch (...) {
    log_error("an exception ends the host, in {}: please report this", thread_name(room));
  }
  one->log_.flush(LogThread::Clock::now() + LogThread::kLastWait);
  std::abort();
}

// This thread may hold what the others need, so they are not waited for without bound.
void OutOfMemory::end_after_others() noexcept {
  if (std::this_thread::get_id() != ending_thread_) std::this_thread::sleep_for(kOthersLastWords);
  log_.flush(LogThread::Clock::now() + LogThread::kLastWait);
  ::_exit(EXIT_FAILURE);
}

}  // namespace nfbus::host
