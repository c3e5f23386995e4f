// The provisioner's loops. The catalogue outlives none of them; it is shared and immutable. The two
// that buy share their purchases.
#pragma once

#include <memory>

#include "cloud/cloud.h"
#include "provisioner/purchases.h"
#include "reconcile/loop.h"

namespace keelway::provisioner {

// Waiting pods to NodeClaims.
std::unique_ptr<reconcile::BatchLoop> make_provisioning_loop(
    cloud::CataloguePtr catalogue, PurchasesPtr purchases = std::make_shared<Purchases>());

// The life of a NodeClaim: launch, registration, initialization, termination. Effects, with the
// claim's uid as token: "launch" {claim, instanceType, zone, capacityType, priceMicroUsd},
// "terminate", "inspect" {node, uid, finalizers}: the Node goes if its machine has gone; and
// without a token "sweep": machines without a claim go.
std::unique_ptr<reconcile::KeyedLoop> make_claim_loop(cloud::CataloguePtr catalogue);

// Nodes that are empty, too old, or whose pods fit elsewhere or on a cheaper one: deletes their
// claims.
std::unique_ptr<reconcile::BatchLoop> make_disruption_loop(
    cloud::CataloguePtr catalogue, PurchasesPtr purchases = std::make_shared<Purchases>());

// Status of NodePools: conditions, nodes, resources.
std::unique_ptr<reconcile::KeyedLoop> make_pool_loop();

// Status of EC2NodeClasses and NodeClasses. Selectors are not resolved: nobody asks EC2 yet.
std::unique_ptr<reconcile::KeyedLoop> make_node_class_loop();

}  // namespace keelway::provisioner
