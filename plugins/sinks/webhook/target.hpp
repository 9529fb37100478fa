// Where requests go.
#pragma once

#include "template.hpp"

#include <string>

namespace webhook {

struct Target {
  Template url;
  std::string unix_socket = {};  // path; empty: TCP
  std::string shown;             // without the path, which may be a secret: "https://hooks.example.org"
  bool sends_in_clear = false;   // by http to another machine
};

// url: an http or https one, or unix:///SOCKET:/PATH; placeholders stand behind the host. Throws std::invalid_argument,
// which says what is wrong, and nothing of what stands behind the host.
[[nodiscard]] Target target_of(const std::string& url);

}  // namespace webhook
