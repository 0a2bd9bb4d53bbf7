#include "io/volume/pixel_codec.hpp"

#include <gdcmImage.h>
#include <gdcmImageChangeTransferSyntax.h>
#include <gdcmJPEGCodec.h>
#include <gdcmSequenceOfFragments.h>
#include <gdcmTrace.h>

#include "io/volume/codestream_header.hpp"
#include "io/volume/rle.hpp"
#include "modules/core/error.hpp"

namespace reseda::io::detail {
namespace {

gdcm::Image image_of(const PixelFormat& format, gdcm::TransferSyntax::TSType syntax) {
  gdcm::Image image;
  image.SetNumberOfDimensions(2);
  image.SetDimension(0, static_cast<unsigned>(format.columns));
  image.SetDimension(1, static_cast<unsigned>(format.rows));
  image.SetPixelFormat(gdcm::PixelFormat(1, static_cast<unsigned short>(format.allocated),
                                         static_cast<unsigned short>(format.stored),
                                         static_cast<unsigned short>(format.high_bit), format.is_signed));
  image.SetPhotometricInterpretation(gdcm::PhotometricInterpretation::MONOCHROME2);
  image.SetTransferSyntax(syntax);
  return image;
}

gdcm::DataElement encapsulated(std::string_view codestream) {
  gdcm::Fragment fragment;
  fragment.SetByteValue(codestream.data(), static_cast<std::uint32_t>(codestream.size()));
  const gdcm::SmartPointer<gdcm::SequenceOfFragments> fragments = gdcm::SequenceOfFragments::New();
  fragments->AddFragment(fragment);
  gdcm::DataElement pixels(gdcm::Tag(0x7fe0, 0x0010), 0, gdcm::VR::OB);
  pixels.SetValue(*fragments);
  return pixels;
}

/// Through GDCM's decoder of exactly these bits; gdcm::Image would try others first and print that they failed.
/// @return fewer bytes if it fails
std::string decode_jpeg(const gdcm::DataElement& pixels, const PixelFormat& format, int bits) {
  gdcm::Image image = image_of(format, gdcm::TransferSyntax::JPEGLosslessProcess14_1);
  gdcm::JPEGCodec codec;
  codec.SetNumberOfDimensions(2);
  codec.SetDimensions(image.GetDimensions());
  codec.SetPhotometricInterpretation(image.GetPhotometricInterpretation());
  const auto width = static_cast<unsigned short>(bits);
  codec.SetPixelFormat(gdcm::PixelFormat(1, width, width, static_cast<unsigned short>(bits - 1), format.is_signed));
  gdcm::DataElement decoded;
  if (!codec.Decode(pixels, decoded) || decoded.GetByteValue() == nullptr) return {};
  const gdcm::ByteValue& bytes = *decoded.GetByteValue();
  std::string samples(bytes.GetPointer(), bytes.GetLength());
  if (bits > 8 || format.allocated == 8) return samples;
  std::string widened(2 * samples.size(), '\0');
  for (std::size_t i = 0; i < samples.size(); ++i) widened[2 * i] = samples[i];
  return widened;
}

std::string decode_image(const gdcm::DataElement& pixels, const PixelFormat& format,
                         gdcm::TransferSyntax::TSType syntax) {
  gdcm::Image image = image_of(format, syntax);
  image.SetDataElement(pixels);
  std::string samples(format.frame_bytes(), '\0');
  return image.GetBufferLength() == samples.size() && image.GetBuffer(samples.data()) ? samples : std::string();
}

}  // namespace

QuietGdcm::QuietGdcm() : warnings_(gdcm::Trace::GetWarningFlag()), errors_(gdcm::Trace::GetErrorFlag()) {
  gdcm::Trace::WarningOff();
  gdcm::Trace::ErrorOff();
}

QuietGdcm::~QuietGdcm() {
  gdcm::Trace::SetWarning(warnings_);
  gdcm::Trace::SetError(errors_);
}

std::string decode_frame(std::string_view codestream, const PixelFormat& format, const std::string& transfer_syntax,
                         const std::string& name) {
  if (transfer_syntax == transfer_syntax::kRle) return decode_rle(codestream, format, name);
  const int bits = check_codestream(codestream, format, name);
  const gdcm::TransferSyntax::TSType syntax = gdcm::TransferSyntax::GetTSType(transfer_syntax.c_str());
  const bool jpeg2000 = codestream.starts_with("\xFF\x4F");
  std::string samples;
  try {
    samples =
        gdcm::JPEGCodec().CanDecode(syntax)
            ? decode_jpeg(encapsulated(bare_jpeg(codestream, name)), format, bits)
            : decode_image(encapsulated(jpeg2000 ? std::string(codestream) : closed_jpeg(codestream)), format, syntax);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    reseda::detail::raise(Errc::kInput, name, ": is damaged: GDCM cannot decode a frame: ", error.what());
  }
  RESEDA_REQUIRE(samples.size() == format.frame_bytes(), Errc::kInput, name,
                 ": is damaged: GDCM cannot decode a frame");
  return samples;
}

std::string encode_frame(const std::string& samples, const PixelFormat& format, const std::string& transfer_syntax) {
  if (transfer_syntax == transfer_syntax::kRle) return encode_rle(samples, format);
  // The filter keeps a counted pointer to its input.
  const gdcm::SmartPointer<gdcm::Image> image =
      new gdcm::Image(image_of(format, gdcm::TransferSyntax::ExplicitVRLittleEndian));
  gdcm::DataElement pixels(gdcm::Tag(0x7fe0, 0x0010), 0, gdcm::VR::OW);
  pixels.SetByteValue(samples.data(), static_cast<std::uint32_t>(samples.size()));
  image->SetDataElement(pixels);
  gdcm::ImageChangeTransferSyntax change;
  change.SetTransferSyntax(gdcm::TransferSyntax::GetTSType(transfer_syntax.c_str()));
  change.SetInput(*image);
  const gdcm::SequenceOfFragments* fragments =
      change.Change() ? change.GetOutput().GetDataElement().GetSequenceOfFragments() : nullptr;
  RESEDA_REQUIRE(fragments != nullptr && fragments->GetNumberOfFragments() == 1, Errc::kOutput,
                 "GDCM cannot compress a frame to transfer syntax ", transfer_syntax);
  const gdcm::ByteValue* bytes = fragments->GetFragment(0).GetByteValue();
  return {bytes->GetPointer(), bytes->GetLength()};
}

}  // namespace reseda::io::detail
