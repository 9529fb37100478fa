// What SPR's own programs made of packets: tests/data/spr.
#pragma once

#include "carried_messages.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host::test {

struct SprSample {
  std::string name;
  Octets packet;                  // IPv4
  nlohmann::ordered_json layers;  // by name; "err" instead: SPR could not decode the packet
};

inline Octets from_base64(const std::string& text) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Octets out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char digit : text) {
    if (digit == '=') break;
    bits = bits << 6U | static_cast<std::uint32_t>(kDigits.find(digit));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<std::uint8_t>(bits >> static_cast<unsigned>(count)));
  }
  return out;
}

// layers.tsv has the packets as hex. In samples.jsonl they stand in their own layers.
inline const std::vector<SprSample>& spr_samples() {
  static const std::vector<SprSample> kSamples = [] {
    std::vector<SprSample> samples;
    std::ifstream layers(NFBUS_TEST_DATA "/spr/layers.tsv");
    for (std::string line; std::getline(layers, line);) {
      const std::size_t hex = line.find('\t') + 1;
      const std::size_t json = line.find('\t', hex) + 1;
      SprSample& sample = samples.emplace_back();
      sample.name = line.substr(0, hex - 1);
      for (std::size_t at = hex; at + 2 < json; at += 2) {
        sample.packet.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(at, 2), nullptr, 16)));
      }
      sample.layers = nlohmann::ordered_json::parse(line.substr(json));
    }
    std::ifstream lines(NFBUS_TEST_DATA "/spr/samples.jsonl");
    for (std::string line; std::getline(lines, line);) {
      const auto wire = nlohmann::ordered_json::parse(line);
      SprSample& sample = samples.emplace_back();
      sample.name = "line " + std::to_string(samples.size());
      sample.layers = nlohmann::ordered_json::parse(wire["value"].get<std::string>());
      const auto& ip = sample.layers["IP"];
      sample.packet = from_base64(ip["Contents"]);
      append(sample.packet, from_base64(ip["Payload"]));
    }
    if (samples.size() < 80) throw std::runtime_error("samples are missing in " NFBUS_TEST_DATA "/spr");
    return samples;
  }();
  return kSamples;
}

inline const SprSample& spr_sample(std::string_view name) {
  for (const SprSample& sample : spr_samples()) {
    if (sample.name == name) return sample;
  }
  throw std::runtime_error("no sample " + std::string(name));
}

// The object of `"NAME":{...},`; null when the text is empty.
inline nlohmann::ordered_json layer_object(const std::string& text, const std::string& name) {
  if (text.empty()) return nullptr;
  if (text.back() != ',') throw std::runtime_error("a layer ends with a comma");
  return nlohmann::ordered_json::parse("{" + text.substr(0, text.size() - 1) + "}").at(name);
}

}  // namespace nfbus::host::test
