#include "io/record/sha256.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "io/record/file_bytes.hpp"

namespace reseda::io {
namespace {

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    RESEDA_INVARIANT(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(const void* bytes, std::size_t size) {
    RESEDA_INVARIANT(EVP_DigestUpdate(context_.get(), bytes, size) == 1);
  }
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
    unsigned int size = 0;
    RESEDA_INVARIANT(EVP_DigestFinal_ex(context_.get(), raw.data(), &size) == 1);
    std::string out;
    for (unsigned int i = 0; i < size; ++i) out.append(1, kHex[raw[i] >> 4]).append(1, kHex[raw[i] & 15]);
    return out;
  }

 private:
  static constexpr char kHex[] = "0123456789abcdef";
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256(std::string_view bytes) {
  Digest digest;
  digest.add(bytes.data(), bytes.size());
  return digest.hex();
}

std::string sha256_file(const std::filesystem::path& file, Errc code) {
  const Descriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  RESEDA_REQUIRE(in.valid(), code, file.string(), ": cannot read: ", std::strerror(errno));
  Digest digest;
  std::vector<char> buffer(1U << 18);
  while (true) {
    const ssize_t got = ::read(in.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    RESEDA_REQUIRE(got >= 0, code, file.string(), ": cannot read: ", std::strerror(errno));
    if (got == 0) return digest.hex();
    digest.add(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace reseda::io
