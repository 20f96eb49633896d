# Debian packages: cpack -G DEB in the build tree. Configure it with -DCMAKE_INSTALL_PREFIX=/usr, so
# that GNUInstallDirs takes Debian's multiarch folders, and -DBUILD_SHARED_LIBS=ON, so that the
# tools use the shared library.
#
#   libsiptls0      the shared library and the plugin
#   libsiptls-dev   headers, archive, CMake package, pkg-config files
#   siptls-tools    siptls-server, siptls-client, siptls-verify, siptls-frame
#
# Before 1.0 a minor version may change the ABI, so it is part of the SONAME (libsiptls.so.0.1). The
# package's name stays the same; its shlibs file makes programs depend on the minor version that
# they were linked to.

set(SIPTLS_MAINTAINER "The siptls authors <siptls@localhost>" CACHE STRING
    "Maintainer of the packages, as `name <address>`")
set(SIPTLS_DEBIAN_REVISION 1 CACHE STRING "Revision of the Debian packages")
mark_as_advanced(SIPTLS_MAINTAINER SIPTLS_DEBIAN_REVISION)

set(CPACK_PACKAGE_NAME siptls)
set(CPACK_PACKAGE_VENDOR siptls)
set(CPACK_PACKAGE_CONTACT "${SIPTLS_MAINTAINER}")
# Each package has its own; this one would stand before all of them.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_PACKAGE_DESCRIPTION_FILE ${PROJECT_SOURCE_DIR}/README.md)
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_IGNORE_FILES /build/ /\\.git/ __pycache__)
set(CPACK_COMPONENTS_ALL runtime development)
if(TARGET siptls-server)
  list(APPEND CPACK_COMPONENTS_ALL tools)
endif()
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/DebianFiles.cmake)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${SIPTLS_DEBIAN_REVISION})
set(CPACK_DEBIAN_PACKAGE_SOURCE siptls)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(siptls_debian_version ${PROJECT_VERSION}-${SIPTLS_DEBIAN_REVISION})
math(EXPR minor "${PROJECT_VERSION_MINOR} + 1")
set(next_minor ${PROJECT_VERSION_MAJOR}.${minor})

set(about "It proves who the peer is the way SIP wants it (RFC 5922), moves octets on
non-blocking sockets, and hands the host whole SIP messages.")

set(siptls_and_plugin "")
if(TARGET siptls_plugin)
  set(siptls_and_plugin " and the plugin
siptls-plugin.so, for programs that link nothing and load it with dlopen()")
endif()
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libsiptls0)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "SIP over TLS for any SIP stack (shared library)
${about}
This package holds the shared library${siptls_and_plugin}.")
get_target_property(soversion siptls_shared SOVERSION)
set(folder ${PROJECT_BINARY_DIR}/package/debian)
file(WRITE ${folder}/shlibs "libsiptls ${soversion} libsiptls0 (>= ${PROJECT_VERSION_MAJOR}.\
${PROJECT_VERSION_MINOR}), libsiptls0 (<< ${next_minor})\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${folder}/shlibs)

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libsiptls-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libsiptls0 (= ${siptls_debian_version})")
if(siptls_archive_needs_boringssl AND NOT siptls_boringssl_root)
  set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_RECOMMENDS android-libboringssl-dev)
endif()
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "SIP over TLS for any SIP stack (development files)
${about}
This package holds the headers, the static library, a CMake package and
pkg-config files.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME siptls-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION comm)
if(BUILD_SHARED_LIBS)
  # dpkg-shlibdeps looks for libsiptls.so there, and finds no package that it would belong to.
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/src)
  set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "libsiptls0 (= ${siptls_debian_version})")
endif()
set(CPACK_DEBIAN_TOOLS_DESCRIPTION "SIP over TLS for any SIP stack (tools)
${about}
This package holds a server that answers SIP requests over TLS, a client
that sends them, a judge of certificate chains and a cutter of SIP streams.")

# For DebianFiles.cmake.
set(CPACK_SIPTLS_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_SIPTLS_CHANGELOG ${PROJECT_SOURCE_DIR}/CHANGELOG.md)
set(CPACK_SIPTLS_STRIP "${CMAKE_STRIP}")

include(CPack)
