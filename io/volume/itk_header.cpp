#include "io/volume/itk_header.hpp"

#include "io/volume/itk_compiler.hpp"

#include <itkMetaDataObject.h>
#include <itkMetaImageIO.h>
#include <itkNiftiImageIO.h>
#include <itkNrrdImageIO.h>

#include <algorithm>

#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

itk::ImageIOBase::Pointer reader_of(VolumeFormat format) {
  switch (format) {
    case VolumeFormat::kNifti:
      return itk::NiftiImageIO::New().GetPointer();
    case VolumeFormat::kNrrd:
      return itk::NrrdImageIO::New().GetPointer();
    case VolumeFormat::kMeta:
      break;
  }
  return itk::MetaImageIO::New().GetPointer();
}

VolumeGeometry geometry_of(const itk::ImageIOBase& io) {
  VolumeGeometry geometry;
  for (unsigned axis = 0; axis < std::min(io.GetNumberOfDimensions(), 3U); ++axis) {
    geometry.spacing_mm[axis] = io.GetSpacing(axis);
    geometry.origin_mm[axis] = io.GetOrigin(axis);
    const std::vector<double> direction = io.GetDirection(axis);
    for (unsigned row = 0; row < 3; ++row) geometry.direction[row][axis] = row < direction.size() ? direction[row] : 0;
  }
  return geometry;
}

std::map<std::string, std::string> texts_of(const itk::MetaDataDictionary& dictionary) {
  std::map<std::string, std::string> texts;
  for (const std::string& key : dictionary.GetKeys()) {
    std::string text;
    if (itk::ExposeMetaData<std::string>(dictionary, key, text)) texts[key] = text;
  }
  return texts;
}

/// One line of ITK's "itk::ERROR: Reader(0x...): what went wrong\nmore".
std::string reason(const itk::ExceptionObject& error) {
  std::string text = error.GetDescription();
  const std::size_t address = text.find("(0x"), end = text.find("): ", address);
  if (address != std::string::npos && end != std::string::npos) text.erase(0, end + 3);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

/// ITK prints warnings; a library of ours prints nothing.
class QuietItk {
 public:
  QuietItk() : before_(itk::Object::GetGlobalWarningDisplay()) { itk::Object::GlobalWarningDisplayOff(); }
  ~QuietItk() { itk::Object::SetGlobalWarningDisplay(before_); }
  QuietItk(const QuietItk&) = delete;
  QuietItk& operator=(const QuietItk&) = delete;

 private:
  bool before_;
};

}  // namespace

Volume read_itk_header(const std::filesystem::path& file, VolumeFormat format, const VolumeHeader& header) {
  const std::string name = file.string();
  const QuietItk quiet;
  try {
    const itk::ImageIOBase::Pointer io = reader_of(format);
    io->SetFileName(name);
    io->ReadImageInformation();
    for (unsigned axis = 0; axis < io->GetNumberOfDimensions(); ++axis)
      RESEDA_REQUIRE(static_cast<std::int64_t>(io->GetDimensions(axis)) == (axis < 3 ? header.size[axis] : 1),
                     Errc::kInput, name, ": ITK reads a size of ", io->GetDimensions(axis), " along axis ", axis + 1);
    RESEDA_REQUIRE(io->GetNumberOfComponents() == 1, Errc::kInput, name, ": voxels are not scalars");
    Volume volume;
    volume.geometry = geometry_of(*io);
    volume.metadata = texts_of(io->GetMetaDataDictionary());
    volume.stored = header.type;
    return volume;
  } catch (const itk::ExceptionObject& error) {
    reseda::detail::raise(Errc::kInput, name, ": cannot read: ", reason(error));
  }
}

}  // namespace reseda::io::detail
