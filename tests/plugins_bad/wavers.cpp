// Answers event by event, at random: delivered, again, rejected or nothing, and now and then with a retry or an
// exception. Writes what became of each, by the kernel's sequence number, to a file: "d N", "r N"; "disorder N" when an
// event comes before one that came earlier.
#include <nfbus/sink.hpp>

#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

class Wavers {
 public:
  Wavers(nfbus::Host /*host*/, const nfbus::Options& options)
      : file_(options.text("file")), random_(static_cast<std::uint32_t>(options.integer("seed"))) {}

  void open() {
    out_ = std::fopen(file_.c_str(), "w");
    if (out_ == nullptr) throw std::runtime_error("cannot open " + file_);
  }

  nfbus::Delivery write(nfbus::Events events) {
    std::vector<std::uint32_t> unnamed;
    for (std::uint32_t i = 0; i < events.size(); ++i) {
      const std::uint32_t sequence = events[i].raw()->sequence;
      if (i != 0 && sequence <= events[i - 1].raw()->sequence) std::fprintf(out_, "disorder %u\n", sequence);
      switch (random_() % 8) {
        case 0: events.again(i); break;
        case 1:
          events.reject(i, "");
          std::fprintf(out_, "r %u\n", sequence);
          break;
        case 2: unnamed.push_back(sequence); break;
        default:
          events.delivered(i);
          std::fprintf(out_, "d %u\n", sequence);
          break;
      }
    }
    const std::uint32_t mood = random_() % 64;
    if (mood == 0) throw std::runtime_error("not this time");
    if (mood < 16) return nfbus::Delivery::retry(0, "later", 1);
    for (const std::uint32_t sequence : unnamed) std::fprintf(out_, "d %u\n", sequence);
    return nfbus::Delivery::ok(1);
  }

  void close() { std::fclose(out_); }

 private:
  const std::string file_;
  std::minstd_rand random_;
  std::FILE* out_ = nullptr;
};

}  // namespace

NFBUS_SINK(Wavers, "wavers",
           {.summary = "answers event by event, at random",
            .version = "1.0",
            .schema = R"({"type":"object","required":["file"],"properties":{
              "file":{"type":"string"},"seed":{"type":"integer","default":1}}})",
            .shape = {.batch_events = 1000}})
