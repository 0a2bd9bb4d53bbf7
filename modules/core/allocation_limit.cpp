#include "modules/core/allocation_limit.hpp"

#include <c10/core/CPUAllocator.h>

#include <utility>

namespace reseda {
namespace {

thread_local AllocationLimit* current_limit = nullptr;

/// Asks the thread's limit, then the allocator that was there before; memory belongs to the latter.
class LimitedAllocator final : public c10::Allocator {
 public:
  explicit LimitedAllocator(c10::Allocator* inner) : inner_(inner) {}
  c10::DataPtr allocate(std::size_t bytes) override {
    if (current_limit != nullptr) current_limit->take(bytes);
    return inner_->allocate(bytes);
  }
  bool is_simple_data_ptr(const c10::DataPtr& pointer) const override { return inner_->is_simple_data_ptr(pointer); }
  c10::DeleterFnPtr raw_deleter() const override { return inner_->raw_deleter(); }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { inner_->copy_data(to, from, bytes); }

 private:
  c10::Allocator* inner_;
};

/// Put in place once and never taken away: storages keep a pointer to their allocator.
void install() {
  static const bool installed = [] {
    constexpr std::uint8_t kAboveDefault = 1;
    c10::SetCPUAllocator(new LimitedAllocator(c10::GetCPUAllocator()), kAboveDefault);
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace

AllocationLimit::AllocationLimit(std::uint64_t bytes, Errc code, std::string message)
    : left_(bytes), code_(code), message_(std::move(message)), outer_(current_limit) {
  install();
  current_limit = this;
}

AllocationLimit::~AllocationLimit() { current_limit = outer_; }

void AllocationLimit::take(std::uint64_t bytes) {
  RESEDA_REQUIRE(bytes <= left_, code_, message_);
  left_ -= bytes;
}

}  // namespace reseda
