// @NAME@: prints a line for each event: when, under which topic, from where to where.
#include <nfbus/sink.hpp>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace {

class Sink {
 public:
  Sink(nfbus::Host /*host*/, const nfbus::Options& options) : file_(options.text("file")) {}

  void open() {
    out_ = std::fopen(file_.c_str(), "a");
    if (out_ == nullptr) throw std::runtime_error("cannot open " + file_);
  }

  void write(nfbus::Events events) {
    for (const nfbus::Event event : events) {
      std::fprintf(out_, "%lld %.*s %s %s\n", static_cast<long long>(event.time_ns()),
                   static_cast<int>(event.topic().size()), event.topic().data(), event.source().view().data(),
                   event.destination().view().data());
    }
    if (std::fflush(out_) != 0) throw std::runtime_error("cannot write to " + file_);
  }

  void close() { std::fclose(out_); }

 private:
  std::string file_;
  std::FILE* out_ = nullptr;
};

}  // namespace

NFBUS_SINK(Sink, "@NAME@",
           {.summary = "writes a line for each event",
            .version = "0.1",
            .schema = R"({"type": "object", "required": ["file"], "properties": {"file": {"type": "string"}}})"})
