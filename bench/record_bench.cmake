siptls_bench(record_bench
  SOURCES record_bench.cpp framer_bench_traffic.cpp baseline/bare_records.cpp
  LIBRARIES siptls_demo_pki BoringSSL::ssl BoringSSL::crypto)
