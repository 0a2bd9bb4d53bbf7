#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "modules/core/error.hpp"

namespace reseda::tests {

/// Expects Error{code} whose message holds the text.
template <class Function>
void expect_error(Errc code, const std::string& text, Function&& function) {
  try {
    function();
    ADD_FAILURE() << "no error; expected one with '" << text << "'";
  } catch (const Error& error) {
    EXPECT_EQ(errc_name(error.code()), std::string(errc_name(code))) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(text));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n"))) << "a message is one line";
  }
}

}  // namespace reseda::tests
