// nfbus: flush must be `void flush..`, public
#include <nfbus/sink.hpp>
class Wrong {
 public:
  void write(nfbus::Events) {}

 private:
  void flush() {}
};
NFBUS_SINK(Wrong, "wrong")
