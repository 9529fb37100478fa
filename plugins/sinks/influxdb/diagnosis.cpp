#include "diagnosis.hpp"

#include "answer.hpp"
#include "server.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>

namespace influx {
namespace {

using nlohmann::json;

constexpr std::chrono::milliseconds kTime{5000};
constexpr std::int64_t kClockSkewS = 60;

class Examination {
 public:
  Examination(const Settings& settings, http::Client& client, nfbus::Findings findings)
      : settings_(settings), client_(client), findings_(findings), server_(settings) {}

  void run() {
    bool changed = false;
    if (const std::string wrong = server_.read_secret(changed); !wrong.empty()) findings_.error(wrong, {});
    do {
      end_ = std::chrono::steady_clock::now() + kTime;
      look_at_place();
    } while (server_.try_next());
  }

 private:
  http::Answer ask(http::Request request) {
    http::Exchange exchange{.request = std::move(request)};
    client_.perform({&exchange, 1}, [&] {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
      return static_cast<std::uint32_t>(std::max<std::int64_t>(left.count(), 0));
    });
    return std::move(exchange.answer);
  }

  void look_at_place() {
    const std::string& place = server_.place().shown;
    const http::Answer pong = ask(server_.ping());
    if (pong.ending != http::Ending::answered) {
      findings_.error(place + ": " + pong.error, "start the server, or mend url");
      return;
    }
    if (const std::int64_t theirs = http::date_s(pong.header("date")); theirs >= 0) {
      const std::int64_t ahead_s = theirs - static_cast<std::int64_t>(std::time(nullptr));
      if (std::abs(ahead_s) > kClockSkewS) {
        findings_.warning("the clock of " + place + " is " + std::to_string(std::abs(ahead_s)) + " s " +
                              (ahead_s > 0 ? "ahead of" : "behind") + " this machine's",
                          "set both by NTP: points have this machine's time");
      }
    }
    std::string why;
    if (!server_.learn(pong, why)) {
      findings_.error(why, {});
      return;
    }
    switch (server_.api()) {
      case Api::v2: look_for_bucket(); break;
      case Api::v3: look_for_database_v3(); break;
      default: look_for_database(); break;
    }
  }

  // False: a finding says why there is no answer to look at.
  bool answered_well(const http::Answer& answer) {
    const std::string& place = server_.place().shown;
    if (answer.ending != http::Ending::answered) {
      findings_.error(place + ": " + answer.error, {});
      return false;
    }
    if (answer.status == 401 || answer.status == 403) {
      findings_.error(place + " answers " + std::to_string(answer.status) + ": " + said(answer),
                      server_.api() == Api::v1 ? "look at user and password_file" : "look at token_file");
      return false;
    }
    if (answer.status != 200) {
      findings_.warning(place + " answers " + std::to_string(answer.status) + " to a question for " + server_.target() +
                            ": " + said(answer),
                        "look at url and api");
      return false;
    }
    return true;
  }

  void found() { findings_.info(server_.place().shown + " has " + server_.target()); }

  void look_for_database() {
    const std::string& name = server_.target();
    const http::Answer answer = ask(server_.read("/query?q=SHOW%20DATABASES"));
    if (!answered_well(answer)) return;
    const json body = json::parse(answer.body, nullptr, false);
    const json values =
        body.is_object() ? body.value("/results/0/series/0/values"_json_pointer, json::array()) : json();
    for (const json& row : values) {
      if (row.is_array() && !row.empty() && row[0] == name) return found();
    }
    findings_.error("there is no database " + name + " at " + server_.place().shown + " that " +
                        (settings_.user.empty() ? std::string("everybody") : settings_.user) + " may see",
                    "influx -execute 'CREATE DATABASE \"" + name + "\"'");
  }

  void look_for_bucket() {
    const std::string& name = server_.target();
    const http::Answer answer = ask(server_.read("/api/v2/buckets?name=" + http::percent_encoded(name) +
                                                 "&org=" + http::percent_encoded(settings_.org)));
    const bool is_missing = answer.ending == http::Ending::answered && answer.status == 404;
    if (!is_missing && !answered_well(answer)) return;
    const json body = json::parse(answer.body, nullptr, false);
    if (body.is_object() && body.contains("buckets") && !body["buckets"].empty()) return found();
    findings_.error("there is no bucket " + name + " at " + server_.place().shown,
                    "influx bucket create --name " + name + " --org " + settings_.org);
  }

  void look_for_database_v3() {
    const std::string& name = server_.target();
    const http::Answer answer = ask(server_.read("/api/v3/configure/database?format=json"));
    if (!answered_well(answer)) return;
    const json body = json::parse(answer.body, nullptr, false);
    for (const json& row : body.is_array() ? body : json::array()) {
      if (row.is_object() && row.value("iox::database", "") == name) return found();
    }
    findings_.info("there is no database " + name + " at " + server_.place().shown + " yet: the first write makes it");
  }

  const Settings& settings_;
  http::Client& client_;
  const nfbus::Findings findings_;
  Server server_;
  std::chrono::steady_clock::time_point end_;
};

}  // namespace

void diagnose(const Settings& settings, http::Client& client, nfbus::Findings findings) {
  Examination(settings, client, findings).run();
}

}  // namespace influx
