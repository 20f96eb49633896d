# CPack runs this between installing into its own folders and packing them: what Debian wants in
# each package, and an ordinary installation does not have.

if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component}/usr)
  set(folder ${root}/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  file(WRITE ${folder}/copyright
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: siptls

Files: *
Copyright: the siptls authors
License: Apache-2.0
 On Debian systems the text of the Apache License 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
")
  configure_file(${CPACK_SIPTLS_CHANGELOG} ${folder}/changelog COPYONLY)
  file(REMOVE ${root}/share/doc/siptls/LICENSE ${root}/share/doc/siptls/CHANGELOG.md)
  file(GLOB manuals ${root}/share/man/man*/*)
  execute_process(COMMAND gzip -9nf ${folder}/changelog ${manuals} COMMAND_ERROR_IS_FATAL ANY)
  # Whatever the umask of the one who packs.
  set(readable OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
  set(open ${readable} OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
  file(CHMOD_RECURSE ${root}/share FILE_PERMISSIONS ${readable})
  file(GLOB_RECURSE paths LIST_DIRECTORIES ON ${root}/*)
  foreach(path IN LISTS root paths)
    if(IS_DIRECTORY ${path})
      file(CHMOD ${path} DIRECTORY_PERMISSIONS ${open})
    endif()
  endforeach()
  # CMake strips programs and shared libraries only.
  file(GLOB_RECURSE archives ${root}/*.a)
  if(archives AND CPACK_SIPTLS_STRIP)
    execute_process(COMMAND ${CPACK_SIPTLS_STRIP} --strip-debug --enable-deterministic-archives
                            ${archives} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
