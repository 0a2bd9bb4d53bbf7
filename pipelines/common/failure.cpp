#include "pipelines/common/failure.hpp"

#include <c10/util/Exception.h>

#include <filesystem>
#include <new>

#include "modules/core/log.hpp"
#include "pipelines/common/terminal.hpp"

namespace reseda::app {

Failure describe_exception(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) {
    return {e.code(), one_line(e.what())};
  } catch (const std::bad_alloc&) {
    return {Errc::kDevice, "out of memory"};
  } catch (const c10::Error& e) {
    log::debug(e.what());
    const std::string text = one_line(e.what_without_backtrace());
    const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&e) != nullptr ||
                        text.find("can't allocate memory") != std::string::npos;
    return {memory ? Errc::kDevice : Errc::kInternal, (memory ? "out of memory: " : "") + text};
  } catch (const std::filesystem::filesystem_error& e) {
    return {Errc::kInput, one_line(e.path1().string() + ": " + e.code().message())};
  } catch (const std::exception& e) {
    return {Errc::kInternal, one_line(e.what())};
  } catch (...) {
    return {Errc::kInternal, "an exception of unknown type"};
  }
}

}  // namespace reseda::app
