#include "apiserver/media.h"

#include <gtest/gtest.h>

namespace keelway::apiserver {
namespace {

TEST(Media, KubectlGetPrefersTheTable) {
  const auto media = negotiate(
      "application/json;as=Table;v=v1;g=meta.k8s.io,"
      "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
      {});
  ASSERT_TRUE(media);
  EXPECT_EQ(media->form, Form::table);
  EXPECT_EQ(media->form_version, "v1");
  const auto plain = negotiate("application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                               {.transform = false});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->form, Form::whole);
}

TEST(Media, ProtobufOnlyWhereTheKindHasIt) {
  const std::string_view accept = "application/vnd.kubernetes.protobuf,application/json";
  EXPECT_EQ(negotiate(accept, {})->encoding, Encoding::protobuf);
  EXPECT_EQ(negotiate(accept, {.protobuf = false})->encoding, Encoding::json);
  EXPECT_FALSE(negotiate("application/vnd.kubernetes.protobuf", {.protobuf = false}));
  EXPECT_FALSE(negotiate("application/cbor", {}));
}

TEST(Media, QualityDecidesBeforeOrder) {
  EXPECT_EQ(negotiate("application/json;q=0.5,application/yaml;q=0.8", {})->encoding,
            Encoding::yaml);
  EXPECT_EQ(negotiate("text/html, */*;q=0.1", {})->encoding, Encoding::json);
  EXPECT_FALSE(negotiate("application/json;q=0", {}));
}

TEST(Media, BodiesNameTheirEncoding) {
  EXPECT_EQ(body_encoding("Application/JSON; charset=utf-8"), Encoding::json);
  EXPECT_EQ(body_encoding(""), Encoding::json);
  EXPECT_EQ(body_encoding("application/yaml"), Encoding::yaml);
  EXPECT_FALSE(body_encoding("application/cbor"));
}

}  // namespace
}  // namespace keelway::apiserver
