# siptls-plugin.so: the library as a module to be loaded with dlopen(), with one entry.
#
# With a static BoringSSL it holds everything. With a shared one it is a stub that loads the real
# module, siptls-plugin-module.so beside it, so that BoringSSL's names meet nobody else's. Neither
# is ever unloaded: a thread that used BoringSSL and outlives dlclose() would run into code that is
# gone, and each load would take one of the process's 1,024 thread keys.

# siptls_plugin_module(TARGET FILE_NAME SOURCE_OR_OBJECT...)
function(siptls_plugin_module target name)
  add_library(${target} MODULE ${ARGN})
  siptls_compile_settings(${target})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include
                             ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/siptls-plugin.map)
  target_link_options(${target} PRIVATE -Wl,-z,nodelete -Wl,-z,now -Wl,--exclude-libs,ALL
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/siptls-plugin.map)
  target_link_libraries(${target} PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
endfunction()

# siptls_add_plugin(OBJECTS...): the objects that the library is made of.
function(siptls_add_plugin)
  set(whole ${PROJECT_SOURCE_DIR}/src/capi/plugin.cpp ${ARGN})
  if(BoringSSL_LINKAGE STREQUAL "static")
    siptls_plugin_module(siptls_plugin siptls-plugin ${whole})
    target_link_libraries(siptls_plugin PRIVATE BoringSSL::ssl BoringSSL::crypto)
  else()
    siptls_plugin_module(siptls_plugin_module siptls-plugin-module ${whole})
    target_link_libraries(siptls_plugin_module PRIVATE BoringSSL::ssl BoringSSL::crypto)
    siptls_plugin_module(siptls_plugin siptls-plugin ${PROJECT_SOURCE_DIR}/src/capi/plugin_stub.c)
    set_target_properties(siptls_plugin PROPERTIES C_STANDARD 99 C_EXTENSIONS OFF)
    add_dependencies(siptls_plugin siptls_plugin_module)
  endif()
endfunction()
