// A host's malloc() in place of the C library's. It never uses memory again, and ends the process
// when it is given back what it has not given.
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, HEADER = ALIGNMENT };
#define ROOM ((size_t)512 << 20)

static _Alignas(64) char arena[ROOM];
static atomic_size_t used;

static void* take(size_t alignment, size_t size) {
  if (size > ROOM || alignment > ROOM) return NULL;
  const size_t at = atomic_fetch_add(&used, size + alignment + HEADER + ALIGNMENT);
  uintptr_t place = (uintptr_t)arena + at + HEADER;
  place = (place + alignment - 1) & ~(uintptr_t)(alignment - 1);
  if (place + size > (uintptr_t)arena + ROOM) return NULL;
  memcpy((void*)(place - sizeof size), &size, sizeof size);
  return (void*)place;
}

void* malloc(size_t size) { return take(ALIGNMENT, size); }

void free(void* memory) {
  const char* const place = memory;
  if (place != NULL && (place < arena || place >= arena + ROOM)) abort();
}

void* calloc(size_t count, size_t size) {
  if (size != 0 && count > ROOM / size) return NULL;
  return take(ALIGNMENT, count * size);  // fresh memory is zero
}

void* realloc(void* memory, size_t size) {
  free(memory);
  void* const other = take(ALIGNMENT, size);
  if (memory != NULL && other != NULL) {
    size_t before;
    memcpy(&before, (const char*)memory - sizeof before, sizeof before);
    memcpy(other, memory, before < size ? before : size);
  }
  return other;
}

void* aligned_alloc(size_t alignment, size_t size) {
  return take(alignment < ALIGNMENT ? ALIGNMENT : alignment, size);
}

void* memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }

int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = aligned_alloc(alignment, size);
  return *memory == NULL ? ENOMEM : 0;
}
