// a filter that has tick.. needs .shape = ..tick_ms = ....
#include <nfbus/filter.hpp>
class Wrong {
 public:
  void apply(nfbus::Candidates) {}
  void tick() {}
};
NFBUS_FILTER(Wrong, "wrong")
