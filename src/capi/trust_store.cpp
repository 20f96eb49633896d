// siptls/c/trust_store.h
#include "capi/convert.hpp"

namespace {

using siptls::TrustLimits;
using siptls::TrustStore;
using siptls::capi::finish;
using siptls::capi::guarded;
using siptls::capi::invalid;
using siptls::capi::octets_of;
using siptls::capi::read_struct;
using siptls::capi::text_of;
using siptls::capi::to_c;
using siptls::capi::write_struct;

siptls_trust_limits default_limits() noexcept {
  const TrustLimits limits;
  return {sizeof(siptls_trust_limits), limits.max_entries, limits.max_ca_depth,
          limits.max_remembered_chains};
}

siptls_trust_store* new_store(TrustStore store) { return new siptls_trust_store{std::move(store)}; }

// Makes a store with the limits that the host gave, by `load`.
template <typename F>
int make_store(const siptls_trust_limits* given, bool complete, siptls_trust_store** store,
               siptls_error* error, F&& load) {
  return guarded(error, [&] {
    if (!complete || store == nullptr) return invalid(error, "an argument is NULL");
    auto limits = default_limits();
    if (given != nullptr && !read_struct(given, limits)) return invalid(error, "limits: size");
    return finish(
        load(TrustLimits{limits.max_entries, limits.max_ca_depth, limits.max_remembered_chains}),
        store, error, new_store);
  });
}

// Makes a store of another one.
template <typename F>
int change_store(const siptls_trust_store* store, bool complete, siptls_trust_store** changed,
                 siptls_error* error, F&& change) {
  return guarded(error, [&] {
    if (store == nullptr || !complete || changed == nullptr) {
      return invalid(error, "an argument is NULL");
    }
    return finish(change(store->store), changed, error, new_store);
  });
}

}  // namespace

void siptls_trust_limits_init(siptls_trust_limits* limits, size_t size) {
  siptls::capi::init_struct(limits, size, default_limits());
}

int siptls_trust_store_from_pem(const char* pem, size_t pem_size, const siptls_trust_limits* limits,
                                siptls_trust_store** store, siptls_error* error) {
  return make_store(limits, pem != nullptr, store, error, [&](const TrustLimits& given) {
    return TrustStore::from_pem(text_of(pem, pem_size), given);
  });
}

int siptls_trust_store_from_pem_file(const char* path, const siptls_trust_limits* limits,
                                     siptls_trust_store** store, siptls_error* error) {
  return make_store(limits, path != nullptr, store, error, [&](const TrustLimits& given) {
    return TrustStore::from_pem_file(path, given);
  });
}

int siptls_trust_store_from_folder(const char* path, const siptls_trust_limits* limits,
                                   siptls_trust_store** store, siptls_error* error) {
  return make_store(limits, path != nullptr, store, error,
                    [&](const TrustLimits& given) { return TrustStore::from_folder(path, given); });
}

int siptls_trust_store_from_der(const void* der, size_t der_size, const siptls_trust_limits* limits,
                                siptls_trust_store** store, siptls_error* error) {
  return make_store(limits, der != nullptr, store, error, [&](const TrustLimits& given) {
    return TrustStore::from_der(octets_of(der, der_size), given);
  });
}

int siptls_trust_store_with_pem(const siptls_trust_store* store, const char* pem, size_t pem_size,
                                siptls_trust_store** bigger, siptls_error* error) {
  return change_store(store, pem != nullptr, bigger, error,
                      [&](const TrustStore& old) { return old.with_pem(text_of(pem, pem_size)); });
}

int siptls_trust_store_with_der(const siptls_trust_store* store, const void* der, size_t der_size,
                                siptls_trust_store** bigger, siptls_error* error) {
  return change_store(store, der != nullptr, bigger, error, [&](const TrustStore& old) {
    return old.with_der(octets_of(der, der_size));
  });
}

int siptls_trust_store_with_crls(const siptls_trust_store* store, const char* pem, size_t pem_size,
                                 siptls_trust_store** checking, siptls_error* error) {
  return change_store(store, pem != nullptr, checking, error,
                      [&](const TrustStore& old) { return old.with_crls(text_of(pem, pem_size)); });
}

void siptls_trust_store_free(siptls_trust_store* store) { delete store; }

size_t siptls_trust_store_count(const siptls_trust_store* store) {
  return store == nullptr ? 0 : store->store.entries().size();
}

int siptls_trust_store_entry(const siptls_trust_store* store, size_t index,
                             siptls_certificate* entry) {
  if (index >= siptls_trust_store_count(store)) return 0;
  const auto& found = store->store.entries()[index];
  auto out = to_c(found.certificate);
  out.self_signed = found.self_signed ? 1 : 0;
  out.is_ca = found.is_ca ? 1 : 0;
  return write_struct(entry, out) ? 1 : 0;
}

const uint8_t* siptls_trust_store_digest(const siptls_trust_store* store) {
  return store == nullptr ? nullptr : store->store.digest().data();
}

void siptls_trust_store_chain_memory(const siptls_trust_store* store, siptls_chain_memory* memory) {
  siptls_chain_memory out{};
  if (store != nullptr) {
    const auto found = store->store.chain_memory();
    out.chains = found.chains;
    out.answered = found.answered;
    out.judged = found.judged;
  }
  static_cast<void>(write_struct(memory, out));
}
