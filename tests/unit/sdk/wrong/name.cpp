// nfbus: the plugin's name must be one or more of
#include <nfbus/filter.hpp>
class Wrong {
 public:
  void apply(nfbus::Candidates) {}
};
NFBUS_FILTER(Wrong, "Wrong Name")
