siptls_bench(transport_bench
  SOURCES transport_bench.cpp transport_bench_process.cpp transport_bench_servers.cpp
          baseline/bare_server.cpp baseline/load_client.cpp
  LIBRARIES siptls_demo_pki BoringSSL::ssl BoringSSL::crypto Threads::Threads)

if(SIPTLS_BUILD_TESTS)
  add_test(NAME bench_transport COMMAND transport_bench --smoke)
  set_tests_properties(bench_transport PROPERTIES TIMEOUT 300)
  # Two processes with 18,000 descriptors each.
  add_test(NAME bench_transport_18000 COMMAND transport_bench --load)
  set_tests_properties(bench_transport_18000 PROPERTIES LABELS load TIMEOUT 600)
endif()
