# Finds BoringSSL, in this order:
#   1. targets BoringSSL::ssl and BoringSSL::crypto that the parent project has already;
#   2. BoringSSL_ROOT (variable or environment): an installation or a build tree of upstream
#      BoringSSL, static or shared; if it was built with BORINGSSL_PREFIX and installed, set that
#      variable here as well;
#   3. vcpkg's folder of the triplet, if vcpkg is used and has BoringSSL there;
#   4. Debian's package android-libboringssl-dev.
# OpenSSL has headers and libraries of the same names; it is recognised and refused.
#
# Defines BoringSSL::ssl, BoringSSL::crypto, BoringSSL_API_VERSION, BoringSSL_INCLUDE_DIR,
# BoringSSL_LINKAGE (static or shared), BoringSSL_ssl_LIBRARY and BoringSSL_crypto_LIBRARY (file
# names; expressions for them if this very build makes the libraries), and BoringSSL_PLACE, the
# BoringSSL_ROOT that leads there, empty for Debian's package. Link lines get full file names.

# _boringssl_read_targets(): what targets are that are there already. They are the parent's, or this
# module's when another folder has asked before: nothing that was found out there is known here, so
# everything is read from the targets.
function(_boringssl_read_targets)
  set(instead "or define no such target and set BoringSSL_ROOT.")
  foreach(lib ssl crypto)
    set(target BoringSSL::${lib})
    if(NOT TARGET ${target})
      set(_boringssl_problem "There is no target ${target} beside BoringSSL::ssl; define both, \
${instead}" PARENT_SCOPE)
      return()
    endif()
    get_target_property(type ${target} TYPE)
    get_target_property(imported ${target} IMPORTED)
    if(NOT imported)
      set(file "$<TARGET_FILE:${target}>")
    else()
      get_target_property(file ${target} IMPORTED_LOCATION)
      get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
      if(NOT file AND configurations)
        list(GET configurations 0 configuration)
        get_target_property(file ${target} IMPORTED_LOCATION_${configuration})
      endif()
    endif()
    if(type STREQUAL "UNKNOWN_LIBRARY" AND file MATCHES "\\.a$")
      set(type STATIC_LIBRARY)
    elseif(type STREQUAL "UNKNOWN_LIBRARY" AND file MATCHES "\\.so[.0-9]*$")
      set(type SHARED_LIBRARY)
    endif()
    if(NOT file OR NOT type MATCHES "^(STATIC|SHARED)_LIBRARY$")
      set(_boringssl_problem "The target ${target} does not tell its file and whether that is \
static or shared; let it be a STATIC or SHARED library, ${instead}" PARENT_SCOPE)
      return()
    endif()
    set(${lib}_type ${type})
    set(${lib}_file "${file}")
    set(BoringSSL_${lib}_LIBRARY "${file}" PARENT_SCOPE)
    set(BoringSSL_LINKAGE static PARENT_SCOPE)
    if(type STREQUAL "SHARED_LIBRARY")
      set(BoringSSL_LINKAGE shared PARENT_SCOPE)
    endif()
    foreach(property INTERFACE_INCLUDE_DIRECTORIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES)
      get_target_property(include ${target} ${property})
      if(include)
        list(APPEND folders "${include}")
      endif()
    endforeach()
  endforeach()
  if(NOT ssl_type STREQUAL crypto_type)
    set(_boringssl_problem "One of BoringSSL::ssl and BoringSSL::crypto is static and one is \
shared; let both be the same, ${instead}" PARENT_SCOPE)
    return()
  endif()

  # Expressions have no value yet; the one that upstream's targets use can be read all the same.
  string(REGEX REPLACE "\\$<BUILD_INTERFACE:([^<>]*)>" "\\1" folders "${folders}")
  set(BoringSSL_INCLUDE_DIR "")
  foreach(folder IN LISTS folders)
    if(NOT BoringSSL_INCLUDE_DIR AND EXISTS "${folder}/openssl/base.h")
      set(BoringSSL_INCLUDE_DIR "${folder}")
    endif()
  endforeach()
  if(NOT BoringSSL_INCLUDE_DIR)
    set(_boringssl_problem "The include directories of BoringSSL::ssl and BoringSSL::crypto \
(${folders}) do not tell where openssl/base.h is; give the targets its folder, ${instead}"
        PARENT_SCOPE)
    return()
  endif()
  set(BoringSSL_INCLUDE_DIR "${BoringSSL_INCLUDE_DIR}" PARENT_SCOPE)

  set(place "")
  if(imported AND NOT BoringSSL_INCLUDE_DIR STREQUAL "/usr/include/android")
    string(REGEX REPLACE "/[^/]*$" "" place "${ssl_file}")
    string(REGEX REPLACE "/(lib|lib64|ssl)$" "" place "${place}")
  endif()
  set(BoringSSL_PLACE "${place}" PARENT_SCOPE)
endfunction()

set(_boringssl_problem "")
if(TARGET BoringSSL::ssl)
  set(_boringssl_given TRUE)
  _boringssl_read_targets()
else()
  set(_boringssl_given FALSE)
  set(_boringssl_root "${BoringSSL_ROOT}")
  if(NOT _boringssl_root)
    # Kept, since CMake runs again by itself, maybe from another shell, and must not take another
    # library then.
    if(NOT "$ENV{BoringSSL_ROOT}" STREQUAL "")
      set(BoringSSL_ROOT_OF_ENVIRONMENT "$ENV{BoringSSL_ROOT}"
          CACHE INTERNAL "The environment's last BoringSSL_ROOT")
    endif()
    set(_boringssl_root "${BoringSSL_ROOT_OF_ENVIRONMENT}")
  endif()
  if(NOT _boringssl_root AND VCPKG_INSTALLED_DIR AND VCPKG_TARGET_TRIPLET)
    # Another library of that kind may be there instead, for other users of vcpkg.
    set(_boringssl_header "${VCPKG_INSTALLED_DIR}/${VCPKG_TARGET_TRIPLET}/include/openssl/base.h")
    if(EXISTS "${_boringssl_header}")
      file(STRINGS "${_boringssl_header}" _boringssl_lines REGEX "define OPENSSL_IS_BORINGSSL")
      if(_boringssl_lines)
        set(_boringssl_root "${VCPKG_INSTALLED_DIR}/${VCPKG_TARGET_TRIPLET}")
      endif()
    endif()
  endif()
  set(BoringSSL_PLACE "${_boringssl_root}")
  # What was found for another root does not count.
  if(NOT "${BoringSSL_FOUND_FOR}" STREQUAL "${_boringssl_root}")
    unset(BoringSSL_INCLUDE_DIR CACHE)
    unset(BoringSSL_ssl_LIBRARY CACHE)
    unset(BoringSSL_crypto_LIBRARY CACHE)
  endif()
  set(BoringSSL_FOUND_FOR "${_boringssl_root}"
      CACHE INTERNAL "The BoringSSL_ROOT of the last search")

  if(_boringssl_root)
    # A build tree lies in a folder of the source tree, which has the headers.
    find_path(BoringSSL_INCLUDE_DIR openssl/base.h NO_DEFAULT_PATH
              PATHS "${_boringssl_root}/include" "${_boringssl_root}/../include"
                    "${_boringssl_root}/../src/include")
    foreach(_lib ssl crypto)
      find_library(BoringSSL_${_lib}_LIBRARY NAMES lib${_lib}.a lib${_lib}.so NO_DEFAULT_PATH
                   PATHS "${_boringssl_root}" PATH_SUFFIXES lib lib64 . ${_lib})
    endforeach()
  else()
    find_path(BoringSSL_INCLUDE_DIR openssl/base.h NO_DEFAULT_PATH PATHS /usr/include/android)
    foreach(_lib ssl crypto)
      find_library(BoringSSL_${_lib}_LIBRARY NAMES lib${_lib}.so NO_DEFAULT_PATH
                   PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/android /usr/lib/android)
    endforeach()
  endif()
  mark_as_advanced(BoringSSL_INCLUDE_DIR BoringSSL_ssl_LIBRARY BoringSSL_crypto_LIBRARY)

  if(NOT BoringSSL_INCLUDE_DIR OR NOT BoringSSL_ssl_LIBRARY OR NOT BoringSSL_crypto_LIBRARY)
    if(_boringssl_root)
      if(EXISTS "${_boringssl_root}/include/openssl/opensslv.h" AND
         NOT EXISTS "${_boringssl_root}/include/openssl/base.h")
        set(_boringssl_problem "BoringSSL_ROOT (${_boringssl_root}) holds OpenSSL, and siptls \
needs BoringSSL.")
      else()
        set(_boringssl_problem "BoringSSL_ROOT (${_boringssl_root}) holds no BoringSSL: \
include/openssl/base.h, libssl and libcrypto were not all found.")
      endif()
    else()
      set(_boringssl_problem "BoringSSL was not found: install android-libboringssl-dev, or set \
BoringSSL_ROOT to a build of upstream BoringSSL.")
    endif()
  endif()
endif()

set(BoringSSL_API_VERSION "")
if(NOT _boringssl_problem)
  # Read, not compiled, so that a cross build works as well.
  file(STRINGS "${BoringSSL_INCLUDE_DIR}/openssl/base.h" _boringssl_lines
       REGEX "define (OPENSSL_IS_BORINGSSL|BORINGSSL_API_VERSION)")
  string(REGEX MATCH "BORINGSSL_API_VERSION ([0-9]+)" _ "${_boringssl_lines}")
  set(BoringSSL_API_VERSION "${CMAKE_MATCH_1}")
  if(NOT _boringssl_lines MATCHES "OPENSSL_IS_BORINGSSL" OR NOT BoringSSL_API_VERSION)
    set(_boringssl_problem "${BoringSSL_INCLUDE_DIR} holds the headers of another library than \
BoringSSL.")
  elseif(BoringSSL_API_VERSION LESS 17)
    set(_boringssl_problem "BoringSSL in ${BoringSSL_INCLUDE_DIR} is too old: API \
${BoringSSL_API_VERSION}, and siptls needs 17 or newer.")
  endif()
  # Headers of one library beside binaries of another would fail late and strangely. Each is known
  # by a function that OpenSSL does not have; BORINGSSL_PREFIX leaves its name recognisable. What
  # this build makes is not there yet.
  set(_boringssl_ssl_marker SSL_CTX_set_custom_verify)
  set(_boringssl_crypto_marker CRYPTO_BUFFER_new)
  foreach(_lib crypto ssl)
    set(_boringssl_marker TRUE)
    if(EXISTS "${BoringSSL_${_lib}_LIBRARY}")
      file(STRINGS "${BoringSSL_${_lib}_LIBRARY}" _boringssl_marker
           REGEX "${_boringssl_${_lib}_marker}" LIMIT_COUNT 1)
    endif()
    if(NOT _boringssl_marker AND NOT _boringssl_problem)
      set(_boringssl_problem "${BoringSSL_${_lib}_LIBRARY} is another library than BoringSSL.")
    endif()
  endforeach()
endif()
if(_boringssl_problem)
  set(BoringSSL_FOUND FALSE)
  if(BoringSSL_FIND_REQUIRED)
    message(FATAL_ERROR "${_boringssl_problem}")
  endif()
  message(STATUS "${_boringssl_problem}")
  return()
endif()

if(NOT _boringssl_given)
  if(BoringSSL_ssl_LIBRARY MATCHES "\\.a$")
    set(BoringSSL_LINKAGE static)
  else()
    set(BoringSSL_LINKAGE shared)
  endif()
  find_package(Threads REQUIRED)
  foreach(_lib ssl crypto)
    add_library(BoringSSL::${_lib} UNKNOWN IMPORTED GLOBAL)
    set_target_properties(BoringSSL::${_lib} PROPERTIES
      IMPORTED_LOCATION "${BoringSSL_${_lib}_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${BoringSSL_INCLUDE_DIR}")
  endforeach()
  # A library whose names carry a prefix needs it in each includer as well. A build tree remembers
  # it.
  set(_boringssl_prefix "${BORINGSSL_PREFIX}")
  if(NOT _boringssl_prefix AND EXISTS "${_boringssl_root}/CMakeCache.txt")
    file(STRINGS "${_boringssl_root}/CMakeCache.txt" _boringssl_prefix_line
         REGEX "^BORINGSSL_PREFIX:[A-Z]+=.")
    string(REGEX REPLACE "^[^=]*=" "" _boringssl_prefix "${_boringssl_prefix_line}")
  endif()
  if(_boringssl_prefix)
    set_property(TARGET BoringSSL::crypto PROPERTY
      INTERFACE_COMPILE_DEFINITIONS BORINGSSL_PREFIX=${_boringssl_prefix})
  endif()
  set_property(TARGET BoringSSL::ssl PROPERTY INTERFACE_LINK_LIBRARIES BoringSSL::crypto)
  set_property(TARGET BoringSSL::crypto PROPERTY INTERFACE_LINK_LIBRARIES Threads::Threads)
endif()
set(BoringSSL_FOUND TRUE)
set(_boringssl_file "${BoringSSL_ssl_LIBRARY}")
if(_boringssl_file MATCHES "^\\$<")
  set(_boringssl_file "made by this build")
endif()
message(STATUS "BoringSSL: API ${BoringSSL_API_VERSION}, ${BoringSSL_LINKAGE}, ${_boringssl_file}")
