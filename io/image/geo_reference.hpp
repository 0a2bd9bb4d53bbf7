#pragma once

#include "io/image/image_metadata.hpp"

namespace reseda::io {

/// Adapts what metadata say about the size of a pixel to an image resampled so that `factor` pixels stand where one
/// was, the corners of the image staying in place: resolution, EXIF's width and height, and GeoTIFF's pixel scale, tie
/// points and transformation. A raster coordinate r becomes factor r, or factor (r + 1/2) - 1/2 where coordinates mean
/// centres of pixels (GTRasterTypeGeoKey PixelIsPoint).
/// @param factor  > 0, e.g. 4 for super-resolution x4
/// Source: OGC GeoTIFF Standard 1.1, 2019, Secs. 7.1.1, B.6.
void scale_geometry(ImageMetadata& metadata, double factor);

}  // namespace reseda::io
