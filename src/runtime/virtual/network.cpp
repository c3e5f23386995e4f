#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "runtime/virtual/host.h"

namespace keelway::runtime {
namespace {

struct StackFree {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using CertificatePile = std::unique_ptr<STACK_OF(X509), StackFree>;

CertificatePile read_certificates(const std::string& pem) {
  CertificatePile pile(sk_X509_new_null());
  BIO* text = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  while (X509* certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr)) {
    sk_X509_push(pile.get(), certificate);
  }
  BIO_free(text);
  ERR_clear_error();
  return pile;
}

// TLS itself is not simulated, but who a client is decides what it may: the same check, at the
// world's own time.
std::vector<std::string> verified_chain(const std::string& chain_pem, const std::string& ca_pem,
                                        base::WallTime now) {
  if (chain_pem.empty() || ca_pem.empty()) return {};
  const CertificatePile chain = read_certificates(chain_pem);
  const CertificatePile anchors = read_certificates(ca_pem);
  if (sk_X509_num(chain.get()) == 0) return {};
  X509_STORE* store = X509_STORE_new();
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, sk_X509_value(chain.get(), 0), chain.get());
  X509_STORE_CTX_set0_trusted_stack(context, anchors.get());
  X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT);
  X509_STORE_CTX_set_time(context, 0, now.seconds());
  const bool verified = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  ERR_clear_error();
  std::vector<std::string> certificates;
  for (int i = 0; verified && i < sk_X509_num(chain.get()); ++i) {
    unsigned char* bytes = nullptr;
    const int size = i2d_X509(sk_X509_value(chain.get(), i), &bytes);
    certificates.emplace_back(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
  }
  return certificates;
}

std::string choose_alpn(const std::vector<std::string>& server,
                        const std::vector<std::string>& client) {
  for (const auto& protocol : server) {
    if (std::find(client.begin(), client.end(), protocol) != client.end()) return protocol;
  }
  return {};
}

class VirtualListener : public Listener {
 public:
  VirtualListener(VirtualHost& host, std::uint16_t port, std::shared_ptr<PortBinding> binding)
      : host_(host), life_(host.life()), port_(port), binding_(std::move(binding)) {}
  ~VirtualListener() override {
    binding_->closed = true;
    if (life_->alive) host_.ports().erase(port_);
  }
  std::uint16_t port() const override { return port_; }

 private:
  VirtualHost& host_;
  const LifePtr life_;
  const std::uint16_t port_;
  const std::shared_ptr<PortBinding> binding_;
};

bool is_loopback(const std::string& host) {
  return host.empty() || host == "localhost" || host == "127.0.0.1" || host == "::1";
}

}  // namespace

struct VirtualNetwork::Request {
  std::shared_ptr<VirtualExecutorCore> executor;
  Address address;
  std::optional<TlsClient> tls;
  base::Duration timeout;
  ConnectCallback done;

  void fail(const std::string& why) {
    done(base::fail(base::ErrorCode::unavailable, "cannot connect to " + address.host + ":" +
                                                      std::to_string(address.port) + ": " + why));
  }
};

base::Result<std::unique_ptr<Listener>> VirtualNetwork::listen(Executor& executor,
                                                               ListenOptions options,
                                                               AcceptCallback on_accept) {
  const std::uint16_t port = options.address.port != 0 ? options.address.port : host_.draw_port();
  auto binding = std::make_shared<PortBinding>();
  binding->executor = virtual_core_of(executor);
  binding->options = std::move(options);
  binding->on_accept = std::move(on_accept);
  if (binding->executor->life() != host_.life() || !host_.alive()) {
    return base::fail(base::ErrorCode::unavailable, "host " + host_.name() + " is dead");
  }
  if (!host_.ports().emplace(port, binding).second) {
    return base::fail(base::ErrorCode::conflict, "cannot listen on " + host_.name() + ":" +
                                                     std::to_string(port) +
                                                     ": address already in use");
  }
  return std::make_unique<VirtualListener>(host_, port, std::move(binding));
}

void VirtualNetwork::connect(Executor& executor, Address address, std::optional<TlsClient> tls,
                             base::Duration timeout, ConnectCallback done) {
  auto request = std::make_shared<Request>();
  request->executor = virtual_core_of(executor);
  request->address = std::move(address);
  request->tls = std::move(tls);
  request->timeout = timeout;
  request->done = std::move(done);
  town_.queue.schedule(request->executor->life(),
                       town_.wire.latency(host_.name(), request->address.host),
                       [this, request] { knock(request); });
}

// At the target: is there a door? The answer travels back with a delay of its own.
void VirtualNetwork::knock(const std::shared_ptr<Request>& request) {
  const auto answer = [this, request](base::Duration delay, Task task) {
    town_.queue.schedule(
        request->executor->life(), delay,
        [request, task = std::move(task)]() mutable { request->executor->post(std::move(task)); });
  };
  const auto refuse = [&](base::Duration delay, std::string why) {
    answer(delay, [request, why = std::move(why)] { request->fail(why); });
  };
  const bool local = is_loopback(request->address.host);
  const auto found = town_.hosts.find(request->address.host);
  VirtualHost* target = local ? &host_ : found == town_.hosts.end() ? nullptr : found->second;
  const base::Duration way_back =
      town_.wire.latency(host_.name(), target != nullptr ? target->name() : std::string());
  if (target == nullptr) return refuse(way_back, "the name does not resolve");
  if (!target->alive() || town_.wire.silent(host_.name(), target->name()) ||
      town_.wire.silent(target->name(), host_.name())) {
    return refuse(request->timeout, "timed out while opening");
  }
  const auto port = target->ports().find(request->address.port);
  if (port == target->ports().end()) return refuse(way_back, "connection refused");
  const auto binding = port->second;
  const auto mode = binding->options.tls_mode;
  if ((mode == TlsMode::plain && request->tls) || (mode == TlsMode::tls && !request->tls)) {
    return refuse(way_back, "one side speaks TLS, the other does not");
  }
  if (binding->open >= binding->options.connections_max) {
    return refuse(request->timeout, "timed out while opening");
  }
  const Address from{target == &host_ ? "127.0.0.1" : host_.address(), host_.draw_port()};
  auto server =
      std::make_shared<ConnectionEnd>(town_.wire, target->name(), binding->executor, from);
  auto client = std::make_shared<ConnectionEnd>(town_.wire, host_.name(), request->executor,
                                                request->address);
  ConnectionEnd::join(server, client);
  ++binding->open;
  server->on_release([binding] { --binding->open; });
  if (request->tls) {
    const TlsServer& tls = binding->options.tls;
    TlsPeer peer{choose_alpn(tls.alpn, request->tls->alpn), request->tls->server_name, {}};
    client->set_tls(peer);
    peer.certificates =
        verified_chain(request->tls->certificate_chain_pem, tls.client_ca_pem, target->wall_now());
    server->set_tls(std::move(peer));
  }
  binding->executor->post([binding, server] {
    auto stream = std::make_unique<VirtualStream>(server);
    if (!binding->closed) binding->on_accept(std::move(stream));
  });
  answer(way_back, [request, client] { request->done(std::make_unique<VirtualStream>(client)); });
}

}  // namespace keelway::runtime
