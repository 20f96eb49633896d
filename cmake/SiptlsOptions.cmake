# Every option of the project, and how its own targets are compiled. A parent project gets the
# library only, and none of these flags.

option(SIPTLS_BUILD_TOOLS "Build the five tools in examples/" ${PROJECT_IS_TOP_LEVEL})
option(SIPTLS_BUILD_PLUGIN "Build siptls-plugin.so" ${PROJECT_IS_TOP_LEVEL})
option(SIPTLS_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(SIPTLS_BUILD_BENCH "Build the benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(SIPTLS_STRICT_WARNINGS "Treat the project's warnings as errors (developer presets)" OFF)
option(SIPTLS_FUZZERS "Build the fuzz targets with libFuzzer (needs Clang)" OFF)
set(SIPTLS_SANITIZE "" CACHE STRING "Sanitizers to build with, as in -fsanitize=")

# C++'s libraries, for hosts in C: their linker does not add them.
set(siptls_cxx_libraries "")
foreach(lib stdc++ c++)
  if(lib IN_LIST CMAKE_CXX_IMPLICIT_LINK_LIBRARIES)
    set(siptls_cxx_libraries ${lib} m)
  endif()
endforeach()

# What is local to a file can have the name of another file's, whatever a parent wishes.
set(CMAKE_UNITY_BUILD OFF)

# What every target of the project is compiled with: siptls_compile_settings(target).
function(siptls_compile_settings target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden
    C_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON)
  if(SIPTLS_STRICT_WARNINGS)
    target_compile_options(${target} PRIVATE
      -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
  endif()
  if(SIPTLS_FUZZERS)
    # Coverage of the library itself is what guides the fuzzer.
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
  if(SIPTLS_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${SIPTLS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${SIPTLS_SANITIZE})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # False alarms in the standard library's own code, when it is instrumented.
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
  endif()
endfunction()
