#include "io/checkpoint/pickle_globals.hpp"

#include <algorithm>
#include <array>

namespace reseda::io {
namespace {

using Role = GlobalRole;
using Type = c10::ScalarType;

constexpr std::array kGlobals = {
    Global{"collections", "OrderedDict", Role::kDict},
    Global{"collections", "Counter", Role::kDict},
    Global{"collections", "defaultdict", Role::kDefaultDict},
    Global{"_codecs", "encode", Role::kEncode},
    // Python 3 writes "__builtin__" for protocols up to 2.
    Global{"__builtin__", "set", Role::kSet},
    Global{"__builtin__", "frozenset", Role::kSet},
    Global{"__builtin__", "list", Role::kList},
    Global{"__builtin__", "dict", Role::kDict},
    Global{"__builtin__", "tuple", Role::kTuple},
    Global{"__builtin__", "int", Role::kPlain},
    Global{"__builtin__", "float", Role::kPlain},
    Global{"__builtin__", "str", Role::kPlain},
    Global{"__builtin__", "unicode", Role::kPlain},
    Global{"__builtin__", "bool", Role::kPlain},
    Global{"__builtin__", "complex", Role::kPlain},
    Global{"__builtin__", "bytearray", Role::kPlain},
    Global{"builtins", "set", Role::kSet},
    Global{"builtins", "frozenset", Role::kSet},
    Global{"builtins", "list", Role::kList},
    Global{"builtins", "dict", Role::kDict},
    Global{"builtins", "tuple", Role::kTuple},
    Global{"builtins", "int", Role::kPlain},
    Global{"builtins", "float", Role::kPlain},
    Global{"builtins", "str", Role::kPlain},
    Global{"builtins", "bool", Role::kPlain},
    Global{"builtins", "complex", Role::kPlain},
    Global{"builtins", "bytearray", Role::kPlain},
    // Classes that hold hyper-parameters in the published checkpoints.
    Global{"argparse", "Namespace", Role::kPlain},
    Global{"pathlib", "Path", Role::kPlain},
    Global{"pathlib", "PosixPath", Role::kPlain},
    Global{"pathlib", "PurePosixPath", Role::kPlain},
    Global{"pathlib", "WindowsPath", Role::kPlain},
    Global{"pytorch_lightning.utilities.parsing", "AttributeDict", Role::kDict},
    Global{"lightning_fabric.utilities.data", "AttributeDict", Role::kDict},
    Global{"lightning.fabric.utilities.data", "AttributeDict", Role::kDict},
    Global{"sgmse.data_module", "SpecsDataModule", Role::kPlain},
    // NumPy: numbers become numbers, arrays stay opaque.
    Global{"numpy", "dtype", Role::kNumpyDtype},
    Global{"numpy", "ndarray", Role::kPlain},
    Global{"numpy.core.multiarray", "scalar", Role::kNumpyScalar},
    Global{"numpy._core.multiarray", "scalar", Role::kNumpyScalar},
    Global{"numpy.core.multiarray", "_reconstruct", Role::kPlain},
    Global{"numpy._core.multiarray", "_reconstruct", Role::kPlain},
    // PyTorch.
    Global{"torch", "Size", Role::kTuple},
    Global{"torch", "device", Role::kPlain},
    Global{"torch", "Tensor", Role::kPlain},
    Global{"torch.nn.parameter", "Parameter", Role::kPlain},
    Global{"torch.serialization", "_get_layout", Role::kPlain},
    Global{"torch._utils", "_rebuild_tensor", Role::kTensor},
    Global{"torch._utils", "_rebuild_tensor_v2", Role::kTensor},
    Global{"torch._utils", "_rebuild_tensor_v3", Role::kTensorWithDtype},
    Global{"torch._utils", "_rebuild_parameter", Role::kParameter},
    Global{"torch._utils", "_rebuild_parameter_with_state", Role::kParameter},
    Global{"torch._tensor", "_rebuild_from_type_v2", Role::kTensorSubclass},
    Global{"torch.storage", "UntypedStorage", Role::kUntypedStorage, Type::Byte},
    Global{"torch", "UntypedStorage", Role::kUntypedStorage, Type::Byte},
    Global{"torch", "DoubleStorage", Role::kStorage, Type::Double},
    Global{"torch", "FloatStorage", Role::kStorage, Type::Float},
    Global{"torch", "HalfStorage", Role::kStorage, Type::Half},
    Global{"torch", "BFloat16Storage", Role::kStorage, Type::BFloat16},
    Global{"torch", "LongStorage", Role::kStorage, Type::Long},
    Global{"torch", "IntStorage", Role::kStorage, Type::Int},
    Global{"torch", "ShortStorage", Role::kStorage, Type::Short},
    Global{"torch", "CharStorage", Role::kStorage, Type::Char},
    Global{"torch", "ByteStorage", Role::kStorage, Type::Byte},
    Global{"torch", "BoolStorage", Role::kStorage, Type::Bool},
    Global{"torch", "ComplexFloatStorage", Role::kStorage, Type::ComplexFloat},
    Global{"torch", "ComplexDoubleStorage", Role::kStorage, Type::ComplexDouble},
    Global{"torch", "float64", Role::kDtype, Type::Double},
    Global{"torch", "float32", Role::kDtype, Type::Float},
    Global{"torch", "float16", Role::kDtype, Type::Half},
    Global{"torch", "bfloat16", Role::kDtype, Type::BFloat16},
    Global{"torch", "int64", Role::kDtype, Type::Long},
    Global{"torch", "int32", Role::kDtype, Type::Int},
    Global{"torch", "int16", Role::kDtype, Type::Short},
    Global{"torch", "int8", Role::kDtype, Type::Char},
    Global{"torch", "uint64", Role::kDtype, Type::UInt64},
    Global{"torch", "uint32", Role::kDtype, Type::UInt32},
    Global{"torch", "uint16", Role::kDtype, Type::UInt16},
    Global{"torch", "uint8", Role::kDtype, Type::Byte},
    Global{"torch", "bool", Role::kDtype, Type::Bool},
    Global{"torch", "complex32", Role::kDtype, Type::ComplexHalf},
    Global{"torch", "complex64", Role::kDtype, Type::ComplexFloat},
    Global{"torch", "complex128", Role::kDtype, Type::ComplexDouble},
    Global{"torch", "float8_e5m2", Role::kDtype, Type::Float8_e5m2},
    Global{"torch", "float8_e4m3fn", Role::kDtype, Type::Float8_e4m3fn},
    Global{"torch", "float8_e5m2fnuz", Role::kDtype, Type::Float8_e5m2fnuz},
    Global{"torch", "float8_e4m3fnuz", Role::kDtype, Type::Float8_e4m3fnuz},
    Global{"torch", "float8_e8m0fnu", Role::kDtype, Type::Float8_e8m0fnu},
};

}  // namespace

Global find_global(std::string_view module, std::string_view name) {
  const auto found = std::find_if(kGlobals.begin(), kGlobals.end(),
                                  [&](const Global& row) { return row.module == module && row.name == name; });
  return found == kGlobals.end() ? Global{module, name} : *found;
}

}  // namespace reseda::io
