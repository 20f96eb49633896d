siptls_bench(framer_bench
  SOURCES framer_bench.cpp framer_bench_crlf.cpp framer_bench_traffic.cpp)
