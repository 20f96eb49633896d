# What `cmake --install` puts where. Components: runtime (the shared library, the plugin),
# development (headers, archive, CMake package, pkg-config files) and tools. The certificate maker
# siptls-pki is for demos and tests; it is never installed.
#
# As a part of another build siptls installs nothing unless SIPTLS_INSTALL is ON.

option(SIPTLS_INSTALL "Make rules for cmake --install and packages" ${PROJECT_IS_TOP_LEVEL})
if(NOT SIPTLS_INSTALL)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# A shared BoringSSL lies in a folder of its own that the dynamic linker does not search, and
# nothing else of this build may stand in what is installed.
set(siptls_boringssl_files "")
set(siptls_boringssl_folders "")
foreach(lib ssl crypto)
  set(file "${BoringSSL_${lib}_LIBRARY}")
  if(NOT file MATCHES "^\\$<")  # one that this build makes has no place yet
    list(APPEND siptls_boringssl_files ${file})
    if(BoringSSL_LINKAGE STREQUAL "shared")
      cmake_path(GET file PARENT_PATH folder)
      list(APPEND siptls_boringssl_folders ${folder})
    endif()
  endif()
endforeach()
list(REMOVE_DUPLICATES siptls_boringssl_folders)
set_target_properties(siptls_shared PROPERTIES INSTALL_RPATH "${siptls_boringssl_folders}")

# The libraries. Two export sets, because only the archive may need BoringSSL's targets: a consumer
# of the shared library needs nothing of BoringSSL but its run-time files.
set(siptls_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/siptls)
foreach(kind shared static)
  set_target_properties(siptls_${kind} PROPERTIES EXPORT_NAME ${kind})
endforeach()
install(TARGETS siptls_shared EXPORT siptlsSharedTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
          COMPONENT runtime NAMELINK_COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS siptls_static EXPORT siptlsStaticTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
foreach(kind Shared Static)
  install(EXPORT siptls${kind}Targets NAMESPACE siptls:: DESTINATION ${siptls_package_folder}
          COMPONENT development)
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/siptls DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        COMPONENT development FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")

# The plugin, and with a shared BoringSSL the module that it opens, which alone needs BoringSSL.
if(TARGET siptls_plugin_module)
  set_target_properties(siptls_plugin_module PROPERTIES INSTALL_RPATH "${siptls_boringssl_folders}")
endif()
foreach(plugin siptls_plugin siptls_plugin_module)
  if(TARGET ${plugin})
    install(TARGETS ${plugin} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/siptls
            COMPONENT runtime NAMELINK_SKIP)
  endif()
endforeach()

# The tools and their man pages.
set(siptls_tool_folders ${siptls_boringssl_folders})
if(BUILD_SHARED_LIBS AND IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  # The library stays there when `cmake --install --prefix` puts the tools elsewhere.
  list(PREPEND siptls_tool_folders "${CMAKE_INSTALL_LIBDIR}")
elseif(BUILD_SHARED_LIBS)
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY ${CMAKE_INSTALL_FULL_BINDIR}
             OUTPUT_VARIABLE folder)
  list(PREPEND siptls_tool_folders "$ORIGIN/${folder}")
endif()
foreach(tool siptls-server siptls-client siptls-verify siptls-frame)
  if(TARGET ${tool})
    set_target_properties(${tool} PROPERTIES
      INSTALL_RPATH "${siptls_tool_folders}" INSTALL_RPATH_USE_LINK_PATH OFF)
    install(TARGETS ${tool} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
    install(FILES ${PROJECT_SOURCE_DIR}/docs/man/${tool}.1 OPTIONAL
            DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tools)
  endif()
endforeach()

# The guides. CMAKE_INSTALL_DOCDIR is the parent's in a parent's build.
include(InstalledGuides)
set(siptls_doc_folder ${CMAKE_INSTALL_DATAROOTDIR}/doc/siptls)
if(PROJECT_IS_TOP_LEVEL)
  set(siptls_doc_folder ${CMAKE_INSTALL_DOCDIR})
endif()
install(FILES ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/LICENSE
        DESTINATION ${siptls_doc_folder} COMPONENT development)
file(GLOB siptls_guides CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/docs
     ${PROJECT_SOURCE_DIR}/docs/*.md)
set(from_above ${siptls_guides})
list(TRANSFORM from_above PREPEND docs/)
siptls_install_guide(${PROJECT_SOURCE_DIR}/README.md ${siptls_doc_folder} development
                     ${from_above} CHANGELOG.md LICENSE)
foreach(guide IN LISTS siptls_guides)
  siptls_install_guide(${PROJECT_SOURCE_DIR}/docs/${guide} ${siptls_doc_folder}/docs development
                       ${siptls_guides} ../README.md)
endforeach()
if(TARGET siptls-server)
  # The tools' man pages send to it, and who has the tools need not have the library's guides.
  siptls_install_guide(${PROJECT_SOURCE_DIR}/docs/operators.md
                       ${CMAKE_INSTALL_DATAROOTDIR}/doc/siptls-tools tools operators.md)
endif()

# The CMake package. An archive that is not self-contained needs the very BoringSSL that it was
# compiled for, and FindBoringSSL.cmake to find it.
set(siptls_boringssl_root "${BoringSSL_PLACE}")
get_target_property(siptls_static_links siptls_static LINK_LIBRARIES)
if(NOT "BoringSSL::ssl" IN_LIST siptls_static_links)
  set(siptls_archive_needs_boringssl OFF)
  set(siptls_consumer_boringssl_root "")
  set(siptls_static_note ", with BoringSSL inside")
else()
  if(NOT siptls_boringssl_files)
    message(FATAL_ERROR "An installed libsiptls.a cannot name a shared BoringSSL, or one that it \
does not hide, which this very build makes; let BoringSSL be static, or leave SIPTLS_INSTALL OFF.")
  endif()
  set(siptls_archive_needs_boringssl ON)
  set(siptls_consumer_boringssl_root "${siptls_boringssl_root}")
  set(siptls_static_note "; its consumers need BoringSSL's development files too")
  install(FILES ${PROJECT_SOURCE_DIR}/cmake/FindBoringSSL.cmake
          DESTINATION ${siptls_package_folder} COMPONENT development)
endif()
if(BUILD_SHARED_LIBS)
  set(siptls_default_kind shared)
else()
  set(siptls_default_kind static)
endif()
set(siptls_package_files ${PROJECT_BINARY_DIR}/package)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/siptlsConfig.cmake.in
  ${siptls_package_files}/siptlsConfig.cmake INSTALL_DESTINATION ${siptls_package_folder}
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a minor version may change the API.
write_basic_package_version_file(${siptls_package_files}/siptlsConfigVersion.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES ${siptls_package_files}/siptlsConfig.cmake
              ${siptls_package_files}/siptlsConfigVersion.cmake
        DESTINATION ${siptls_package_folder} COMPONENT development)

# pkg-config: siptls (shared) and siptls-static. The prefix is told from where the file lies, so
# that the tree can be moved.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
           BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE folder)
string(REGEX REPLACE "/$" "" siptls_pc_prefix "\${pcfiledir}/${folder}")
foreach(name LIBDIR INCLUDEDIR)
  string(TOLOWER ${name} variable)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${name}}")
    set(siptls_pc_${variable} "${CMAKE_INSTALL_${name}}")
  else()
    set(siptls_pc_${variable} "\${prefix}/${CMAKE_INSTALL_${name}}")
  endif()
endforeach()
set(siptls_pc_private "")
if(siptls_archive_needs_boringssl)
  list(APPEND siptls_pc_private ${siptls_boringssl_files})
  list(TRANSFORM siptls_boringssl_folders PREPEND "-Wl,-rpath," OUTPUT_VARIABLE options)
  list(APPEND siptls_pc_private ${options})
  # A shell reads them, and a blank would part a name.
  list(TRANSFORM siptls_pc_private REPLACE "([^A-Za-z0-9_./,:=@%+-])" "\\\\\\1")
endif()
list(APPEND siptls_pc_private ${CMAKE_THREAD_LIBS_INIT})
foreach(lib ${CMAKE_DL_LIBS} ${siptls_cxx_libraries})
  list(APPEND siptls_pc_private -l${lib})
endforeach()
list(JOIN siptls_pc_private " " siptls_pc_private)
foreach(name siptls siptls-static)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/${name}.pc.in ${siptls_package_files}/${name}.pc @ONLY)
  install(FILES ${siptls_package_files}/${name}.pc
          DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
endforeach()

if(PROJECT_IS_TOP_LEVEL)
  include(SiptlsPackages)
endif()
