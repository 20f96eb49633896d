# Makes every name of an object local but siptls' own, and stops the build if one of BoringSSL's is
# still to be seen, defined or left open:
#   cmake -DNM=nm -DOBJCOPY=objcopy -DFROM=merged.o -DTO=hidden.o -DSSL=libssl.a
#         -DCRYPTO=libcrypto.a -P HideNames.cmake

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}")
  endif()
endfunction()

# list_names(OUT OPTION... FILE...)
function(list_names out)
  # It says of each object that is empty on this architecture that it is.
  execute_process(COMMAND ${NM} --extern-only --format=posix ${ARGN} OUTPUT_VARIABLE names
                  ERROR_VARIABLE said RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${NM} cannot read ${ARGN}: ${said}")
  endif()
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

# objcopy leaves names of type u (STB_GNU_UNIQUE, which GCC gives to static data of templates and
# inline functions) as they are, unless they are made weak before.
list_names(names ${FROM})
string(REGEX MATCHALL "[^ \n]+ u " unique "${names}")
if(unique)  # objcopy refuses an empty list
  list(TRANSFORM unique REPLACE " u $" "\n")
  list(JOIN unique "" unique)
  file(WRITE ${TO}.unique "${unique}")
  run(${OBJCOPY} --weaken-symbols=${TO}.unique ${FROM})
endif()
run(${OBJCOPY} --wildcard "--keep-global-symbol=siptls_*" "--keep-global-symbol=_Z*N*6siptls*"
    ${FROM} ${TO})
file(REMOVE ${FROM} ${TO}.unique)

# What BoringSSL's archives define. Weak names (V, W, u) are also templates and inline functions of
# the C++ library, which siptls may share with everybody.
list_names(names --defined-only ${SSL} ${CRYPTO})
string(REGEX MATCHALL "[^ \n]+ [ABCDGRST] |_Z[^ \n]*4bssl[^ \n]* [VWu] " defined "${names}")
list(LENGTH defined count)
if(count LESS 1000)
  file(REMOVE ${TO})
  message(FATAL_ERROR "only ${count} names in ${SSL} and ${CRYPTO}")
endif()
foreach(name IN LISTS defined)
  string(REGEX REPLACE " .*" "" name "${name}")
  set("boringssl ${name}" ON)
endforeach()

list_names(names ${TO})
# Names of type w are hooks that BoringSSL uses if a program defines them.
string(REGEX MATCHALL "[^ \n]+ [A-Zuv] " seen "${names}")
foreach(name IN LISTS seen)
  string(REGEX REPLACE " .*" "" name "${name}")
  # The second: what the archives lack, a program would take from another library.
  if(DEFINED "boringssl ${name}" OR name MATCHES
     "^((SSL|X509|EVP|BIO|CRYPTO|OPENSSL|ERR|PEM|RSA|EC|BN)_|_ZN?4bssl)")
    list(APPEND found ${name})
  endif()
endforeach()
if(found)
  list(GET found 0 first)
  list(LENGTH found count)
  file(REMOVE ${TO})
  message(FATAL_ERROR "${count} names of BoringSSL are not hidden in ${TO}, ${first} among them")
endif()
