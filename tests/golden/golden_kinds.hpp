#pragma once

#include <span>
#include <string_view>

#include "tests/golden/golden_case.hpp"

namespace reseda::golden {

/// How the cases of one kind of one system are run. To add a kind: write kind_<name>.cpp with `void
/// run_<name>(GoldenCase&)`, add it to CMakeLists.txt, and give it a row in golden_kinds.cpp. Everything must follow
/// from the json, never from the name of the case: cases with other settings exist.
struct Kind {
  std::string_view system, kind;
  /// Runs the code under test and checks every recorded tensor; nullptr where the kind is only reported as skipped.
  void (*run)(GoldenCase&);
  /// Why it is skipped, for kinds without run.
  std::string_view skip_reason = {};
};

/// Every kind that is known; a case of another kind fails.
std::span<const Kind> kinds();

/// The systems whose cases are run; folders of other systems are passed over.
std::span<const std::string_view> systems();

}  // namespace reseda::golden
