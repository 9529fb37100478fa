#include "plan_text.hpp"

#include <nlohmann/json.hpp>

#include <iostream>
#include <string>
#include <string_view>

namespace nftrules {
namespace {

using nlohmann::json;

constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kRed = "\033[31m";
constexpr std::string_view kGreen = "\033[32m";
constexpr std::string_view kPlain = "\033[0m";

void print_line(std::string_view colour, const PlanStyle& style, const std::string& text) {
  const std::string line = printable(text);
  if (style.with_colours) {
    std::cout << colour << line << kPlain << '\n';
  } else {
    std::cout << line << '\n';
  }
}

void print_change(const json& change, const PlanStyle& style) {
  const auto was = change.at("was").get<std::string>();
  const auto now = change.at("now").get<std::string>();
  const auto beside = change.at("beside").get<std::string>();
  const std::string handle =
      beside.empty() ? " # handle " + std::to_string(change.at("handle").get<std::uint64_t>()) : " # " + beside;
  if (!was.empty()) print_line(kRed, style, "-   " + was + handle);
  if (!now.empty()) print_line(kGreen, style, "+   " + now + handle);
}

}  // namespace

std::string printable(std::string text) {
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 127) c = '?';
  }
  return text;
}

void print_plan(const json& plan, const PlanStyle& style) {
  std::string place;
  for (const json& change : plan.at("changes")) {
    const std::string here =
        "table " + change.at("table").get<std::string>() + " chain " + change.at("chain").get<std::string>();
    if (here != place) print_line(kBold, style, "@@ " + here + " @@");
    place = here;
    print_change(change, style);
  }
  const auto count = plan.at("count").get<std::size_t>();
  const std::size_t shown = plan.at("changes").size();
  if (count > shown) std::cout << "... and " << count - shown << " more\n";
  if (plan.contains("own_table")) {
    std::cout << "A running host has, as long as it runs:\n" << plan.at("own_table").get<std::string>();
  }
  if (style.with_notes) {
    for (const json& note : plan.at("notes")) std::cout << "# " << printable(note.get<std::string>()) << '\n';
  }
  for (const json& error : plan.at("errors")) print_error(error.get<std::string>());
  if (!plan.at("errors").empty()) std::cerr << "nfbus: nothing is applied while there are errors\n";
}

void print_error(std::string_view text) { std::cerr << "nfbus: error: " << printable(std::string(text)) << '\n'; }

void print_holder(const json& status) {
  if (status.value("holder", "") == "command") {
    std::cout << "nfbus nft apply --confirm holds these rules, and waits for its confirmation.\n";
    return;
  }
  std::cout << "A running host holds these rules" << (status.value("watch", false) ? ", and watches them" : "")
            << (status.value("paused", false) ? "; they were reverted, and it leaves them so until the next apply" : "")
            << (status.value("pending", false) ? "; it waits for a confirmation" : "") << ".\n";
  if (status.value("fights", false)) {
    std::cout << "Another program changes them again and again: it has stopped putting them back for a while.\n";
  }
}

}  // namespace nftrules
