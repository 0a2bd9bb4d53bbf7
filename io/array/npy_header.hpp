#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reseda::io {

/// What stands in front of an array's values: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
struct NpyHeader {
  std::string type;  ///< byte order, kind and bytes per value
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// @param text  a Python dictionary of these three keys, each once, and white space
/// @throws Error{kInput}: anything else, more than 32 axes, an axis below 0 or so long that sizes would overflow
NpyHeader parse_npy_header(std::string_view text, const std::string& where);

}  // namespace reseda::io
