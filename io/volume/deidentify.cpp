#include "io/volume/deidentify.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>
#include <vector>

#include "io/volume/dicom_tags.hpp"
#include "io/volume/dicom_uid.hpp"

namespace reseda::io::detail {
namespace {

enum class Action { kKeep, kRemove, kEmpty, kDummy, kReplaceUid };

struct Rule {
  DicomTag first, last;
  Action action;
};

// The first rule that holds an element decides; then its value representation (see action_of).
constexpr std::array kRules = {
    Rule{0x00080020, 0x00080020, Action::kEmpty},   // StudyDate
    Rule{0x00080030, 0x00080030, Action::kEmpty},   // StudyTime
    Rule{0x00080021, 0x00080023, Action::kDummy},   // SeriesDate, AcquisitionDate, ContentDate
    Rule{0x00080031, 0x00080033, Action::kDummy},   // SeriesTime, AcquisitionTime, ContentTime
    Rule{0x00080050, 0x00080050, Action::kEmpty},   // AccessionNumber
    Rule{0x00080054, 0x00080055, Action::kRemove},  // application entities
    Rule{0x00080080, 0x00080082, Action::kRemove},  // institution
    Rule{0x00080090, 0x00080090, Action::kEmpty},   // ReferringPhysicianName
    Rule{0x00080092, 0x0008009D, Action::kRemove},  // physicians
    Rule{0x00080201, 0x00080201, Action::kRemove},  // TimezoneOffsetFromUTC
    Rule{0x00081000, 0x0008103E, Action::kRemove},  // station, study and series descriptions
    Rule{0x00081040, 0x00081088, Action::kRemove},  // department, physicians, operators, diagnoses
    Rule{0x00081110, 0x00081120, Action::kRemove},  // referenced study, step and patient
    Rule{0x00082111, 0x00082111, Action::kRemove},  // DerivationDescription
    Rule{0x00084000, 0x00084000, Action::kRemove},
    Rule{0x00100010, 0x00100010, Action::kEmpty},  // PatientName
    Rule{0x00100020, 0x00100020, Action::kEmpty},  // PatientID
    Rule{0x00100030, 0x00100030, Action::kEmpty},  // PatientBirthDate
    Rule{0x00100040, 0x00100040, Action::kEmpty},  // PatientSex
    Rule{0x00100000, 0x0010FFFF, Action::kRemove},
    Rule{0x00120000, 0x0012FFFF, Action::kRemove},  // clinical trial
    Rule{0x00160000, 0x0016FFFF, Action::kRemove},  // cameras and places
    Rule{0x00180010, 0x00180010, Action::kEmpty},   // ContrastBolusAgent
    Rule{0x00181000, 0x00181000, Action::kRemove},  // DeviceSerialNumber
    Rule{0x00181004, 0x0018100A, Action::kRemove},  // plate, generator, cassette, gantry, device identifiers
    Rule{0x00181030, 0x00181030, Action::kRemove},  // ProtocolName
    Rule{0x00181400, 0x00181400, Action::kRemove},  // AcquisitionDeviceProcessingDescription
    Rule{0x00184000, 0x00184000, Action::kRemove},
    Rule{0x00185011, 0x00185011, Action::kRemove},  // TransducerIdentificationSequence
    Rule{0x0018700A, 0x0018700A, Action::kRemove},  // DetectorID
    Rule{0x00189074, 0x00189074, Action::kDummy},   // FrameAcquisitionDateTime
    Rule{0x00189151, 0x00189151, Action::kDummy},   // FrameReferenceDateTime
    Rule{0x00189185, 0x00189185, Action::kRemove},
    Rule{0x00189367, 0x00189373, Action::kRemove},  // source and detector identifiers
    Rule{0x0018937B, 0x0018937F, Action::kRemove},
    Rule{0x00189424, 0x00189424, Action::kRemove},  // AcquisitionProtocolDescription
    Rule{0x00189937, 0x00189937, Action::kRemove},  // RequestedSeriesDescription
    Rule{0x0018A003, 0x0018A003, Action::kRemove},  // ContributionDescription
    Rule{0x00200010, 0x00200010, Action::kEmpty},   // StudyID
    Rule{0x00200027, 0x00200027, Action::kRemove},
    Rule{0x00203401, 0x00203406, Action::kRemove},  // modified images
    Rule{0x00204000, 0x00204000, Action::kRemove},  // ImageComments
    Rule{0x00209158, 0x00209158, Action::kRemove},  // FrameComments
    Rule{0x00284000, 0x00284000, Action::kRemove},
    Rule{0x00320000, 0x0032FFFF, Action::kRemove},  // requests
    Rule{0x00380000, 0x0038FFFF, Action::kRemove},  // visits
    Rule{0x00400555, 0x00400555, Action::kEmpty},   // AcquisitionContextSequence
    Rule{0x00400260, 0x00400260, Action::kKeep},    // PerformedProtocolCodeSequence
    Rule{0x00400001, 0x00400FFF, Action::kRemove},  // procedure steps, specimens
    Rule{0x00401001, 0x00404FFF, Action::kRemove},  // procedures, people
    Rule{0x0040A001, 0x0040A042, Action::kRemove},  // observers, dates
    Rule{0x0050001B, 0x00500021, Action::kRemove},  // device descriptions
    Rule{0x00700001, 0x00700001, Action::kRemove},
    Rule{0x00700084, 0x00700086, Action::kRemove},
    Rule{0x00720000, 0x0088FFFF, Action::kRemove},  // displays, worklists, media, icons, topics
    Rule{0x04000000, 0x0400FFFF, Action::kRemove},  // signatures, earlier attributes
    Rule{0x20300000, 0x2200FFFF, Action::kRemove},  // prints, labels
    Rule{0x40000000, 0x4010FFFF, Action::kRemove},  // texts, reports
    Rule{0x50000000, 0x50FFFFFF, Action::kRemove},  // curves
    Rule{0x60000000, 0x60FFFFFF, Action::kRemove},  // overlays
};

Action action_of(const DicomElement& element) {
  if ((element.tag >> 16) % 2 == 1) return Action::kRemove;
  for (const Rule& rule : kRules)
    if (element.tag >= rule.first && element.tag <= rule.last) return rule.action;
  if (element.vr == DicomVr{'U', 'I'}) return Action::kReplaceUid;
  for (const DicomVr vr :
       {DicomVr{'P', 'N'}, DicomVr{'D', 'A'}, DicomVr{'D', 'T'}, DicomVr{'T', 'M'}, DicomVr{'U', 'N'}})
    if (element.vr == vr) return Action::kRemove;
  return Action::kKeep;
}

std::string dummy_of(DicomVr vr) {
  if (vr == DicomVr{'T', 'M'}) return "000000";
  return vr == DicomVr{'D', 'T'} ? "19000101000000" : "19000101";
}

/// Replaces UIDs that DICOM itself did not register. @return whether there are any
bool replace_uids(DicomDataset& dataset, DicomTag tag, const std::string& key) {
  std::string replaced;
  bool any = false;
  for (const std::string& uid : dataset.texts(tag)) {
    const bool own = uid.starts_with("1.2.840.10008.");
    any = any || !own;
    replaced += (replaced.empty() ? "" : "\\") + (own ? uid : dicom_uid(key + "|" + uid));
  }
  if (any) dataset.set(tag, {'U', 'I'}, replaced);
  return any;
}

}  // namespace

std::string shown_attribute(DicomTag tag) {
  std::array<char, 16> number{};
  std::snprintf(number.data(), number.size(), "(%04X,%04X)", tag >> 16, tag & 0xFFFF);
  const std::string keyword = dictionary_keyword(tag);
  return keyword + (keyword.empty() ? "" : " ") + number.data();
}

void deidentify(DicomDataset& dataset, const std::string& key, DeidentificationReport& report) {
  std::vector<DicomTag> removed;
  for (DicomElement& element : dataset.elements()) {
    const Action action = action_of(element);
    const auto note = [&](const char* what) { ++report[shown_attribute(element.tag) + " " + what]; };
    const bool empty = element.value.empty() && element.items.empty();
    switch (action) {
      case Action::kKeep:
        for (DicomDataset& item : element.items) deidentify(item, key, report);
        break;
      case Action::kRemove:
        removed.push_back(element.tag);
        note("removed");
        break;
      case Action::kEmpty:
        if (!empty) note("emptied");
        element.value.clear();
        element.items.clear();
        break;
      case Action::kDummy:
        if (empty) break;
        note("replaced");
        element.value = dummy_of(element.vr);
        break;
      case Action::kReplaceUid:
        if (replace_uids(dataset, element.tag, key)) note("replaced");
        break;
    }
  }
  std::erase_if(dataset.elements(), [&](const DicomElement& element) {
    return std::find(removed.begin(), removed.end(), element.tag) != removed.end();
  });
}

void mark_deidentified(DicomDataset& dataset) {
  dataset.set(tags::kPatientIdentityRemoved, {'C', 'S'}, "YES");
  dataset.set(tags::kDeidentificationMethod, {'L', 'O'}, "reseda: rules after the basic profile of DICOM PS3.15");
  dataset.set(tags::kLongitudinalTemporalInformationModified, {'C', 'S'}, "REMOVED");
}

}  // namespace reseda::io::detail
