#pragma once

#include <filesystem>
#include <memory>

#include "pipelines/certify/image_data.hpp"

namespace reseda::certify {

/// Data sets whose files hold many images each; see open_image_data(). Each gives null where the folder has no such
/// files.
std::unique_ptr<ImageData> open_cifar_binary(const std::filesystem::path& folder, DataSplit split);
std::unique_ptr<ImageData> open_idx_images(const std::filesystem::path& folder, DataSplit split);
std::unique_ptr<ImageData> open_image_strip(const std::filesystem::path& folder, DataSplit split);
std::unique_ptr<ImageData> open_jpeg_archive(const std::filesystem::path& folder, DataSplit split);

}  // namespace reseda::certify
