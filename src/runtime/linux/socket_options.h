// What every TCP socket of ours is set to.
#pragma once

#include "base/time.h"

namespace keelway::runtime {

// A peer whose machine is gone without a word, or the way to it, is given up after about so long:
// whether we wait for something from it or it has not acknowledged what was sent. The kernel's
// defaults are two hours and a quarter of one, for which watches of the dead would be kept.
inline constexpr base::Duration peer_lost_after = std::chrono::seconds(120);

// Small writes leave at once; a peer that is gone is noticed.
void set_up_tcp(int fd);

}  // namespace keelway::runtime
