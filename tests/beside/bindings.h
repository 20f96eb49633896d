// Which file each TLS function that a file of this process calls was bound to by the dynamic
// linker.
#ifndef SIPTLS_TESTS_BESIDE_BINDINGS_H
#define SIPTLS_TESTS_BESIDE_BINDINGS_H

// Prints `bound: CALLER -> CALLED: COUNT, such as NAME` for each pair of files of which CALLED has
// one of the two libraries, or a function of such a name is not bound yet. Gives 0 where it cannot
// tell.
int print_bindings(void);

#endif
