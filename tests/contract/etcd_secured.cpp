// An etcd that lets in only whom it knows: by certificates, and by users of its own.
#include "contract/etcd_ground.h"
#include "runtime/testing/certificates.h"

namespace keelway::contract {
namespace {

using base::ErrorCode;
using runtime::testing::Identity;
using runtime::testing::make_identity;

class EtcdSecured : public EtcdGround {
 protected:
  // One engine at a time, with one keyspace.
  void open(store::EtcdOptions options) {
    run([&] {
      engine_ = store::make_etcd(ground_->runtime(), ground_->executor(), std::move(options));
      keyspace_ = engine_->open("s", ground_->executor());
    });
  }
  void close() {
    run([&] {
      watch_.reset();
      keyspace_.reset();
      engine_.reset();
    });
  }
  void watch() {
    run([&] {
      store::WatchRequest request;
      request.on_events = [&](const store::EventBatch& batch) { heard_ += batch.events.size(); };
      request.on_end = [&](base::Error error) { ended_ = std::move(error); };
      watch_ = keyspace_->watch(std::move(request));
    });
  }
  // Committed and heard of.
  void expect_served(const std::string& key) {
    const auto result = transact(*keyspace_, put_if(key, "v", 0));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(result->committed);
    ++written_;
    EXPECT_TRUE(ground_->wait([&] { return heard_ >= written_ || ended_; }));
    run([&] {
      EXPECT_FALSE(ended_) << ended_->message;
      EXPECT_EQ(heard_, written_);
    });
  }
  // Unavailable, and the message says why.
  void expect_refused(store::EtcdOptions options, const std::string& why) {
    options.call_timeout = std::chrono::seconds(2);
    open(std::move(options));
    const auto result = transact(*keyspace_, put_if("k", "v", 0));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::unavailable);
    EXPECT_NE(result.error().message.find(why), std::string::npos) << result.error().message;
    close();
  }

  std::unique_ptr<store::Engine> engine_;
  std::unique_ptr<store::Keyspace> keyspace_;
  std::unique_ptr<store::Watch> watch_;
  std::size_t written_ = 0, heard_ = 0;
  std::optional<base::Error> ended_;
};

TEST_F(EtcdSecured, CertificatesOfBothSidesAreChecked) {
  const Identity authority = make_identity("etcd-authority", nullptr);
  const Identity stranger = make_identity("another-authority", nullptr);
  const Identity member = make_identity("etcd", &authority, "IP:127.0.0.1");
  const Identity client = make_identity("keelway", &authority);
  const EtcdCluster cluster(1, false,
                            {authority.certificate_pem, member.certificate_pem, member.key_pem});
  const auto with = [&](const Identity& trusted, const Identity* shown) {
    store::EtcdOptions options = etcd_options(cluster, "/tls");
    options.tls.emplace();
    options.tls->ca_pem = trusted.certificate_pem;
    if (shown != nullptr) {
      options.tls->certificate_chain_pem = shown->certificate_pem;
      options.tls->private_key_pem = shown->key_pem;
    }
    return options;
  };
  open(with(authority, &client));
  watch();
  expect_served("a");
  expect_served("b");
  close();
  expect_refused(with(stranger, &client), "certificate");
  expect_refused(with(authority, nullptr), "bad certificate");
  const Identity forged = make_identity("keelway", &stranger);
  expect_refused(with(authority, &forged), "bad certificate");
  expect_refused(etcd_options(cluster, "/tls"), "closed the connection");  // no TLS at all
}

class EtcdUsers : public EtcdSecured {
 protected:
  explicit EtcdUsers(bool signed_tokens = false)
      : cluster_(1, false, {.signed_tokens = signed_tokens}) {}
  void SetUp() override {
    if (!EtcdCluster::controllable()) {
      GTEST_SKIP() << "SKIPPED: etcdctl is not installed (Debian: etcd-client)";
    }
    for (const char* words : {"user add root:top", "user grant-role root root", "role add keelway",
                              "role grant-permission keelway --prefix=true readwrite /mine/",
                              "user add kw:secret", "user grant-role kw keelway", "auth enable"}) {
      ASSERT_TRUE(cluster_.control(words)) << words;
    }
  }
  store::EtcdOptions as(const std::string& user, const std::string& password) const {
    store::EtcdOptions options = etcd_options(cluster_, "/mine");
    options.user = user;
    options.password = password;
    return options;
  }

  // What ends log-ins: authentication off and on, and, of signed ones, any change of users.
  void check_log_ins_are_made_again() {
    open(as("kw", "secret"));
    watch();
    expect_served("a");
    ASSERT_TRUE(cluster_.control("--user root:top auth disable"));
    ASSERT_TRUE(cluster_.control("auth enable"));
    expect_served("b");
    ASSERT_TRUE(cluster_.control("--user root:top user revoke-role kw keelway"));
    ASSERT_TRUE(cluster_.control("--user root:top user grant-role kw keelway"));
    expect_served("c");
    close();
  }

  const EtcdCluster cluster_;
};

TEST_F(EtcdUsers, ThePrefixIsAllThatAUserNeeds) {
  open(as("kw", "secret"));
  watch();
  expect_served("a");
  store::Transaction brief;
  brief.puts.push_back({"brief", bytes("v"), std::chrono::seconds(1)});
  ASSERT_TRUE(transact(*keyspace_, std::move(brief)));
  EXPECT_TRUE(ground_->wait([&] { return heard_ == 3; })) << "put and end of a life";
  std::optional<base::Result<void>> compacted, dropped;
  std::optional<base::Result<store::Revision>> head;
  run([&] { keyspace_->head([&](auto result) { head = result; }); });
  ASSERT_TRUE(ground_->wait([&] { return head.has_value(); }));
  ASSERT_TRUE(*head) << head->error().message;
  run([&] { keyspace_->compact(**head, [&](auto result) { compacted = result; }); });
  ASSERT_TRUE(ground_->wait([&] { return compacted.has_value(); }));
  EXPECT_TRUE(*compacted) << compacted->error().message;
  run([&] { engine_->drop("s", ground_->executor(), [&](auto result) { dropped = result; }); });
  ASSERT_TRUE(ground_->wait([&] { return dropped.has_value(); }));
  EXPECT_TRUE(*dropped) << dropped->error().message;
  close();
}

TEST_F(EtcdUsers, OthersAreRefusedAndToldWhy) {
  expect_refused(as("kw", "guess"), "log-in refused");
  expect_refused(as("nobody", "secret"), "log-in refused");
  // Known, but not here.
  auto elsewhere = as("kw", "secret");
  elsewhere.prefix = "/theirs/";
  open(std::move(elsewhere));
  const auto result = transact(*keyspace_, put_if("k", "v", 0));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::unauthorized) << result.error().message;
  close();
}

TEST_F(EtcdUsers, ALogInThatEndsIsMadeAgain) {
  check_log_ins_are_made_again();
}

class EtcdUsersOfSignedTokens : public EtcdUsers {
 protected:
  EtcdUsersOfSignedTokens() : EtcdUsers(true) {}
};

TEST_F(EtcdUsersOfSignedTokens, ALogInThatEndsIsMadeAgain) {
  check_log_ins_are_made_again();
}

}  // namespace
}  // namespace keelway::contract
