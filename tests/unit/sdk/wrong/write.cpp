// nfbus: a sink needs a public `void write.nfbus::Events events.`
#include <nfbus/sink.hpp>
class Wrong {
 public:
  void write(int) {}
};
NFBUS_SINK(Wrong, "wrong")
