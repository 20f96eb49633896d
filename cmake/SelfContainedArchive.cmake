# libsiptls.a with a static BoringSSL inside that nobody else sees.
#
# A host can link OpenSSL too, which has functions of the same names. So our objects and what they
# need of BoringSSL's archives become one relocatable object, in which only our own names stay
# global. GNU's tools do that, by name: CMAKE_LINKER and CMAKE_OBJCOPY are LLVM's under Clang.
# Without them, and with a shared BoringSSL, libsiptls.a is an ordinary archive.

find_program(SIPTLS_LD_BFD ld.bfd)
find_program(SIPTLS_GNU_OBJCOPY objcopy)
find_program(SIPTLS_GNU_NM nm)
mark_as_advanced(SIPTLS_LD_BFD SIPTLS_GNU_OBJCOPY SIPTLS_GNU_NM)

set(siptls_archive_is_self_contained OFF)
if(BoringSSL_LINKAGE STREQUAL "static" AND NOT SIPTLS_SANITIZE)
  if(SIPTLS_LD_BFD AND SIPTLS_GNU_OBJCOPY AND SIPTLS_GNU_NM)
    set(siptls_archive_is_self_contained ON)
  else()
    message(STATUS "siptls: without GNU ld and objcopy libsiptls.a does not hide BoringSSL; a host "
                   "that links OpenSSL too should use libsiptls.so")
  endif()
endif()

# siptls_self_contained_archive(name OBJECT_LIBRARY...)
function(siptls_self_contained_archive name)
  foreach(room IN LISTS ARGN)
    # Link-time optimisation would leave the names to a later step that undoes this one.
    target_compile_options(${room} PRIVATE -fno-lto)
    list(APPEND objects $<TARGET_OBJECTS:${room}>)
  endforeach()
  set(merged ${CMAKE_CURRENT_BINARY_DIR}/${name}_merged.o)
  set(hidden ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
  add_custom_command(
    OUTPUT ${hidden}
    COMMAND ${SIPTLS_LD_BFD} -r --force-group-allocation -o ${merged} ${objects}
            ${BoringSSL_ssl_LIBRARY} ${BoringSSL_crypto_LIBRARY}
    COMMAND ${CMAKE_COMMAND} -DNM=${SIPTLS_GNU_NM} -DOBJCOPY=${SIPTLS_GNU_OBJCOPY}
            -DFROM=${merged} -DTO=${hidden}
            -DSSL=${BoringSSL_ssl_LIBRARY} -DCRYPTO=${BoringSSL_crypto_LIBRARY}
            -P ${PROJECT_SOURCE_DIR}/cmake/HideNames.cmake
    DEPENDS ${objects} ${BoringSSL_ssl_LIBRARY} ${BoringSSL_crypto_LIBRARY}
            ${PROJECT_SOURCE_DIR}/cmake/HideNames.cmake
    COMMENT "Hiding BoringSSL in ${name}"
    COMMAND_EXPAND_LISTS VERBATIM)
  # With its language known, a program in C that links it is linked as C++.
  set_source_files_properties(${hidden} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON LANGUAGE CXX)
  add_library(${name} STATIC ${hidden})
endfunction()
