// The numbers of a running host for Prometheus: its text exposition format, version 0.0.4. The words are those of the
// status; design section 5 says what each counts.
#pragma once

#include "report/status_report.hpp"

#include <string>

namespace nfbus::host {

inline constexpr char kPrometheusTextType[] = "text/plain; version=0.0.4; charset=utf-8";

// [any] Of clients the sums alone: a series for each connection would be without end.
[[nodiscard]] std::string to_prometheus_text(const StatusReport& report);

}  // namespace nfbus::host
