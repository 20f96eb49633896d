// What BoringSSL's verdict on a path means in siptls's reasons.
#pragma once

#include "pki/path_builder.hpp"
#include "siptls/result.hpp"

namespace siptls::pki {

// `code` is an X509_V_ERR_*, `depth` the index within the path.
Unexpected verify_failure(const CandidatePath& path, int code, int depth);

}  // namespace siptls::pki
