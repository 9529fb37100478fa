// What needs CAP_NET_ADMIN of nftcontext, in a process of its own: it lists rules, and changes nothing.
//
// Requests and answers are JSON:
//   {"do":"poll"}              -> {"version":N}: another number when rules have changed
//   {"do":"logging","from":N}  -> a page of the rules that log, see logging_rules.hpp
#include "logging_list.hpp"
#include "open_netlink.hpp"

#include <nfbus/options.hpp>
#include <nfbus/privileged.hpp>
#include <nfbus/result.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nlohmann::json;

class ContextPart {
 public:
  // Throws that nf_tables is not open to us.
  explicit ContextPart(const nfbus::Options& /*options*/) : netlink_(open_netlink()) {}

  Result<std::string> request(std::string_view request) {
    const json parsed = json::parse(request, nullptr, false);
    const std::string word = parsed.is_object() ? parsed.value("do", "") : "";
    if (word == "poll") {
      const auto version = list_.version();
      if (!version) return version.error();
      return json{{"version", *version}}.dump();
    }
    if (word == "logging") {
      const auto page = list_.page(parsed.value("from", std::size_t{0}));
      if (!page) return page.error();
      return page->dump(-1, ' ', false, json::error_handler_t::replace);
    }
    return Error{Code::invalid, "no request of nfbus's"};
  }

 private:
  Netlink netlink_;
  LoggingList list_{netlink_};
};

}  // namespace
}  // namespace nftrules

NFBUS_PRIVILEGED_PART(nftrules::ContextPart);
