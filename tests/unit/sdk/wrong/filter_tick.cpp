// nfbus: tick must be `void tick..`, public
#include <nfbus/filter.hpp>
class Wrong {
 public:
  void apply(nfbus::Candidates) {}
  void tick(int now) { (void)now; }
};
NFBUS_FILTER(Wrong, "wrong", {.shape = {.tick_ms = 10}})
