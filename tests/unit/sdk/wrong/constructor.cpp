// nfbus: a filter needs a public constructor
#include <nfbus/filter.hpp>
class Wrong {
 public:
  explicit Wrong(int) {}
  void apply(nfbus::Candidates) {}
};
NFBUS_FILTER(Wrong, "wrong")
