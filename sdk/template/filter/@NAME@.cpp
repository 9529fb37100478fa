// @NAME@: drops what goes to a port, and notes on the rest how long the packet is.
#include <nfbus/filter.hpp>

#include <cstdint>
#include <string>

namespace {

class Filter {
 public:
  Filter(nfbus::Host /*host*/, const nfbus::Options& options) : port_(options.integer("port")) {}

  void apply(nfbus::Candidates candidates) const {
    for (const nfbus::Candidate candidate : candidates) {
      const nfbus::Event event = candidate.event();
      if (event.destination_port() == port_) {
        candidate.drop();
      } else {
        candidate.annotate("length", std::to_string(event.size_bytes()));
      }
    }
  }

 private:
  std::int64_t port_;
};

}  // namespace

NFBUS_FILTER(Filter, "@NAME@",
             {.summary = "drops what goes to a port", .version = "0.1", .schema = R"({"type": "object", "properties":
                           {"port": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 53}}})"})
