#pragma once

// Everything about audio files; each part has its own header.
#include "io/audio/audio_format.hpp"
#include "io/audio/audio_reader.hpp"
#include "io/audio/audio_writer.hpp"
