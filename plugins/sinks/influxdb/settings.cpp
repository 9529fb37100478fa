#include "settings.hpp"

#include "../../lib/options.hpp"

#include <algorithm>
#include <stdexcept>

namespace influx {
namespace {

using nfbus::OptionError;
using nfbus::Options;
using output::text_or_empty;

std::vector<http::Place> places_of(const Options& options) {
  std::vector<http::Place> out;
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

http::Place place_of(const std::string& url) {
  http::Place out = http::place_of(url);
  if (!out.unix_socket.empty()) return out;
  if (url.find_first_of("?#") != std::string::npos) {
    throw std::invalid_argument("the url ends before the ?: the rest are options of their own");
  }
  for (const std::string_view known : {"/write", "/api/v2/write", "/api/v3/write_lp"}) {
    if (out.base.ends_with(known)) {
      throw std::invalid_argument("the url ends before " + std::string(known) + ": api says which way to write");
    }
  }
  return out;
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
  out.password = http::secret_of(options, "password");
  out.token = http::secret_of(options, "token");
  if (out.user.empty() && out.password.is_given()) {
    throw OptionError("user", R"(a password is somebody's: give user = "NAME")");
  }
  out.http = http::settings_of(options);
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
