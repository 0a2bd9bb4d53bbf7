#pragma once

#include "io/volume/dicom_dataset.hpp"

/// Attributes by the keywords of PS3.6.
namespace reseda::io::detail::tags {

inline constexpr DicomTag kTransferSyntaxUid = 0x00020010;
inline constexpr DicomTag kImageType = 0x00080008, kSopClassUid = 0x00080016, kSopInstanceUid = 0x00080018;
inline constexpr DicomTag kInstanceCreationDate = 0x00080012, kInstanceCreationTime = 0x00080013,
                          kInstanceCreatorUid = 0x00080014, kSeriesDate = 0x00080021, kContentDate = 0x00080023,
                          kSeriesTime = 0x00080031, kContentTime = 0x00080033;
inline constexpr DicomTag kModality = 0x00080060, kManufacturer = 0x00080070, kSeriesDescription = 0x0008103E,
                          kManufacturerModelName = 0x00081090;
inline constexpr DicomTag kCodeValue = 0x00080100, kCodingSchemeDesignator = 0x00080102, kCodeMeaning = 0x00080104;
inline constexpr DicomTag kReferencedSopClassUid = 0x00081150, kReferencedSopInstanceUid = 0x00081155,
                          kReferencedFrameNumber = 0x00081160, kReferencedSeriesSequence = 0x00081115,
                          kReferencedSopSequence = 0x00081199, kSourceImageEvidenceSequence = 0x00089154;
inline constexpr DicomTag kDerivationDescription = 0x00082111, kSourceImageSequence = 0x00082112,
                          kDerivationImageSequence = 0x00089124, kDerivationCodeSequence = 0x00089215;
inline constexpr DicomTag kPatientName = 0x00100010, kPatientId = 0x00100020;
inline constexpr DicomTag kPatientIdentityRemoved = 0x00120062, kDeidentificationMethod = 0x00120063;
inline constexpr DicomTag kSoftwareVersions = 0x00181020, kContributingEquipmentSequence = 0x0018A001;
inline constexpr DicomTag kFrameType = 0x00089007;
inline constexpr DicomTag kSliceThickness = 0x00180050, kEchoTime = 0x00180081, kSpacingBetweenSlices = 0x00180088;
inline constexpr DicomTag kTriggerTime = 0x00181060, kImagerPixelSpacing = 0x00181164;
inline constexpr DicomTag kEffectiveEchoTime = 0x00189082, kDiffusionBValue = 0x00189087;
inline constexpr DicomTag kMrEchoSequence = 0x00189114, kMrDiffusionSequence = 0x00189117;
inline constexpr DicomTag kMrImageFrameTypeSequence = 0x00189226, kCtImageFrameTypeSequence = 0x00189329,
                          kPetImageFrameTypeSequence = 0x00189751;
inline constexpr DicomTag kStudyInstanceUid = 0x0020000D, kSeriesInstanceUid = 0x0020000E, kSeriesNumber = 0x00200011,
                          kAcquisitionNumber = 0x00200012, kInstanceNumber = 0x00200013;
inline constexpr DicomTag kImagesInAcquisition = 0x00201002, kSliceLocation = 0x00201041;
inline constexpr DicomTag kImagePositionPatient = 0x00200032, kImageOrientationPatient = 0x00200037;
inline constexpr DicomTag kTemporalPositionIdentifier = 0x00200100, kTemporalPositionIndex = 0x00209128;
inline constexpr DicomTag kStackId = 0x00209056;
inline constexpr DicomTag kFrameContentSequence = 0x00209111, kPlanePositionSequence = 0x00209113,
                          kPlaneOrientationSequence = 0x00209116;
inline constexpr DicomTag kSamplesPerPixel = 0x00280002, kPhotometricInterpretation = 0x00280004,
                          kNumberOfFrames = 0x00280008, kRows = 0x00280010, kColumns = 0x00280011,
                          kPixelSpacing = 0x00280030;
inline constexpr DicomTag kBitsAllocated = 0x00280100, kBitsStored = 0x00280101, kHighBit = 0x00280102,
                          kPixelRepresentation = 0x00280103;
inline constexpr DicomTag kPixelPaddingValue = 0x00280120, kPixelPaddingRangeLimit = 0x00280121;
inline constexpr DicomTag kSmallestImagePixelValue = 0x00280106, kLargestImagePixelValue = 0x00280107,
                          kSmallestPixelValueInSeries = 0x00280108, kLargestPixelValueInSeries = 0x00280109;
inline constexpr DicomTag kBurnedInAnnotation = 0x00280301, kLongitudinalTemporalInformationModified = 0x00280303;
inline constexpr DicomTag kLossyImageCompression = 0x00282110, kPurposeOfReferenceCodeSequence = 0x0040A170;
inline constexpr DicomTag kRescaleIntercept = 0x00281052, kRescaleSlope = 0x00281053, kRescaleType = 0x00281054;
inline constexpr DicomTag kModalityLutSequence = 0x00283000;
inline constexpr DicomTag kWindowCenter = 0x00281050, kWindowWidth = 0x00281051, kWindowExplanation = 0x00281055,
                          kVoiLutFunction = 0x00281056, kVoiLutSequence = 0x00283010, kFrameVoiLutSequence = 0x00289132,
                          kRealWorldValueMappingSequence = 0x00409096, kPresentationLutShape = 0x20500020;
inline constexpr DicomTag kPixelMeasuresSequence = 0x00289110, kPixelValueTransformationSequence = 0x00289145;
inline constexpr DicomTag kNumberOfSlices = 0x00540081, kUnits = 0x00541001, kImageIndex = 0x00541330;
inline constexpr DicomTag kSharedFunctionalGroupsSequence = 0x52009229, kPerFrameFunctionalGroupsSequence = 0x52009230;
inline constexpr DicomTag kPixelData = 0x7FE00010;
inline constexpr DicomTag kItem = 0xFFFEE000, kItemDelimitation = 0xFFFEE00D, kSequenceDelimitation = 0xFFFEE0DD;

}  // namespace reseda::io::detail::tags
