#include "io/volume/derived_attributes.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "io/volume/dicom_tags.hpp"

namespace reseda::io::detail {
namespace {

constexpr DicomVr kCs{'C', 'S'}, kDa{'D', 'A'}, kIs{'I', 'S'}, kLo{'L', 'O'}, kSh{'S', 'H'}, kSt{'S', 'T'},
    kTm{'T', 'M'}, kUi{'U', 'I'};
constexpr std::size_t kMaxLo = 64, kMaxSh = 16, kMaxSt = 1024;

/// Of enhanced MR: the pulse sequence (PS3.3 section C.8.13.4) and its like, which only ORIGINAL images may have.
constexpr std::array<DicomTag, 18> kOfOriginalsAlone = {
    0x00180023, 0x00189005, 0x00189008, 0x00189012, 0x00189014, 0x00189015, 0x00189017, 0x00189018, 0x00189024,
    0x00189025, 0x00189029, 0x00189032, 0x00189033, 0x00189034, 0x00189093, 0x00189094, 0x00189172, 0x00189250};

std::string joined(const std::vector<std::string>& values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) out += (i > 0 ? "\\" : "") + values[i];
  return out;
}

DicomDataset code_item(const DicomCode& code) {
  DicomDataset item;
  item.set(tags::kCodeValue, kSh, code.value.substr(0, kMaxSh));
  item.set(tags::kCodingSchemeDesignator, kSh, code.scheme.substr(0, kMaxSh));
  item.set(tags::kCodeMeaning, kLo, code.meaning.substr(0, kMaxLo));
  return item;
}

/// Removes elements here and in sequences.
template <class Condition>
void remove_everywhere(DicomDataset& dataset, const Condition& condition) {
  std::erase_if(dataset.elements(), [&](const DicomElement& element) { return condition(element.tag); });
  for (DicomElement& element : dataset.elements())
    for (DicomDataset& item : element.items) remove_everywhere(item, condition);
}

/// What no longer holds, or holds pixels of the source.
void remove_outdated(DicomDataset& dataset, bool keep_private) {
  for (const DicomTag tag :
       {tags::kInstanceCreatorUid, tags::kSmallestPixelValueInSeries, tags::kLargestPixelValueInSeries,
        // Icon, pixel data elsewhere, table of offsets and lengths, check sums, concatenations.
        0x00880200U, 0x00287FE0U, 0x7FE00001U, 0x7FE00002U, 0x7FE00003U, 0x4FFE0001U, 0x00209161U, 0x00209162U,
        0x00209163U, 0x00209167U, 0x00200242U, 0x00209228U})
    dataset.erase(tag);
  std::vector<DicomTag> embedded;  // overlays in unused bits of the pixels
  for (const DicomElement& element : dataset.elements())
    if (element.tag >> 24 == 0x60 && (element.tag & 0xFFFF) == 0x0102 && dataset.number(element.tag).value_or(0) != 0) {
      embedded.push_back(element.tag >> 16);
    }
  std::erase_if(dataset.elements(), [&](const DicomElement& element) {
    const DicomTag group = element.tag >> 16;
    return group >> 8 == 0x50 || std::find(embedded.begin(), embedded.end(), group) != embedded.end();
  });
  if (!keep_private) remove_everywhere(dataset, [](DicomTag tag) { return (tag >> 16) % 2 == 1; });
}

void set_identity(DicomDataset& dataset, const Derivation& derivation, const DerivedInstance& instance) {
  dataset.set(tags::kSopInstanceUid, kUi, instance.sop_instance_uid);
  dataset.set(tags::kSeriesInstanceUid, kUi, instance.series_uid);
  const auto number = static_cast<long>(dataset.number(tags::kSeriesNumber).value_or(0));
  dataset.set(tags::kSeriesNumber, kIs, std::to_string(number + derivation.series_number_offset));
  const std::string before = dataset.text(tags::kSeriesDescription);
  const std::string suffix = (before.empty() ? "" : " ") + derivation.series_suffix;
  // Cut between characters, also where they have several bytes.
  std::size_t kept = std::min(before.size(), kMaxLo - std::min(suffix.size(), kMaxLo));
  while (kept < before.size() && kept > 0 && (before[kept] & 0xC0) == 0x80) --kept;
  dataset.set(tags::kSeriesDescription, kLo, (before.substr(0, kept) + suffix).substr(0, kMaxLo));
  for (const DicomTag tag :
       {tags::kInstanceCreationDate, tags::kInstanceCreationTime, tags::kSeriesDate, tags::kSeriesTime}) {
    const bool date = tag == tags::kInstanceCreationDate || tag == tags::kSeriesDate;
    if (derivation.date_time.empty()) {
      // Of PET images a series without a date is invalid; the source's is the better lie.
      if (tag == tags::kInstanceCreationDate || tag == tags::kInstanceCreationTime) dataset.erase(tag);
    } else {
      dataset.set(tag, date ? kDa : kTm, date ? derivation.date_time.substr(0, 8) : derivation.date_time.substr(8, 6));
    }
  }
  if (derivation.date_time.empty()) return;
  dataset.set(tags::kContentDate, kDa, derivation.date_time.substr(0, 8));
  dataset.set(tags::kContentTime, kTm, derivation.date_time.substr(8, 6));
}

/// Whether the second value of ImageType must stay PRIMARY (PS3.3 sections C.8.9.4, C.8.13.3, C.8.15.2).
bool is_always_primary(const DicomDataset& dataset) {
  return dataset.text(tags::kModality) == "PT" || dataset.has(tags::kPerFrameFunctionalGroupsSequence);
}

/// DERIVED\SECONDARY\...\RESTORED, or DERIVED\PRIMARY\...\RESTORED of objects that allow nothing else.
std::string derived_type(std::vector<std::string> type, bool always_primary, const std::string& fourth) {
  while (type.size() < 3) type.emplace_back("OTHER");
  type.resize(std::max<std::size_t>(type.size(), 4));
  type[0] = "DERIVED";
  type[1] = always_primary ? "PRIMARY" : "SECONDARY";
  type[3] = fourth.substr(0, kMaxSh);
  return joined(type);
}

/// What a derived image was made of and how.
struct Origin {
  std::string study_uid, series_uid, sop_class_uid, sop_instance_uid;
  std::string description;
};

/// The description, and what the source said about how it came to be, as far as that fits.
Origin origin_of(const DicomDataset& source, const Derivation& derivation) {
  std::string text = derivation.description + "; reseda " + derivation.software_version + ", research use only";
  const std::string before = source.text(tags::kDerivationDescription);
  if (!before.empty() && text.size() + before.size() + 10 <= kMaxSt) text += "; before: " + before;
  return {source.text(tags::kStudyInstanceUid), source.text(tags::kSeriesInstanceUid), source.text(tags::kSopClassUid),
          source.text(tags::kSopInstanceUid), text.substr(0, kMaxSt)};
}

DicomDataset source_reference(const Origin& origin) {
  DicomDataset item;
  item.set(tags::kReferencedSopClassUid, kUi, origin.sop_class_uid);
  item.set(tags::kReferencedSopInstanceUid, kUi, origin.sop_instance_uid);
  return item;
}

/// DerivationDescription, DerivationCodeSequence and SourceImageSequence. @param frames  of the source; empty: all
void set_origin(DicomDataset& dataset, const Origin& origin, const DicomCode& code, const std::string& frames) {
  DicomDataset item = source_reference(origin);
  if (!frames.empty()) item.set(tags::kReferencedFrameNumber, kIs, frames);
  item.set_sequence(tags::kPurposeOfReferenceCodeSequence,
                    {code_item({"121322", "DCM", "Source image for image processing operation"})});
  dataset.set(tags::kDerivationDescription, kSt, origin.description);
  dataset.set_sequence(tags::kDerivationCodeSequence, {code_item(code)});
  dataset.set_sequence(tags::kSourceImageSequence, {std::move(item)});
}

void add_equipment(DicomDataset& dataset, const Derivation& derivation) {
  DicomDataset equipment;
  equipment.set(tags::kManufacturer, kLo, "reseda");
  equipment.set(tags::kManufacturerModelName, kLo, "reseda");
  equipment.set(tags::kSoftwareVersions, kLo, derivation.software_version.substr(0, kMaxLo));
  equipment.set_sequence(tags::kPurposeOfReferenceCodeSequence, {code_item({"109102", "DCM", "Processing Equipment"})});
  std::vector<DicomDataset> all;
  if (const DicomElement* before = dataset.find(tags::kContributingEquipmentSequence)) all = before->items;
  all.push_back(std::move(equipment));
  dataset.set_sequence(tags::kContributingEquipmentSequence, std::move(all));
}

/// Study, series and instance of the source, which enhanced objects list once for all frames.
void set_evidence(DicomDataset& dataset, const Origin& origin) {
  DicomDataset series, study;
  series.set(tags::kSeriesInstanceUid, kUi, origin.series_uid);
  series.set_sequence(tags::kReferencedSopSequence, {source_reference(origin)});
  study.set(tags::kStudyInstanceUid, kUi, origin.study_uid);
  study.set_sequence(tags::kReferencedSeriesSequence, {std::move(series)});
  dataset.set_sequence(tags::kSourceImageEvidenceSequence, {std::move(study)});
}

/// Functional groups: the kept frames alone, their types DERIVED, and from which frame each was derived.
void set_frames(DicomDataset& dataset, const Origin& origin, const Derivation& derivation,
                const DerivedInstance& instance) {
  if (dataset.text(tags::kModality) == "MR") {
    for (const DicomTag tag : kOfOriginalsAlone) dataset.erase(tag);
  }
  set_evidence(dataset, origin);
  dataset.set(tags::kNumberOfFrames, kIs, std::to_string(instance.frames.size()));
  const std::vector<DicomDataset>& before = dataset.find(tags::kPerFrameFunctionalGroupsSequence)->items;
  std::vector<DicomDataset> kept;
  for (const std::int64_t frame : instance.frames) {
    DicomDataset item;
    set_origin(item, origin, derivation.code, std::to_string(frame + 1));
    kept.push_back(before[static_cast<std::size_t>(frame)]);
    kept.back().set_sequence(tags::kDerivationImageSequence, {std::move(item)});
  }
  dataset.set_sequence(tags::kPerFrameFunctionalGroupsSequence, std::move(kept));
  const auto derive_types = [&](DicomDataset& groups) {
    for (DicomElement& group : groups.elements())
      for (DicomDataset& item : group.items)
        if (item.has(tags::kFrameType))
          item.set(tags::kFrameType, kCs, derived_type(item.texts(tags::kFrameType), true, derivation.image_type));
  };
  for (DicomDataset& groups : dataset.find(tags::kPerFrameFunctionalGroupsSequence)->items) derive_types(groups);
  DicomElement* shared = dataset.find(tags::kSharedFunctionalGroupsSequence);
  if (shared == nullptr) return;
  for (DicomDataset& groups : shared->items) {
    groups.erase(tags::kDerivationImageSequence);
    derive_types(groups);
  }
}

void set_pixel_facts(DicomDataset& dataset, bool lossy, const DerivedInstance& instance) {
  const auto put = [&](DicomTag tag, std::int32_t value) {
    const DicomElement* before = dataset.find(tag);
    if (before != nullptr) dataset.set(tag, before->vr, dicom_u16(static_cast<std::uint16_t>(value)));
  };
  put(tags::kSmallestImagePixelValue, instance.smallest);
  put(tags::kLargestImagePixelValue, instance.largest);
  // Once lossy, always lossy, also in files that forgot to say so (PS3.3 section C.7.6.1.1.5).
  if (lossy && !dataset.has(tags::kLossyImageCompression)) dataset.set(tags::kLossyImageCompression, kCs, "01");
}

}  // namespace

DicomDataset derive_attributes(DicomDataset dataset, bool lossy, const Derivation& derivation,
                               const DerivedInstance& instance) {
  const Origin origin = origin_of(dataset, derivation);
  remove_outdated(dataset, derivation.keep_private);
  set_identity(dataset, derivation, instance);
  set_pixel_facts(dataset, lossy, instance);
  dataset.set(tags::kImageType, kCs,
              derived_type(dataset.texts(tags::kImageType), is_always_primary(dataset), derivation.image_type));
  if (dataset.has(tags::kPerFrameFunctionalGroupsSequence)) {
    set_frames(dataset, origin, derivation, instance);
  } else {
    set_origin(dataset, origin, derivation.code, "");
  }
  add_equipment(dataset, derivation);
  return dataset;
}

}  // namespace reseda::io::detail
