// nfbus: an extension's struct must begin with .uint32_t struct_size.
#include <nfbus/sink.hpp>
class Good {
 public:
  void write(nfbus::Events) {}
};
struct Trace {
  int level;
};
constexpr Trace kTrace{7};
NFBUS_LIBRARY(nfbus::sink<Good>("good"), nfbus::extension("example.org.trace/1", kTrace))
