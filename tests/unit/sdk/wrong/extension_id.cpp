// nfbus: an extension's id must be OWNER.THING/VERSION
#include <nfbus/sink.hpp>
class Good {
 public:
  void write(nfbus::Events) {}
};
struct Trace {
  std::uint32_t struct_size;
};
constexpr Trace kTrace{sizeof(Trace)};
NFBUS_LIBRARY(nfbus::sink<Good>("good"), nfbus::extension("trace", kTrace))
