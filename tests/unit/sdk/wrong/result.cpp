// nfbus: write must return void or nfbus::Delivery
#include <nfbus/sink.hpp>
class Wrong {
 public:
  bool write(nfbus::Events) { return true; }
};
NFBUS_SINK(Wrong, "wrong")
