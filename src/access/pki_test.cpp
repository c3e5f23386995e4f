#include "access/pki.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace keelway::access {
namespace {

constexpr base::WallTime noon{1'760'000'000'000'000};
const Validity one_day{noon, noon + std::chrono::hours(24)};

KeyedCertificate authority(const char* name = "ca") {
  auto made = make_authority(name, "\x11\x22", one_day);
  EXPECT_TRUE(made) << made.error().message;
  return *made;
}

KeyedCertificate client_leaf(const KeyedCertificate& ca) {
  LeafRequest request;
  request.common_name = "alice";
  request.organizations = {"dev, and more", "system:masters"};
  request.for_client = true;
  auto leaf = issue_leaf(ca, request, "\x01\x02\x03", one_day);
  EXPECT_TRUE(leaf) << leaf.error().message;
  return *leaf;
}

TEST(Pki, ClientLeafCarriesUserAndGroups) {
  const KeyedCertificate leaf = client_leaf(authority());
  const auto facts = parse_certificate_pem(leaf.certificate_pem);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->common_name, "alice");
  auto groups = facts->organizations;
  std::sort(groups.begin(), groups.end());
  EXPECT_EQ(groups, (std::vector<std::string>{"dev, and more", "system:masters"}));
  EXPECT_TRUE(facts->for_client);
  EXPECT_EQ(facts->validity.not_after, one_day.not_after);
  EXPECT_EQ(facts->serial, "\x01\x02\x03");
}

TEST(Pki, ServerLeafCarriesNamesAndIsNoClient) {
  const auto leaf = issue_leaf(
      authority(), api_server_leaf({"keelway.example", "10.9.8.7"}, "10.100.0.1"), "\x05", one_day);
  ASSERT_TRUE(leaf) << leaf.error().message;
  const auto facts = parse_certificate_pem(leaf->certificate_pem);
  ASSERT_TRUE(facts);
  for (const char* name : {"localhost", "kubernetes.default.svc", "keelway.example",
                           "kubernetes.default.svc.cluster.local"}) {
    EXPECT_NE(std::find(facts->dns_names.begin(), facts->dns_names.end(), name),
              facts->dns_names.end())
        << name;
  }
  EXPECT_EQ(facts->ip_addresses,
            (std::vector<std::string>{"127.0.0.1", "0:0:0:0:0:0:0:1", "10.100.0.1", "10.9.8.7"}));
  EXPECT_FALSE(facts->for_client);
}

TEST(Pki, ChainHoldsForItsOwnAuthorityOnly) {
  const KeyedCertificate ca = authority(), other = authority();
  const auto der = certificate_pem_to_der(client_leaf(ca).certificate_pem);
  ASSERT_TRUE(der);
  EXPECT_TRUE(verify_client_chain({*der}, ca.certificate_pem, noon));
  EXPECT_FALSE(verify_client_chain({*der}, other.certificate_pem, noon));
  EXPECT_TRUE(verify_client_chain({*der}, other.certificate_pem + ca.certificate_pem, noon));
  EXPECT_FALSE(verify_client_chain({*der}, ca.certificate_pem, noon + std::chrono::hours(25)));
  EXPECT_FALSE(verify_client_chain({*der}, ca.certificate_pem,
                                   noon + base::Duration(std::chrono::hours(-1))));
  EXPECT_FALSE(verify_client_chain({}, ca.certificate_pem, noon));
}

TEST(Pki, ServerLeafIsRefusedAsClient) {
  const KeyedCertificate ca = authority();
  const auto leaf = issue_leaf(ca, api_server_leaf({}, ""), "\x05", one_day);
  const auto der = certificate_pem_to_der(leaf->certificate_pem);
  EXPECT_FALSE(verify_client_chain({*der}, ca.certificate_pem, noon));
}

TEST(Pki, GarbageIsAnError) {
  EXPECT_FALSE(parse_certificate_der("nonsense"));
  EXPECT_FALSE(parse_certificate_pem("-----BEGIN CERTIFICATE-----\nAAAA\n"));
  EXPECT_FALSE(parse_signing_request(""));
  LeafRequest request;
  request.common_name = "x";
  EXPECT_FALSE(issue_leaf(authority(), request, "\x01", one_day));  // for nobody
  request.for_server = true;
  request.ip_addresses = {"not-an-address"};
  EXPECT_FALSE(issue_leaf(authority(), request, "\x01", one_day));
}

}  // namespace
}  // namespace keelway::access
