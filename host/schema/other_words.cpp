#include "schema/other_words.hpp"

#include <algorithm>
#include <array>

namespace nfbus::host {

namespace {

struct Word {
  std::string_view theirs;
  std::string_view ours;
};

constexpr std::array<Word, 60> kWords = {{{"nflog_group", "group"},
                                          {"nflog-group", "group"},
                                          {"nlgroup", "group"},
                                          {"nfgroup", "group"},
                                          {"groups", "group"},
                                          {"numeric_label", "action"},
                                          {"boolean_label", "action"},
                                          {"verdict", "action"},
                                          {"label", "action"},
                                          {"policy", "action"},
                                          {"log_prefix", "prefixes"},
                                          {"prefix", "prefixes"},
                                          {"netlink_socket_buffer_size", "recv_buffer"},
                                          {"netlink_socket_buffer_maxsize", "recv_buffer"},
                                          {"bufsize", "recv_buffer"},
                                          {"buffer_size", "recv_buffer"},
                                          {"rcvbuf", "recv_buffer"},
                                          {"recv_buffer_bytes", "recv_buffer"},
                                          {"queue_size", "queue"},
                                          {"queue_events", "queue"},
                                          {"max_events", "queue"},
                                          {"max_size", "queue_bytes"},
                                          {"when_full", "overflow"},
                                          {"qthreshold", "latency_ms"},
                                          {"netlink_qthreshold", "latency_ms"},
                                          {"netlink_qtimeout", "latency_ms"},
                                          {"latency", "latency_ms"},
                                          {"copy_range", "snaplen"},
                                          {"snapshot_length", "snaplen"},
                                          {"caplen", "snaplen"},
                                          {"type", "plugin"},
                                          {"kind", "plugin"},
                                          {"module", "plugin"},
                                          {"topic", "topics"},
                                          {"prefixes", "topics"},
                                          {"inputs", "topics"},
                                          {"subscribe", "topics"},
                                          {"filter", "filters"},
                                          {"path", "file"},
                                          {"filename", "file"},
                                          {"logfile", "file"},
                                          {"output", "file"},
                                          {"out", "file"},
                                          {"target", "file"},
                                          {"log", "file"},
                                          {"rotate_size", "rotate_bytes"},
                                          {"maxsize", "rotate_bytes"},
                                          {"rotate", "rotate_keep"},
                                          {"keep", "rotate_keep"},
                                          {"compression", "compress"},
                                          {"sync", "fsync"},
                                          {"match", "when"},
                                          {"path", "socket"},
                                          {"sock", "socket"},
                                          {"listen", "socket"},
                                          {"address", "listen"},
                                          {"hostname", "device"},
                                          {"dvc", "device"},
                                          {"plugin_dir", "plugin_dirs"},
                                          {"root", "topic_root"}}};

}  // namespace

std::string_view our_word(std::string_view name, const std::vector<std::string>& known) {
  for (const Word& word : kWords) {
    if (word.theirs == name && std::find(known.begin(), known.end(), word.ours) != known.end()) return word.ours;
  }
  return {};
}

}  // namespace nfbus::host
