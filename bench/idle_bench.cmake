# The count is glibc's own (2.33 and later).
include(CheckSymbolExists)
check_symbol_exists(mallinfo2 malloc.h SIPTLS_HAVE_MALLINFO2)
if(SIPTLS_HAVE_MALLINFO2)
  siptls_bench(idle_bench
    SOURCES idle_bench.cpp baseline/bare_idle.cpp
    LIBRARIES siptls_demo_pki BoringSSL::ssl BoringSSL::crypto)
endif()
