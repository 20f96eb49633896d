siptls_bench(verify_bench
  SOURCES verify_bench.cpp baseline/bare_verify.cpp
  LIBRARIES siptls_demo_pki BoringSSL::crypto)
