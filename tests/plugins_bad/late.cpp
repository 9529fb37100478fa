// A sink whose thread goes on after destroy(): it calls each function of the host that any thread may call, and those
// that only the worker may, once a moment, until the file `until` is there.
#include "fixture.hpp"

#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

namespace {

struct Shared {
  std::atomic<bool> destroyed{false};
  const nfbus_event* copy = nullptr;
  nfbus_report* report = nullptr;
};

void call_all(const nfbus_host& host, const Shared& shared) {
  nfbus_error error{};
  error.struct_size = sizeof error;
  host.log(host.context, NFBUS_LOG_INFO, fixture::text("a late word"));
  host.publish(host.context, fixture::text("late:topic"), fixture::text("a late message"));
  host.format(host.context, fixture::text("ulogd"));
  host.render(host.context, shared.copy, 1);
  host.event_copy(host.context, shared.copy);
  host.event_release(host.context, shared.copy);
  host.counter(host.context, fixture::text("late"));
  host.counter_add(host.context, 1, 1);
  host.match_compile(host.context, fixture::text("{}"), &error);
  host.dns(host.context, shared.copy);
  host.listen(host.context, fixture::text("late:"));
  host.wake(host.context);
  host.record(host.context, shared.copy);
  host.event_of(host.context, {}, &error);
  nfbus_bytes answer{};
  host.request(host.context, {}, 1, &answer, &error);
  if (shared.report == nullptr) return;
  shared.report->outcome(shared.report->context, 0, 1, NFBUS_DELIVERED, {});
  shared.report->time_left_ms(shared.report->context);
}

class Late : public fixture::Sink {
 public:
  Late(const nfbus_host& host, const nfbus_options& options)
      : Sink(host, options), until_(fixture::string(options, "/until")) {
    host.format(host.context, fixture::text("ulogd"));
    std::thread([&host, shared = shared_, until = until_] {
      constexpr useconds_t kPollMicroseconds = 1000;
      while (!until.empty() && ::access(until.c_str(), F_OK) != 0) {
        if (shared->destroyed) call_all(host, *shared);
        ::usleep(kPollMicroseconds);
      }
    }).detach();
  }
  Late(const Late&) = delete;
  Late& operator=(const Late&) = delete;
  ~Late() { shared_->destroyed = true; }

  std::uint32_t write(const nfbus_events& events, nfbus_report& report, nfbus_error* /*error*/) {
    shared_->report = &report;
    if (shared_->copy == nullptr) shared_->copy = host().event_copy(host().context, events.items[0]);
    delivered(events.count);
    return NFBUS_OK;
  }

 private:
  const std::string until_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace

FIXTURE_SINK(Late, "late", "goes on after destroy()", R"(,"until":{"type":"string"})");
