// nfbus: hear must be `void hear.nfbus::Events messages.`, public
#include <nfbus/filter.hpp>
class Wrong {
 public:
  void apply(nfbus::Candidates) {}
  void hear(const char* message) { (void)message; }
};
NFBUS_FILTER(Wrong, "wrong")
