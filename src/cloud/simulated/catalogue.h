// The instance types of a region with on-demand list prices, from the catalogue that is compiled
// in. Spot prices are simulated: a fixed share of the on-demand price a type and zone.
#pragma once

#include "cloud/cloud.h"

namespace keelway::cloud {

// Zones are REGIONa, REGIONb, REGIONc. Prices are those of us-east-1 whatever the region.
CataloguePtr make_catalogue(std::string_view region);

}  // namespace keelway::cloud
