#include "front.hpp"

#include "../address.hpp"
#include "../page_files.hpp"
#include "../queries.hpp"

#include "../../../lib/ascii.hpp"
#include "../../../lib/clock.hpp"

#include <nfbus/version.h>
#include <nfbus/text.hpp>
#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <utility>

namespace websocket {
namespace {

using nlohmann::json;

// default-src 'none' and what the page itself needs: nothing of others, nothing inline, no text that becomes code.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

constexpr std::string_view kCookie = "nfbus_session";

// For as long as a session lives that is not used.
std::string cookie_header(std::string_view session, bool is_tls) {
  std::string out(kCookie);
  out += '=';
  out += session;
  out += "; Path=/; Max-Age=" + std::to_string(std::chrono::seconds(Sessions::kLife).count());
  out += "; HttpOnly; SameSite=Strict";
  if (is_tls) out += "; Secure";
  return out;
}

constexpr std::size_t kMostPending = 32;
constexpr std::size_t kMostJobs = 64;
constexpr std::size_t kMostRowsAsked = 1000;
constexpr std::size_t kRowsAsked = 200;

std::string_view type_of(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kTypes[] = {{".html", "text/html; charset=utf-8"},
                                                                      {".js", "text/javascript; charset=utf-8"},
                                                                      {".mjs", "text/javascript; charset=utf-8"},
                                                                      {".css", "text/css; charset=utf-8"},
                                                                      {".svg", "image/svg+xml"},
                                                                      {".png", "image/png"},
                                                                      {".ico", "image/x-icon"},
                                                                      {".json", "application/json"},
                                                                      {".webmanifest", "application/manifest+json"},
                                                                      {".woff2", "font/woff2"}};
  for (const auto& [ending, type] : kTypes) {
    if (name.ends_with(ending)) return type;
  }
  return "text/plain; charset=utf-8";
}

Response page_file(const Request& request) {
  const std::string_view name = request.path == "/" ? "index.html" : std::string_view(request.path).substr(6);
  const std::span<const PageFile> files = page_files();
  const auto file = std::ranges::find(files, name, &PageFile::name);
  if (file == files.end()) return refusal(404, "there is no such page");
  if (request.method != "GET" && request.method != "HEAD") return refusal(405, "this can be read with GET");
  Response out;
  out.type = type_of(name);
  out.headers.emplace_back("ETag", file->etag);
  out.headers.emplace_back("Cache-Control", "no-cache");
  if (request.header("if-none-match") == file->etag) {
    out.status = 304;
  } else {
    out.body = make_text(std::string(file->bytes));
  }
  return out;
}

// RFC 9110, section 8.3.1.
bool is_json(const Request& request) {
  std::string_view type = request.header("content-type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return output::lower(type) == "application/json";
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t out = 0;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, out);
  if (text.empty() || error != std::errc() || last != end) return std::nullopt;
  return out;
}

void append_text(void* taker, nfbus_text text) { *static_cast<std::string*>(taker) = nfbus::to_view(text); }

// Of a parameter that is not there: `otherwise`. Sets `wrong` where it is no number.
std::optional<std::uint64_t> number_parameter(const Request& request, std::string_view name,
                                              std::optional<std::uint64_t> otherwise, std::optional<Response>& wrong) {
  const std::optional<std::string> text = request.parameter(name);
  if (!text) return otherwise;
  const std::optional<std::uint64_t> number = number_of(*text);
  if (!number) wrong = refusal(400, std::string(name) + ": \"" + *text + "\" is no number");
  return number;
}

Response wrong_method(const char* allowed) {
  Response out = refusal(405, std::string("this can be asked with ") + allowed);
  out.headers.emplace_back("Allow", allowed);
  return out;
}

}  // namespace

void Front::protect(Response& response) {
  response.headers.emplace_back("Content-Security-Policy", kContentSecurityPolicy);
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  const bool says_cache =
      std::ranges::any_of(response.headers, [](const auto& one) { return one.first == "Cache-Control"; });
  if (!says_cache) response.headers.emplace_back("Cache-Control", "no-store");
}

std::string_view Front::session_of(const Request& request) { return cookie_of(request, kCookie); }

Front::Front(nfbus::Host host, const Settings& settings, Board& board, Jobs& jobs)
    : host_(host),
      settings_(settings),
      board_(board),
      jobs_(jobs),
      words_(host.extension<nfbus_match_words>(NFBUS_MATCH_WORDS)),
      slow_counter_(host.counter("slow_clients")),
      missed_counter_(host.counter("missed_by_clients")),
      turned_away_counter_(host.counter("turned_away")) {}

void Front::set_tokens(Tokens tokens) {
  if (tokens == tokens_) return;
  tokens_ = std::move(tokens);
  sessions_.end_all();
  shut_out([](const Known& known) { return !known.is_pending; }, "the tokens have changed");
}

void Front::scan(const Request& request, const Reply& reply, Jobs::Job job) {
  if (jobs_.size() >= kMostJobs) return reply(refusal(503, "too many requests look at events: ask again in a second"));
  post(reply,
       [is_gone = request.is_gone, job = std::move(job)](auto until) { return (is_gone && *is_gone) || job(until); });
}

void Front::post(Jobs::Job job) {
  jobs_.post(std::move(job));
  host_.wake();
}

void Front::post(const Reply& reply, Jobs::Job job) {
  post([reply, job = std::move(job)](auto until) {
    try {
      return job(until);
    } catch (const std::exception& failed) {
      reply(refusal(500, std::string("this could not be answered: ") + failed.what()));
      throw;
    }
  });
}

void Front::after(std::chrono::milliseconds delay, std::function<void()> what) {
  server_->after(delay, std::move(what));
}

// ---- Who is let in

bool Front::has_room() const noexcept { return pending_ + refusing_ < kMostPending; }

bool Front::is_free_or_by_session(const Request& request) {
  return !tokens_.is_needed() || sessions_.holds(session_of(request), Sessions::Clock::now());
}

void Front::judge(const Request& request, const std::function<void(Entry)>& then) {
  if (!tokens_.is_needed()) return then(Entry::free);
  if (is_free_or_by_session(request)) return then(Entry::by_session);
  const std::string_view bearer = bearer_of(request);
  if (bearer.empty()) return then(Entry::none);
  judge_token(request.peer, std::string(bearer), then);
}

void Front::judge_token(const std::string& peer, const std::string& token, const std::function<void(Entry)>& then) {
  const auto wait = slowdown_.wait(peer, Slowdown::Clock::now());
  if (wait.count() == 0 && tokens_.holds(token)) return then(Entry::by_token);
  if (!has_room()) return then(Entry::crowded);
  ++refusing_;
  const std::shared_ptr<void> place(nullptr, [this](void*) { --refusing_; });  // whatever becomes of the answer
  const auto look = [this, peer, token, then, place] {
    if (tokens_.holds(token)) return then(Entry::by_token);
    after(slowdown_.failed(peer, Slowdown::Clock::now()), [then, place] { then(Entry::wrong); });
  };
  if (wait.count() == 0) return look();
  after(wait, look);
}

Response Front::refuse_entry(Entry entry) {
  if (entry == Entry::crowded) return refusal(429, "too many who were wrong, or have to authenticate yet");
  Response out =
      refusal(401, entry == Entry::wrong ? "this is none of the tokens" : "send a token: Authorization: Bearer TOKEN");
  out.headers.emplace_back("WWW-Authenticate", "Bearer");
  return out;
}

// ---- Requests

void Front::answer(Request request, Reply plain_reply) {
  const Reply reply = [plain_reply = std::move(plain_reply)](Response response) {
    protect(response);
    plain_reply(std::move(response));
  };
  if (std::optional<Response> wrong = refuse_site(request, settings_.sites)) return reply(std::move(*wrong));
  const bool changes = request.method == "PUT" || request.method == "POST" || request.method == "DELETE";
  if (!changes && request.method != "GET" && request.method != "HEAD")
    return reply(wrong_method("GET, HEAD, PUT, POST, DELETE"));
  if (request.path == "/" || request.path.starts_with("/page/")) return reply(page_file(request));
  if (changes && !is_json(request)) return reply(refusal(415, "send it as Content-Type: application/json"));
  if (request.path == "/api/session") return reply(describe_session(request));
  if (request.path == "/api/login") return answer_login(request, reply);
  const auto shared = std::make_shared<const Request>(std::move(request));
  judge(*shared, [this, shared, reply](Entry entry) {
    const bool is_in = entry == Entry::free || entry == Entry::by_session || entry == Entry::by_token;
    if (!is_in) return reply(refuse_entry(entry));
    answer_with_entry(*shared, reply);
  });
}

Response Front::describe_session(const Request& request) {
  const json out = {{"needs_token", tokens_.is_needed()}, {"is_authenticated", is_free_or_by_session(request)},
                    {"version", NFBUS_VERSION},           {"instance", host_.instance_name()},
                    {"names", !settings_.names.empty()},  {"time_ms", output::clock_ns(CLOCK_REALTIME) / 1'000'000}};
  Response answer = json_response(out.dump());
  // The browser counts from the cookie's last coming: pages ask this when they are opened.
  const std::string_view session = session_of(request);
  if (sessions_.holds(session, Sessions::Clock::now())) {
    answer.headers.emplace_back("Set-Cookie", cookie_header(session, request.is_tls));
  }
  return answer;
}

void Front::answer_login(const Request& request, const Reply& reply) {
  if (request.method != "POST") return reply(wrong_method("POST"));
  const json body = nfbus::util::is_nested_deeper(request.body) ? json() : json::parse(request.body, nullptr, false);
  const auto token = body.is_object() ? body.find("token") : body.end();
  if (!body.is_object() || token == body.end() || !token->is_string())
    return reply(refusal(400, R"(send {"token":"..."})"));
  const auto let_in = [this, is_tls = request.is_tls, reply] {
    Response out;
    out.status = 204;
    out.type.clear();
    out.headers.emplace_back("Set-Cookie", cookie_header(sessions_.begin(Sessions::Clock::now()), is_tls));
    reply(std::move(out));
  };
  if (!tokens_.is_needed()) return let_in();
  judge_token(request.peer, token->get<std::string>(), [let_in, reply](Entry entry) {
    if (entry != Entry::by_token) return reply(refuse_entry(entry));
    let_in();
  });
}

SharedMatch Front::match_of(const Request& request, std::optional<Response>& wrong) {
  const std::optional<std::string> words = request.parameter("match");
  if (!words || words->empty()) return nullptr;
  nfbus::Result<SharedMatch> match = compile(json(*words));
  if (match) return std::move(*match);
  wrong = refusal(400, match.error().text);
  return nullptr;
}

void Front::answer_with_entry(const Request& request, const Reply& reply) {
  const std::string_view path = request.path;
  for (const auto& [beginning, shape] :
       {std::pair<std::string_view, rules::Shape>("/rules", rules::Shape::rules),
        std::pair<std::string_view, rules::Shape>("/alerts", rules::Shape::alerts),
        std::pair<std::string_view, rules::Shape>("/notifications", rules::Shape::notifications)}) {
    if (!path.starts_with(beginning)) continue;
    const std::string_view rest = path.substr(beginning.size());
    if (rest.empty() || rest.starts_with('/')) return answer_rules(request, shape, rest, reply);
  }
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (path == "/api/logout") {
    if (request.method != "POST") return reply(wrong_method("POST"));
    const std::string_view session = session_of(request);
    sessions_.end(session);
    shut_out([session](const Known& known) { return !session.empty() && known.session == session; }, "logged out");
    Response out;
    out.status = 204;
    out.type.clear();
    out.headers.emplace_back("Set-Cookie", std::string(kCookie) + "=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    return reply(std::move(out));
  }
  if (path == "/api/preview" || path == "/api/table") {
    if (request.method != "POST") return reply(wrong_method("POST"));
    const json body = nfbus::util::is_nested_deeper(request.body) ? json() : json::parse(request.body, nullptr, false);
    if (!body.is_object()) return reply(refusal(400, "the body is no JSON object"));
    if (path == "/api/preview") {
      const json rule = body.value("rule", json());
      return scan(request, reply,
                  preview_query(board_, rule.dump(-1, ' ', false, json::error_handler_t::replace), reply));
    }
    const json words = body.value("match", json());
    std::string table;
    nfbus_error error{};
    error.struct_size = sizeof error;
    if (!words.is_string() || words_ == nullptr) return reply(refusal(400, R"(send {"match":"WORDS"})"));
    if (words_->table(words_->context, nfbus::to_text(words.get_ref<const std::string&>()), &append_text, &table,
                      &error) != NFBUS_OK) {
      return reply(refusal(400, std::string(error.text, error.size)));
    }
    return reply(json_response("{\"table\":" + table + '}'));
  }
  if (path == "/ws" || path.starts_with("/ws/") || path == "/ws_events_all") {
    return reply(refusal(426, "this is a WebSocket: ask for an upgrade"));
  }
  if (!reads)
    return reply(path.starts_with("/api/") ? wrong_method("GET") : refusal(404, "there is nothing of this name"));
  if (path == "/api/rows") {
    std::optional<Response> wrong;
    SharedMatch match = match_of(request, wrong);
    const auto most = number_parameter(request, "limit", kRowsAsked, wrong);
    const auto before = number_parameter(request, "before", std::nullopt, wrong);
    if (wrong) return reply(std::move(*wrong));
    const std::size_t count = std::min<std::size_t>(*most, kMostRowsAsked);
    return scan(request, reply, rows_query(board_, std::move(match), before, count, reply));
  }
  if (path == "/api/count") {
    std::optional<Response> wrong;
    SharedMatch match = match_of(request, wrong);
    const auto after = number_parameter(request, "after", std::uint64_t{0}, wrong);
    const auto before = number_parameter(request, "before", std::numeric_limits<std::uint64_t>::max(), wrong);
    if (wrong) return reply(std::move(*wrong));
    return scan(request, reply, count_query(board_, std::move(match), *after, *before, reply));
  }
  if (path == "/api/export") return answer_export(request, reply);
  if (path == "/api/notifications") {
    std::optional<Response> wrong;
    const auto most = number_parameter(request, "limit", kRowsAsked, wrong);
    if (wrong) return reply(std::move(*wrong));
    return post(reply, [this, most = *most, reply](auto) {
      reply(json_response(board_.notifications_json(most)));
      return true;
    });
  }
  if (path == "/api/series") {
    const std::string step = request.parameter("step").value_or("1");
    if (step != "1" && step != "10") return reply(refusal(400, "step: it is 1 or 10"));
    const unsigned step_s = step == "10" ? 10 : 1;
    return post(reply, [this, step_s, reply](auto) {
      reply(json_response(board_.statistics().series_json(step_s, Board::now_s(), output::clock_ns(CLOCK_REALTIME))));
      return true;
    });
  }
  if (path == "/api/keys") {
    std::string keys;
    for (std::uint32_t i = 0; words_ != nullptr && i < words_->key_count; ++i) {
      if (i != 0) keys += ',';
      keys += json(nfbus::to_view(words_->keys[i])).dump();
    }
    return post(reply, [this, keys, reply](auto) {
      std::string out = "{\"keys\":[" + keys +
                        R"(],"values":{"action":["allowed","blocked"],"family":["ip","ip6","arp","bridge"],)" +
                        R"("proto":["tcp","udp","icmp","icmpv6","sctp","gre","esp"],)" +
                        R"("tcp_flags":["syn","syn,!ack","rst","fin","ack"],)";
      board_.statistics().append_seen(out);
      reply(json_response(out + "}}"));
      return true;
    });
  }
  constexpr std::string_view kEvent = "/api/event/";
  constexpr std::string_view kHost = "/api/host/";
  if (path.starts_with(kEvent)) {
    const std::optional<std::uint64_t> number = number_of(path.substr(kEvent.size()));
    if (!number) return reply(refusal(400, "an event has a number"));
    return post(reply, event_query(board_, *number, reply));
  }
  if (path.starts_with(kHost)) {
    const std::optional<std::string> address = address_of(std::string(path.substr(kHost.size())));
    if (!address) return reply(refusal(400, "a host is an IPv4 or IPv6 address"));
    nfbus::Result<SharedMatch> match = compile(json{{"host", *address}});
    if (!match) return reply(refusal(400, match.error().text));
    return scan(request, reply, host_query(board_, *address, std::move(*match), reply));
  }
  reply(refusal(404, "there is nothing of this name"));
}

void Front::answer_export(const Request& request, const Reply& reply) {
  std::optional<Response> wrong;
  const SharedMatch match = match_of(request, wrong);
  if (wrong) return reply(std::move(*wrong));
  const std::string format = request.parameter("format").value_or("jsonl");
  struct Kind {
    std::string_view name;
    ExportFormat format;
    std::string_view type;
  };
  constexpr Kind kKinds[] = {{"jsonl", ExportFormat::jsonl, "application/x-ndjson"},
                             {"csv", ExportFormat::csv, "text/csv; charset=utf-8"},
                             {"pcap", ExportFormat::pcap, "application/vnd.tcpdump.pcap"}};
  const auto* const kind = std::ranges::find(kKinds, format, &Kind::name);
  if (kind == std::end(kKinds)) return reply(refusal(400, "the format is jsonl, csv or pcap"));
  Response out;
  out.type = kind->type;
  out.headers.emplace_back("Content-Disposition", "attachment; filename=\"nfbus." + format + '"');
  auto made = std::make_shared<Export>(board_, match, kind->format);
  out.next_part = [this, made, is_gone = request.is_gone](const TakePart& take) {
    post([made, take, is_gone](auto until) { return (is_gone && *is_gone) || made->make_part(until, take); });
  };
  reply(std::move(out));
}

void Front::answer_rules(const Request& request, rules::Shape shape, std::string_view rest, const Reply& reply) {
  std::optional<std::size_t> index;
  if (!rest.empty()) {
    index = number_of(rest.substr(1));
    if (!index) return reply(refusal(400, "a rule has a number"));
  }
  rules::Method method = rules::Method::get;
  if (request.method == "PUT") {
    method = rules::Method::put;
  } else if (request.method == "DELETE") {
    method = rules::Method::remove;
  } else if (request.method == "POST") {
    return reply(wrong_method("GET, PUT, DELETE"));
  }
  post(reply, [this, shape, method, index, request, reply](auto) {
    rules::Answer answer = board_.rules().handle(
        {.shape = shape, .method = method, .index = index, .body = request.body, .may_change = [&](auto array) {
           return may_change(request, entity_tag(array));
         }});
    if (answer.status == 200) {
      std::string tag = entity_tag(answer.body);
      Response out = json_response(std::move(answer.body));
      out.headers.emplace_back("ETag", std::move(tag));
      reply(std::move(out));
    } else {
      reply(refusal(static_cast<unsigned>(answer.status), std::move(answer.body)));
    }
    return true;
  });
}

}  // namespace websocket
