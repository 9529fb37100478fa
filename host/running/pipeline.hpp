// A running host: the stages of the flow, wired together. `run` drives it.
#pragma once

#include "bus/bus.hpp"
#include "bus/server/server.hpp"
#include "capture/nflog.hpp"
#include "capture/replay.hpp"
#include "config/config.hpp"
#include "delivery/capture_filters.hpp"
#include "delivery/sink_worker.hpp"
#include "event/topic.hpp"
#include "formats/format.hpp"
#include "plugins/instance.hpp"
#include "plugins/registry.hpp"
#include "privileged/helper.hpp"
#include "report/metrics_server.hpp"
#include "report/own_events.hpp"
#include "report/status_report.hpp"

#include <nfbus/result.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nfbus::host {

// Life: create(), open_sinks(), open_server(), open_metrics(), open_source(), start(); then reload() at will; then
// stop_source(), source_ended_by(), join_source(), stop_sinks(), stop_server(). Thread safety: [control].
class Pipeline {
 public:
  Pipeline(Config config, PluginRegistry plugins);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline();

  // Creates every sink and every filter that one of them or a capture names; opens nothing. What plugins have against
  // their options: each mistake once, with its place.
  [[nodiscard]] std::vector<Error> create();
  // An error names the sink and its place.
  Result<void> open_sinks();
  // The bus for other programs; without a listener there is none.
  void open_server(std::optional<Listener> listener);
  // Listens, if metrics are configured.
  Result<void> open_metrics();
  // Binds every group, or reads the file. helper: null with replay_file; outlives the host.
  Result<void> open_source(PrivilegedHelper* helper, std::optional<ReplayFile> replay_file);
  // Starts the threads: sinks first, so that nothing waits for them. source_ended is called once, on the source's
  // thread, when it has ended by itself or after a stop.
  Result<void> start(std::function<void()> source_ended);

  // Files are opened anew (SIGHUP).
  void reopen_sinks();
  // Makes the sinks those of `next`: those that are new or differ, also in their filters, are created; one that is gone
  // or differs delivers what waits until the deadline and is closed; then the new ones are opened. A sink that differs
  // misses no event between, the others go on untouched. One that cannot be opened is logged and left out. [host],
  // [bus] and [[capture]] stay as they are; a line says so when they differ. Errors are those of create(): then nothing
  // has changed. Not for a replay.
  [[nodiscard]] std::vector<Error> reload(Config next, PluginRegistry plugins,
                                          std::chrono::steady_clock::time_point deadline);
  // The source is asked to drain and end, and nobody waits for room any more.
  void stop_source();
  // False when the source has not ended by `deadline`: it is inside a filter, or its file does not end. It can never be
  // ended then, and the process must end without destroying this object.
  [[nodiscard]] bool source_ended_by(std::chrono::steady_clock::time_point deadline);
  // Once the source has ended: what went wrong with it.
  Result<void> join_source();
  // Filters are finished once what waits is delivered; then every sink is asked to deliver what waits, until the
  // deadline. Waits for the filters only.
  void stop_sinks(std::chrono::steady_clock::time_point deadline);
  // True when every sink has ended; waits for that until `deadline` and a little longer, for calls that have begun. A
  // sink that has not is stuck in its plugin.
  [[nodiscard]] bool sinks_stopped_by(std::chrono::steady_clock::time_point deadline);
  // Makes the socket's file again, if somebody removed or replaced it, and says so (SIGHUP).
  void renew_socket();
  // Clients get what waits for them, as far as they take it until the deadline. Nor are there metrics any more. False:
  // the server's thread does not end, and the process must end without destroying the host.
  [[nodiscard]] bool stop_server(std::chrono::steady_clock::time_point deadline);
  // Whether no event waits for any sink.
  [[nodiscard]] bool all_settled() const;
  // Once all has ended, or is left behind: events that it had received and that some sink did not get. What waits for
  // one that could not deliver it, what came to one that had failed since stop_source() (in a replay, ever), what a
  // replay had to drop, and what the source has in its hands.
  [[nodiscard]] std::uint64_t lost_at_the_end() const;
  // Whether a sink has failed for good, or could not bring to its destination what it had taken.
  [[nodiscard]] bool any_sink_failed() const;
  [[nodiscard]] bool any_sink_unflushed() const;
  // Names of the sinks that have not ended.
  [[nodiscard]] std::vector<std::string> running_sinks() const;

  // Publishes nfbus:loss, if packets were lost since it last did, and looks after the helper; call it each second.
  void look_around();
  // One line per group and per sink, with every counter of design section 5.
  void log_counters() const;
  // "2 groups, 3 sinks": for the ready line.
  [[nodiscard]] std::string summary() const;

 private:
  struct CreatedSink {
    SinkConfig config;
    std::vector<FilterConfig> filter_configs;
    FilterChain filters;
    std::unique_ptr<SinkInstance> instance;
  };
  struct RunningSink {
    SinkConfig config;
    std::vector<FilterConfig> filters;
    std::unique_ptr<SinkWorker> worker;
    bool ended = false;
    QueueCounters before_the_end{};
  };

  using Stages = std::map<std::string, std::shared_ptr<FilterStage>>;  // by name
  using Messages = std::set<std::shared_ptr<Subscription>>;

  // Makes the stages that are not in `stages` yet, and adds them. Stages that cannot be made are left out.
  FilterChain make_filters(const std::vector<FilterConfig>& configs, Stages& stages, std::vector<Error>& errors);
  // Those of config.sinks for which is_new(sink). With an error some are left out.
  std::vector<CreatedSink> create_sinks(const Config& config, const std::function<bool(const SinkConfig&)>& is_new,
                                        std::vector<Error>& errors);
  void listen(const Messages& subscriptions);
  [[nodiscard]] std::shared_ptr<Subscription> make_subscription(const SinkConfig& config) const;
  Result<RunningSink> open_sink(CreatedSink created, std::shared_ptr<Subscription> subscription);
  // On any thread; the first not on the server's.
  [[nodiscard]] StatusReport report() const;
  [[nodiscard]] std::uint64_t lost_at_the_end(const RunningSink& sink) const;
  [[nodiscard]] StatusReport report(ServerSnapshot server) const;
  [[nodiscard]] std::string trouble() const;
  void publish_own(std::string_view topic, std::string_view text);
  bool publish_message(std::string_view topic, std::string_view text, const MessageOrigin& origin);

  Config config_;
  PluginRegistry plugins_;
  std::vector<std::vector<FilterConfig>> capture_filters_;  // of each of config_.captures, as they run

  // In the order of the flow; destroyed from the end of it.
  SlabPool slabs_;
  BatchPool batches_;
  TopicTable topics_;
  FormatSet formats_;
  Bus bus_;
  SharedServices services_;
  mutable std::mutex
      sinks_mutex_;  // taken for changes of sinks_, all on [control], and by those who look from elsewhere
  std::vector<RunningSink> sinks_;
  std::vector<CreatedSink> created_sinks_;                                           // until they are opened
  std::vector<CaptureSpec> created_captures_;                                        // until the source has them
  std::vector<std::pair<std::uint16_t, CaptureFilterChain*>> capture_chains_;  // by group; owned by source_
  PrivilegedHelper* helper_ = nullptr;                                               // null: none is needed
  std::unique_ptr<Source> source_;
  bool replays_ = false;
  std::promise<Result<void>> source_done_;  // set by the source's thread
  std::future<Result<void>> source_result_ = source_done_.get_future();
  std::thread source_thread_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  LossReporter loss_;
  std::unique_ptr<Server> server_;
  std::optional<MetricsServer> metrics_;
};

}  // namespace nfbus::host
