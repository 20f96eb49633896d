// The operating system's clocks.
#pragma once

#include "siptls/clock.hpp"

namespace siptls::os {

class SystemClock final : public Clock {
 public:
  Now now() const noexcept override;
};

}  // namespace siptls::os
