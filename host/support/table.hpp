// Rows of texts as aligned columns, for a terminal.
#pragma once

#include <string>
#include <vector>

namespace nfbus::host {

struct TableStyle {
  bool indent = false;         // each line begins with two spaces
  bool numbers_right = false;  // a column whose last text is a number is aligned at its right
};

// [any] A line for each row, its columns two spaces apart, nothing behind its last text. Rows may be of different
// lengths. Texts are made printable().
[[nodiscard]] std::string table_text(std::vector<std::vector<std::string>> rows, TableStyle style = {});

}  // namespace nfbus::host
