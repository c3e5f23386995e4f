// The ConfigMap kube-root-ca.crt of each namespace: how pods know the API server.
#pragma once

#include <memory>
#include <string>

#include "reconcile/loop.h"

namespace keelway::controllers {

std::unique_ptr<reconcile::KeyedLoop> make_root_ca_loop(std::string ca_pem);

}  // namespace keelway::controllers
