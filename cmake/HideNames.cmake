# Makes every name of an object local but siptls' own, and stops the build if one of BoringSSL's is
# still to be seen:
#   cmake -DNM=nm -DOBJCOPY=objcopy -DFROM=merged.o -DTO=hidden.o -P HideNames.cmake

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}")
  endif()
endfunction()

function(list_names object out)
  execute_process(COMMAND ${NM} --extern-only --format=posix ${object}
                  OUTPUT_VARIABLE names RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${NM} cannot read ${object}")
  endif()
  set(${out} "${names}" PARENT_SCOPE)
endfunction()

# objcopy leaves names of type u (STB_GNU_UNIQUE, which GCC gives to static data of templates and
# inline functions) as they are, unless they are made weak before.
list_names(${FROM} names)
string(REGEX MATCHALL "[^ \n]+ u " unique "${names}")
list(TRANSFORM unique REPLACE " u $" "\n")
list(JOIN unique "" unique)
file(WRITE ${TO}.unique "${unique}")
run(${OBJCOPY} --weaken-symbols=${TO}.unique ${FROM})
run(${OBJCOPY} --wildcard "--keep-global-symbol=siptls_*" "--keep-global-symbol=_Z*N*6siptls*"
    ${FROM} ${TO})
file(REMOVE ${FROM} ${TO}.unique)

list_names(${TO} names)
# Names of type w are hooks that BoringSSL uses if a program defines them.
string(REGEX MATCHALL
       "(^|\n)((SSL|X509|EVP|BIO|CRYPTO|OPENSSL|ERR|RSA|EC|BN)_|_ZN?4bssl)[A-Za-z0-9_]+ [^w]"
       found "${names}")
if(found)
  list(GET found 0 first)
  list(LENGTH found count)
  string(STRIP "${first}" first)
  file(REMOVE ${TO})
  message(FATAL_ERROR "${count} names of BoringSSL are not hidden in ${TO}, ${first} among them")
endif()
