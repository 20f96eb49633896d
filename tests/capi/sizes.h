// Structs as hosts of other versions have them: heap blocks that end behind one of the fields.
#ifndef SIPTLS_TESTS_CAPI_SIZES_H
#define SIPTLS_TESTS_CAPI_SIZES_H

#include <stddef.h>

struct field {
  const char* name;
  size_t end;  // where it ends in its struct
};

#define END_OF(type, name) (offsetof(type, name) + sizeof(((type*)0)->name))
#define FIELD(type, name) \
  { #name, END_OF(type, name) }
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

// Is there a field in a struct of that size?
#define HAS(type, name, size) ((size) >= END_OF(type, name))

// A heap block of exactly that size, so that AddressSanitizer sees every octet beyond it; without
// it there are octets behind that must not change. Filled with what makes no sense.
enum { FILLER = 0xa5 };
unsigned char* block_new(size_t size);
void block_free(unsigned char* block, size_t size);

// Can a struct with a size be that large? One that ends between two fields of 4 octets cannot, and
// a size that no struct of any version has is refused: a pointer's, or what nobody has set.
int is_size_of_a_struct(size_t size);

size_t size_in(const void* block);
void set_size(void* block, size_t size);
// Whether all of these octets are that.
int all_are(const unsigned char* octets, size_t count, unsigned char octet);

#endif
