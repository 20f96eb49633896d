siptls_bench(handshake_bench
  SOURCES handshake_bench.cpp handshake_report.cpp handshake_rows.cpp
          baseline/bare_handshake.cpp
  LIBRARIES siptls_demo_pki BoringSSL::ssl BoringSSL::crypto)
# That it runs, once through every kind of row and its JSON; no figure is judged.
if(SIPTLS_BUILD_TESTS)
  add_test(NAME "bench: handshake_bench"
           COMMAND handshake_bench --benchmark_filter=mutual.p256 --benchmark_repetitions=1
                   --benchmark_min_time=0 --json ${PROJECT_BINARY_DIR}/handshake_bench.json)
  set_tests_properties("bench: handshake_bench" PROPERTIES TIMEOUT 60 PASS_REGULAR_EXPRESSION
    "ratio handshake\\.client\\.mutual\\.p256\\.tls12\\.resumed\\.plain [0-9.]+\n$")
endif()
