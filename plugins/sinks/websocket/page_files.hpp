// The page's files, as they were when this was built.
#pragma once

#include <span>
#include <string_view>

namespace websocket {

struct PageFile {
  std::string_view name;  // below page/: "index.html", "vendor/uplot.js"
  std::string_view etag;  // with its quotes
  std::string_view bytes;
};

[[nodiscard]] std::span<const PageFile> page_files() noexcept;

}  // namespace websocket
