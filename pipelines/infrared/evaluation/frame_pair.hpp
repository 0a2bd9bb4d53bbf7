#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

#include "io/image/image.hpp"

namespace reseda::infrared {

/// Files that are compared. Without `problem` all that were asked for exist.
struct FramePair {
  std::string name;                                  ///< the reference's path below its folder, without extension
  std::filesystem::path reference, restored, input;  ///< input empty: none was asked for
  std::filesystem::path uncertainty = {};            ///< empty: none was asked for
  std::string problem;                               ///< why it cannot be compared
};

/// Where files are looked for. Without an input or without maps of uncertainty the folder is empty.
struct FrameFolders {
  std::filesystem::path reference, restored, input = {}, uncertainty = {};
};

/// Files that belong together: of the same path below their folders without extension, or with "x4" after it. Maps of
/// uncertainty end in ".uncertainty.tif" after the name with or without extension, and may lie among restored files.
/// A reference without one of what was asked for, or with two, is a pair with a problem.
/// @param extra  set to the restored files that no reference belongs to
/// @return sorted by name
/// @throws Error{kInput} if a folder is missing or holds no image, or two references have one name
std::vector<FramePair> match_frames(const FrameFolders& folders, std::vector<std::string>& extra);

/// A thermal frame in the units of its file.
struct GreyFrame {
  at::Tensor pixels;  ///< [H,W] float32
  int bits = 8;
  io::SampleType type = io::SampleType::kUnsigned;
  bool is_8bit() const { return bits == 8 && type == io::SampleType::kUnsigned; }
};

/// Reads one channel, three equal ones, or colours as 0.299 R + 0.587 G + 0.114 B, rounded to whole numbers where the
/// file's are; alpha is passed over. @throws Error{kInput} if it is not readable or has another number of bands
GreyFrame read_grey(const std::filesystem::path& file);

/// The frames of a pair: of one size and depth.
struct FrameTriple {
  GreyFrame reference, restored, input;  ///< input: enlarged to the reference's size; undefined pixels without
  at::Tensor uncertainty = {};           ///< [H,W] float32; undefined without
};

/// Reads the frames. A smaller input is enlarged by Pillow's bicubic as a file of its depth would hold it: 8 bits in
/// Pillow's fixed point, others in float, rounded and clipped to their range.
/// @throws Error{kInput} naming the file: unreadable; a restored frame of another size or depth than the reference; an
///         input of another depth, larger, or of other proportions; a map of uncertainty of another size
FrameTriple read_triple(const FramePair& pair);

}  // namespace reseda::infrared
