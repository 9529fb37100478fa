#include "support/table.hpp"

#include "support/printable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>

namespace nfbus::host {

namespace {

bool is_number(std::string_view text) {
  return text.find_first_not_of("0123456789.") == std::string_view::npos && !text.empty();
}

}  // namespace

std::string table_text(std::vector<std::vector<std::string>> rows, TableStyle style) {
  std::vector<std::size_t> widths;
  for (auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = printable(row[i]);
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const auto& row : rows) {
    const std::size_t line = text.size();
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool right = style.numbers_right && i < rows.back().size() && is_number(rows.back()[i]);
      if (i != 0 || style.indent) text += "  ";
      fmt::format_to(std::back_inserter(text), fmt::runtime(right ? "{:>{}}" : "{:<{}}"), row[i], widths[i]);
    }
    const std::size_t last = text.find_last_not_of(' ');
    text.erase(last == std::string::npos ? line : std::max(line, last + 1));
    text += '\n';
  }
  return text;
}

}  // namespace nfbus::host
