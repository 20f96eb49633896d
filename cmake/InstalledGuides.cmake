# siptls_install_guide(SOURCE FOLDER COMPONENT FILE...): installs a guide of the source tree. Its
# links to FILEs, as they stand in it, stay; those to what is not installed become plain words.
function(siptls_install_guide source folder component)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(READ ${source} text)
  foreach(file IN LISTS ARGN)
    # Marked, so that what follows passes it by.
    string(REPLACE "](${file})" "]\\(${file})" text "${text}")
    string(REPLACE "](${file}#" "]\\(${file}#" text "${text}")
  endforeach()
  # A path or a page; `[this](Event& event)` is a program.
  string(REGEX REPLACE "\\[([^]]+)\\]\\(([^]:#() \n]*/|[^]:#() \n]*\\.md)[^]:() \n]*\\)" "\\1"
         text "${text}")
  string(REPLACE "]\\(" "](" text "${text}")
  cmake_path(GET source FILENAME name)
  set(made ${PROJECT_BINARY_DIR}/package/${component}/${name})
  file(WRITE ${made} "${text}")
  install(FILES ${made} DESTINATION ${folder} COMPONENT ${component})
endfunction()
