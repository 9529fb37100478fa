#include "plugins/diagnosis.hpp"

#include "plugins/crossing.hpp"

#include <exception>
#include <string_view>
#include <utility>

namespace nfbus::host {

namespace {

log::Level level_of(std::uint32_t level) noexcept {
  switch (level) {
    case NFBUS_LOG_ERROR: return log::Level::error;
    case NFBUS_LOG_INFO:
    case NFBUS_LOG_DEBUG: return log::Level::info;
    default: return log::Level::warning;
  }
}

void take_finding(void* context, uint32_t level, nfbus_text text, nfbus_text fix) noexcept {
  auto& findings = *static_cast<std::vector<Finding>*>(context);
  try {
    Finding finding{
        .level = level_of(level), .text = clean_text(plugin_view(text)), .fix = clean_text(plugin_view(fix))};
    if (finding.text.empty()) finding.text = "the plugin does not say what";
    findings.push_back(std::move(finding));
  } catch (const std::exception&) {
    // Without memory the finding is lost; a plugin cannot be told.
  }
}

}  // namespace

std::vector<Finding> diagnose_instance(std::string_view name, DiagnoseFunction diagnose, void* instance) {
  std::vector<Finding> findings;
  if (diagnose == nullptr) return findings;
  const nfbus_findings taker = {
      .struct_size = sizeof(nfbus_findings), .reserved = 0, .context = &findings, .found = take_finding};
  nfbus_error error{};
  const std::uint32_t status = call_plugin({name, "diagnose"}, error, [&] {
    diagnose(instance, &taker);
    return NFBUS_OK;
  });
  if (status != NFBUS_OK) {
    findings.push_back({.level = log::Level::error, .text = failure_text(status, error, "diagnose"), .fix = {}});
  }
  return findings;
}

}  // namespace nfbus::host
