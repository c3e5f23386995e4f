// A cloud in bad weather: offerings without capacity, throttled calls, launches that nobody hears
// of.
#pragma once

#include <memory>

#include "cloud/cloud.h"
#include "runtime/runtime.h"
#include "sim/weather.h"

namespace keelway::sim {

std::unique_ptr<cloud::Cloud> make_faulty_cloud(std::unique_ptr<cloud::Cloud> inner,
                                                runtime::Executor& executor,
                                                const Weather& weather);

}  // namespace keelway::sim
