#include "sizes.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(HAS_ADDRESS_SANITIZER)
enum { FENCE = 0 };
#else
enum { FENCE = 64 };
#endif

unsigned char* block_new(size_t size) {
  unsigned char* const block = malloc(size + FENCE);
  REQUIRE(block != NULL);
  memset(block, FILLER, size + FENCE);
  return block;
}

void block_free(unsigned char* block, size_t size) {
  CHECK(all_are(block + size, FENCE, FILLER));
  free(block);
}

int is_size_of_a_struct(size_t size) {
  return size > sizeof size && size <= 4096 && size % sizeof(void*) == 0;
}

size_t size_in(const void* block) {
  size_t size = 0;
  memcpy(&size, block, sizeof size);
  return size;
}

void set_size(void* block, size_t size) { memcpy(block, &size, sizeof size); }

int all_are(const unsigned char* octets, size_t count, unsigned char octet) {
  for (size_t i = 0; i < count; ++i) {
    if (octets[i] != octet) return 0;
  }
  return 1;
}
