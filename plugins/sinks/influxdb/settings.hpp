// The instance's options, checked as far as it goes without a server.
#pragma once

#include "../../lib/http/client.hpp"
#include "../../lib/http/options.hpp"
#include "../../lib/http/place.hpp"
#include "points.hpp"

#include <nfbus/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace influx {

enum class Api : std::uint8_t { automatic = 1, v1, v2, v3 };

struct Settings {
  std::vector<http::Place> places;
  Api api = Api::automatic;
  std::string database;  // of v1 and v3
  std::string retention_policy;
  std::string user;
  std::string org;
  std::string bucket;
  http::Secret password;
  http::Secret token;
  http::Settings http;
  PointSettings points;
  bool gzip = true;
  std::size_t batch_points = 0;
  std::size_t max_in_flight = 0;
  std::uint32_t batch_age_ms = 0;
};

// [control] Throws nfbus::OptionError, which names the option and the fix. Connects to nobody.
[[nodiscard]] Settings settings_of(const nfbus::Options& options);

// Of a url option. Throws std::invalid_argument, which says what is wrong with it.
[[nodiscard]] http::Place place_of(const std::string& url);

}  // namespace influx
