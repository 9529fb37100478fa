#include "event/formats/format.hpp"

#include "event/formats/ulogd.hpp"

namespace nfbus::host {

FormatSet::FormatSet(std::string_view device) { formats_[1] = std::make_unique<UlogdFormat>(device); }

FormatId FormatSet::find(std::string_view name) const noexcept {
  for (FormatId id = 1; id < formats_.size(); ++id) {
    if (formats_[id] != nullptr && formats_[id]->name() == name) return id;
  }
  return 0;
}

}  // namespace nfbus::host
