siptls_bench(handshake_bench
  SOURCES handshake_bench.cpp baseline/bare_handshake.cpp
  LIBRARIES siptls_demo_pki BoringSSL::ssl BoringSSL::crypto)
