#pragma once

#include <map>
#include <string>

#include "io/volume/dicom_dataset.hpp"

namespace reseda::io::detail {

/// What was done to which attribute, and how often: "PatientName (0010,0010) emptied" -> 3.
using DeidentificationReport = std::map<std::string, int>;

/// Takes what identifies a person out of a data set and its sequences, by rules made after the basic profile of DICOM
/// PS3.15 table E.1-1 for image objects:
///   private elements, overlays, curves, icons, person names, device serial numbers, institutions, free texts: removed
///   patient name, ID, birth date and sex, accession number, study ID, referring physician: emptied
///   dates and times: removed, emptied, or 1900-01-01 where the object needs one
///   UIDs other than DICOM's own: replaced by dicom_uid(key | UID), so that references still agree
/// It does not look at pixels: burned-in names and faces stay. It is a subset and does not claim conformance.
/// @param key  a secret; the same key gives the same UIDs
void deidentify(DicomDataset& dataset, const std::string& key, DeidentificationReport& report);

/// Says in the data set that this was done (PatientIdentityRemoved and how).
void mark_deidentified(DicomDataset& dataset);

/// "PatientName (0010,0010)"; private elements without a name.
std::string shown_attribute(DicomTag tag);

}  // namespace reseda::io::detail
