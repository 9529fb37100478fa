#include "settings.hpp"

#include <algorithm>
#include <stdexcept>
#include <tuple>

namespace influx {
namespace {

using nfbus::OptionError;
using nfbus::Options;

std::string text_or_empty(const Options& options, std::string_view key) {
  return options.has(key) ? options.text(key) : std::string();
}

std::vector<Place> places_of(const Options& options) {
  std::vector<Place> out;
  const auto add = [&](const std::string& key) {
    try {
      out.push_back(place_of(options.text(key)));
    } catch (const OptionError&) {
      throw;
    } catch (const std::invalid_argument& error) {
      throw OptionError(key, error.what());
    }
  };
  const std::size_t count = options.count("url");
  if (count == 0) add("url");
  for (std::size_t i = 0; i < count; ++i) add("url/" + std::to_string(i));
  return out;
}

Api api_of(const std::string& name) {
  if (name == "v1") return Api::v1;
  if (name == "v2") return Api::v2;
  return name == "v3" ? Api::v3 : Api::automatic;
}

// What each way of writing needs.
void check_api(const Settings& settings) {
  const bool has_database = !settings.database.empty();
  const bool has_bucket = !settings.bucket.empty();
  switch (settings.api) {
    case Api::v1:
      if (!has_database) throw OptionError("database", R"(api = "v1" needs database = "NAME")");
      break;
    case Api::v2:
      if (!has_bucket) throw OptionError("bucket", R"(api = "v2" needs bucket = "NAME")");
      break;
    case Api::v3:
      if (!has_database) throw OptionError("database", R"(api = "v3" needs database = "NAME")");
      break;
    case Api::automatic:
      if (!has_database && !has_bucket) {
        throw OptionError("database", R"(give database = "NAME" (InfluxDB 1 and 3) or bucket = "NAME" (InfluxDB 2))");
      }
      break;
  }
}

void check_spr(const Options& options, const Settings& settings) {
  if (settings.points.layout != Layout::spr) return;
  if (settings.api == Api::v1) {
    throw OptionError(
        "layout", R"(layout = "spr" has unsigned fields, which InfluxDB 1 does not take: it needs api = "v2" or "v3")");
  }
  for (const char* const key : {"measurement", "fields", "device"}) {
    if (options.has(key)) throw OptionError(key, R"(layout = "spr" has its own: leave this out)");
  }
}

void check_columns(const Options& options, const PointSettings& points) {
  const auto check = [&](const std::vector<std::string>& names, const std::string& key,
                         const std::vector<std::string>* others) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string place = key + '/' + std::to_string(i);
      const std::string& name = names[i];
      if (name == "time" || name.front() == '_') {
        throw OptionError(place, "InfluxDB keeps \"time\" and names that begin with _ for itself");
      }
      if (std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), name) !=
          names.begin() + static_cast<std::ptrdiff_t>(i)) {
        throw OptionError(place, '"' + name + "\" stands here twice");
      }
      if (others != nullptr && std::find(others->begin(), others->end(), name) != others->end()) {
        throw OptionError(place, '"' + name + "\" is in tags, too: it can be one of both");
      }
    }
  };
  check(points.tags, "tags", nullptr);
  if (points.fields) check(*points.fields, "fields", options.has("tags") ? &points.tags : nullptr);
}

}  // namespace

Place place_of(const std::string& url) {
  constexpr std::string_view kUnix = "unix://";
  if (url.starts_with(kUnix)) {
    const std::string path = url.substr(kUnix.size());
    if (!path.starts_with('/')) throw std::invalid_argument("the path of a socket must be absolute: unix:///PATH");
    return {.base = "http://localhost", .unix_socket = path, .shown = url};
  }
  const std::size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  if (scheme == 0) throw std::invalid_argument("a server's url begins with http://, https:// or unix://");
  const std::string_view rest = std::string_view(url).substr(scheme);
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (authority.empty() || authority.front() == ':') throw std::invalid_argument("the url names no host");
  if (authority.find('@') != std::string_view::npos) {
    throw std::invalid_argument("a url has no place for secrets: give user and password_file, or token_file");
  }
  for (const char c : url) {
    if (c == '?' || c == '#')
      throw std::invalid_argument("the url ends before the ?: the rest are options of their own");
    if (static_cast<unsigned char>(c) <= ' ' || c == '\x7f') {
      throw std::invalid_argument("a url has no blanks and no control characters");
    }
  }
  std::string base = url;
  while (base.ends_with('/')) base.pop_back();
  for (const std::string_view known : {"/write", "/api/v2/write", "/api/v3/write_lp"}) {
    if (base.ends_with(known)) {
      throw std::invalid_argument("the url ends before " + std::string(known) + ": api says which way to write");
    }
  }
  return {.base = base, .unix_socket = {}, .shown = url};
}

Settings settings_of(const Options& options) {
  Settings out;
  out.places = places_of(options);
  out.api = api_of(options.text("api"));
  out.database = text_or_empty(options, "database");
  out.retention_policy = text_or_empty(options, "retention_policy");
  out.user = text_or_empty(options, "user");
  out.org = text_or_empty(options, "org");
  out.bucket = text_or_empty(options, "bucket");
  for (const auto& [name, value, path] :
       {std::tuple("password", &out.password, &out.password_file), std::tuple("token", &out.token, &out.token_file)}) {
    const std::string file = std::string(name) + "_file";
    *value = text_or_empty(options, name);
    *path = text_or_empty(options, file);
    if (!value->empty() && !path->empty()) {
      throw OptionError(file, std::string("give either ") + name + " or " + file + ", not both");
    }
  }
  if (out.user.empty() && (!out.password.empty() || !out.password_file.empty())) {
    throw OptionError("user", R"(a password is somebody's: give user = "NAME")");
  }
  out.http = {.proxy = text_or_empty(options, "proxy"),
              .ca_file = text_or_empty(options, "ca_file"),
              .cert_file = text_or_empty(options, "cert_file"),
              .key_file = text_or_empty(options, "key_file"),
              .connect_timeout = std::chrono::milliseconds(options.integer("connect_timeout_ms")),
              .request_timeout = std::chrono::milliseconds(options.integer("request_timeout_ms"))};
  out.points = {.layout = options.text("layout") == "spr" ? Layout::spr : Layout::own,
                .measurement = text_or_empty(options, "measurement"),
                .device = text_or_empty(options, "device"),
                .tags = options.list("tags"),
                .fields = {},
                .max_tag_values = static_cast<std::size_t>(options.integer("max_tag_values"))};
  if (options.has("fields")) out.points.fields = options.list("fields");
  out.gzip = options.text("compress") == "gzip";
  out.batch_points = static_cast<std::size_t>(options.integer("batch_points"));
  out.max_in_flight = static_cast<std::size_t>(options.integer("max_in_flight"));
  out.batch_age_ms = static_cast<std::uint32_t>(options.integer("batch_age_ms"));
  check_api(out);
  check_spr(options, out);
  check_columns(options, out.points);
  return out;
}

}  // namespace influx
