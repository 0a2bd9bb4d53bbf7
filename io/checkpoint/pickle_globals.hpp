#pragma once

#include <c10/core/ScalarType.h>

#include <cstdint>
#include <string_view>

namespace reseda::io {

/// What a name in a pickle means to the reader. Nothing is looked up anywhere else: a name without a row in the table
/// is kUnknown.
enum class GlobalRole : std::uint8_t {
  kUnknown,
  kPlain,            ///< known to be harmless: kept as a name, what it makes as an opaque value
  kDict,             ///< makes a dict, from nothing, a dict or pairs
  kDefaultDict,      ///< the same, without its first argument
  kSet,              ///< makes a set from a list
  kList,             ///< makes a list from a list
  kTuple,            ///< makes a tuple from a tuple
  kEncode,           ///< makes bytes from text in Latin-1
  kStorage,          ///< a storage class
  kUntypedStorage,   ///< a storage class whose tensors say the dtype
  kDtype,            ///< a dtype
  kTensor,           ///< makes a tensor: storage, offset, sizes, strides [, requires_grad, hooks [, metadata]]
  kTensorWithDtype,  ///< storage, offset, sizes, strides, requires_grad, hooks, dtype [, metadata]
  kParameter,        ///< a tensor, then what is passed over
  kTensorSubclass,   ///< rebuild function, class, its arguments, state
  kNumpyDtype,       ///< makes a dtype of NumPy
  kNumpyScalar       ///< makes a number from a dtype of NumPy and bytes
};

struct Global {
  std::string_view module, name;
  GlobalRole role = GlobalRole::kUnknown;
  c10::ScalarType dtype = c10::ScalarType::Undefined;  ///< of a storage class or a dtype
};

/// The row of a name; role kUnknown when there is none. Names with dots never have one.
Global find_global(std::string_view module, std::string_view name);

}  // namespace reseda::io
