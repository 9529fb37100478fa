// nfbus: open must be `void open.nfbus::Shape& shape.` or `void open..`, public
#include <nfbus/sink.hpp>
class Wrong {
 public:
  void open(const char* path) { (void)path; }
  void write(nfbus::Events) {}
};
NFBUS_SINK(Wrong, "wrong")
