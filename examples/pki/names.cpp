#include "pki/names.hpp"

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace demo_pki {
namespace {

using Values = std::vector<std::string> CertificateSpec::*;

void add(CertificateSpec& spec, std::string_view word,
         std::initializer_list<std::pair<std::string_view, Values>> forms) {
  const auto colon = word.find(':');
  for (const auto& [form, values] : forms) {
    if (colon == word.npos || word.substr(0, colon) != form) continue;
    (spec.*values).emplace_back(word.substr(colon + 1));
    return;
  }
  std::string known;
  for (const auto& form : forms) known.append(known.empty() ? "" : ", ").append(form.first);
  throw std::runtime_error("\"" + std::string(word) + "\" is no FORM:VALUE with one of " + known);
}

}  // namespace

void add_name(CertificateSpec& leaf, std::string_view word) {
  add(leaf, word,
      {{"dns", &CertificateSpec::dns_names},
       {"uri", &CertificateSpec::uris},
       {"ip", &CertificateSpec::ip_addresses},
       {"email", &CertificateSpec::emails},
       {"dir", &CertificateSpec::directory_names},
       {"rid", &CertificateSpec::registered_ids},
       {"other", &CertificateSpec::other_names}});
}

void permit_name(CertificateSpec& issuer, std::string_view word) {
  add(issuer, word,
      {{"dns", &CertificateSpec::permitted_dns},
       {"uri", &CertificateSpec::permitted_uris},
       {"ip", &CertificateSpec::permitted_ips},
       {"email", &CertificateSpec::permitted_emails},
       {"dir", &CertificateSpec::permitted_directories}});
}

void exclude_name(CertificateSpec& issuer, std::string_view word) {
  add(issuer, word,
      {{"dns", &CertificateSpec::excluded_dns},
       {"uri", &CertificateSpec::excluded_uris},
       {"ip", &CertificateSpec::excluded_ips},
       {"email", &CertificateSpec::excluded_emails},
       {"dir", &CertificateSpec::excluded_directories}});
}

}  // namespace demo_pki
