#include "modules/nets/ncsnpp_config.hpp"

#include <algorithm>
#include <sstream>

#include "modules/core/error.hpp"

namespace reseda::nets {
namespace {

void require_only(const char* key, const std::string& value, const char* allowed) {
  RESEDA_REQUIRE(value == allowed, Errc::kUsage, "network.", key, " must be ", allowed, ", got '", value,
                 "': no released model uses another");
}

void require_true(const char* key, bool value) {
  RESEDA_REQUIRE(value, Errc::kUsage, "network.", key, " must be true: no released model uses false");
}

bool contains(const std::vector<std::int64_t>& values, std::int64_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

}  // namespace

void NcsnppConfig::validate() const {
  RESEDA_REQUIRE(levels() >= 1 && levels() <= 10, Errc::kUsage, "network.ch_mult must have 1 to 10 levels, got ",
                 levels());
  RESEDA_REQUIRE(nf >= 4 && nf <= 4096, Errc::kUsage, "network.nf must be 4 to 4096, got ", nf);
  for (const std::int64_t factor : ch_mult)
    RESEDA_REQUIRE(factor >= 1 && factor <= 64 && nf * factor <= 8192, Errc::kUsage,
                   "network.ch_mult must be positive and give at most 8192 channels, got ", factor);
  RESEDA_REQUIRE(num_res_blocks >= 1 && num_res_blocks <= 64, Errc::kUsage,
                 "network.num_res_blocks must be 1 to 64, got ", num_res_blocks);
  RESEDA_REQUIRE(image_size >= std::int64_t{1} << (levels() - 1) && image_size <= 1 << 20, Errc::kUsage,
                 "network.image_size must be at least ", std::int64_t{1} << (levels() - 1), " for ", levels(),
                 " levels, got ", image_size);
  RESEDA_REQUIRE(progressive == "output_skip" || progressive == "none", Errc::kUsage,
                 "network.progressive must be output_skip or none, got '", progressive, "'");
  RESEDA_REQUIRE(progressive_input == "input_skip" || progressive_input == "none", Errc::kUsage,
                 "network.progressive_input must be input_skip or none, got '", progressive_input, "'");
  RESEDA_REQUIRE(fourier_scale > 0, Errc::kUsage, "network.fourier_scale must be positive, got ", fourier_scale);
  RESEDA_REQUIRE(init_scale >= 0, Errc::kUsage, "network.init_scale must not be negative, got ", init_scale);
  require_only("nonlinearity", nonlinearity, "swish");
  require_only("resblock_type", resblock_type, "biggan");
  require_only("embedding_type", embedding_type, "fourier");
  require_only("progressive_combine", progressive_combine, "sum");
  require_true("conditional", conditional);
  require_true("fir", fir);
  require_true("skip_rescale", skip_rescale);
  RESEDA_REQUIRE(fir_kernel == (std::vector<std::int64_t>{1, 3, 3, 1}), Errc::kUsage,
                 "network.fir_kernel must be [1, 3, 3, 1]: no released model uses another");
  RESEDA_REQUIRE(dropout == 0, Errc::kUsage, "network.dropout must be 0, got ", dropout);
}

bool NcsnppConfig::attends(std::size_t level) const { return contains(attn_resolutions, image_size >> level); }

bool NcsnppConfig::fits_height(std::int64_t height) const {
  for (std::size_t level = 0; level < levels(); ++level)
    if (contains(attn_resolutions, height >> level) != attends(level)) return false;
  return true;
}

}  // namespace reseda::nets
