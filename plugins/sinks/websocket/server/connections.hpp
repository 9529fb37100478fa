// All connections of a server.
#pragma once

#include "server.hpp"

#include <cstddef>
#include <list>
#include <set>

namespace websocket {

// Who they are, and what they share. On the server's thread.
class Connections {
 public:
  // One connection that can be told to end.
  class Member {
   public:
    Member() = default;
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    virtual ~Member() = default;
    virtual void cut() = 0;          // at once
    virtual void say_goodbye() = 0;  // the server stops
  };

  explicit Connections(Application& application) : application_(application) {}

  [[nodiscard]] Application& application() noexcept { return application_; }
  [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }
  [[nodiscard]] bool stopping() const noexcept { return stopping_; }

  void add(Member& member) { members_.insert(&member); }
  void remove(Member& member) {
    members_.erase(&member);
    stop_waiting(member);
  }
  // It waits for its client from now on, for a request or to take an answer. When too many do, the one that waits
  // longest goes: whoever opens more cannot keep others out.
  void wait(Member& member) {
    stop_waiting(member);
    if (waiting_.size() >= kMostWaiting) waiting_.front()->cut();
    waiting_.push_back(&member);
  }
  void stop_waiting(Member& member) { waiting_.remove(&member); }
  void stop() {
    stopping_ = true;
    const std::set<Member*> all = members_;
    for (Member* const member : all) member->say_goodbye();
  }

 private:
  static constexpr std::size_t kMostWaiting = 256;

  Application& application_;
  std::set<Member*> members_;
  std::list<Member*> waiting_;
  bool stopping_ = false;
};

}  // namespace websocket
