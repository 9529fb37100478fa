#include "message.hpp"

#include "answers.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <arpa/inet.h>

#include <array>
#include <deque>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace dnsnames {

namespace {

using nlohmann::json;

// A record's parts, for as long as its Record is used.
struct Parts {
  std::string owner;
  std::string target;
  std::array<std::uint8_t, 16> address{};
};

// The number at this key: a whole one that T holds. Throws as read_record() does.
template <typename T>
T number_at(const json& object, const char* key) {
  const json& number = object.at(key);
  // What JSON calls a number may be one that no T is, 1e300 or 65537.
  if (number.is_number_unsigned() && number.get<std::uint64_t>() <= std::numeric_limits<T>::max()) {
    return static_cast<T>(number.get<std::uint64_t>());
  }
  throw std::invalid_argument("no such number");
}

// Throws what json throws, and std::invalid_argument, when the record is not of the wanted shape.
Record read_record(const json& from, Parts& parts) {
  const json& header = from.at("Hdr");
  parts.owner = header.at("Name").get<std::string>();
  Record record = {.type = static_cast<nfbus::DnsType>(number_at<std::uint16_t>(header, "Rrtype")),
                   .ttl_s = number_at<std::uint32_t>(header, "Ttl"),
                   .owner = parts.owner,
                   .address = {},
                   .target = {}};
  if (record.type == nfbus::DnsType::cname) {
    parts.target = from.at(from.contains("Target") ? "Target" : "CNAME").get<std::string>();
    record.target = parts.target;
  } else if (record.type == nfbus::DnsType::a || record.type == nfbus::DnsType::aaaa) {
    const bool v6 = record.type == nfbus::DnsType::aaaa;
    const auto text = from.at(v6 ? "AAAA" : "A").get<std::string>();
    if (::inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), parts.address.data()) != 1) {
      throw std::invalid_argument("no address");
    }
    record.address = std::span(parts.address).first(v6 ? 16 : 4);
  }
  return record;
}

}  // namespace

bool learn_message(std::string_view text, std::int64_t now_ns, Names& names) {
  if (nfbus::util::is_nested_deeper(text)) return false;
  try {
    const json message = json::parse(text);
    const auto question = message.at("Q").at(0).at("Name").get<std::string>();
    const json& answers = message.at("A");
    if (answers.is_null()) return true;  // as Go writes a list of none
    if (!answers.is_array()) return false;
    std::deque<Parts> parts;
    std::vector<Record> records;
    records.reserve(answers.size());
    for (const json& answer : answers) records.push_back(read_record(answer, parts.emplace_back()));
    learn_answer(question, records, now_ns, names);
    return true;
  } catch (const std::exception&) {  // of json, or an address that is none
    return false;
  }
}

}  // namespace dnsnames
