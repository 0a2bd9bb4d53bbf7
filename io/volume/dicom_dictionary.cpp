#include <gdcmDict.h>
#include <gdcmDicts.h>
#include <gdcmGlobal.h>

#include "io/volume/dicom_dataset.hpp"

namespace reseda::io::detail {

DicomVr dictionary_vr(DicomTag tag, bool pixels_signed) {
  const std::uint32_t group = tag >> 16, element = tag & 0xFFFF;
  if (group % 2 == 1) return element >= 0x10 && element <= 0xFF ? DicomVr{'L', 'O'} : DicomVr{'U', 'N'};
  const gdcm::Dict& dictionary = gdcm::Global::GetInstance().GetDicts().GetPublicDict();
  const gdcm::VR::VRType vr = dictionary.GetDictEntry(gdcm::Tag(tag)).GetVR();
  switch (vr) {
    case gdcm::VR::INVALID:
      return {'U', 'N'};
    case gdcm::VR::OB_OW:
    case gdcm::VR::US_OW:
    case gdcm::VR::US_SS_OW:
      return {'O', 'W'};
    case gdcm::VR::US_SS:
      return pixels_signed ? DicomVr{'S', 'S'} : DicomVr{'U', 'S'};
    default:
      break;
  }
  const char* name = gdcm::VR::GetVRString(vr);
  return name != nullptr && name[0] != '\0' && name[1] != '\0' && name[2] == '\0' ? DicomVr{name[0], name[1]}
                                                                                  : DicomVr{'U', 'N'};
}

std::string dictionary_keyword(DicomTag tag) {
  if ((tag >> 16) % 2 == 1) return {};
  const char* keyword = gdcm::Global::GetInstance().GetDicts().GetPublicDict().GetKeywordFromTag(gdcm::Tag(tag));
  return keyword == nullptr ? std::string() : keyword;
}

}  // namespace reseda::io::detail
