#include "plugins/late_calls.hpp"

#include "support/mutex.hpp"

#include <thread>
#include <utility>
#include <vector>

namespace nfbus::host {

void Gate::close() noexcept {
  closed_ = true;
  while (inside_ != 0) std::this_thread::yield();
}

void keep_for_late_calls(std::shared_ptr<void> state) {
  static auto* const mutex = new Mutex;  // never destroyed: threads of plugins outlive main()
  static auto* const kept = new std::vector<std::shared_ptr<void>>;
  const MutexLock lock(*mutex);
  kept->push_back(std::move(state));
}

}  // namespace nfbus::host
