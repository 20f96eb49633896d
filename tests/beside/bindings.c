#include "bindings.h"

#include <link.h>
#include <stdio.h>
#include <string.h>

// Relocations that hold the address of a function.
#if defined(__x86_64__)
enum { KNOWN = 1, ADDRESS = R_X86_64_64, DATA = R_X86_64_GLOB_DAT, CALL = R_X86_64_JUMP_SLOT };
#elif defined(__aarch64__)
enum {
  KNOWN = 1,
  ADDRESS = R_AARCH64_ABS64,
  DATA = R_AARCH64_GLOB_DAT,
  CALL = R_AARCH64_JUMP_SLOT
};
#else
enum { KNOWN = 0, ADDRESS = -1, DATA = -2, CALL = -3 };
#endif

enum { MOST_PAIRS = 64, MOST_FILES = 64 };

// Where the files of this process are. (dladdr() would look for the name of each function too,
// which takes long.)
static struct file {
  const char* name;
  ElfW(Addr) base, begin, end;
} files[MOST_FILES];
static int file_count;

static struct pair {
  const char* caller;
  const char* called;
  const char* name;
  int count;
} pairs[MOST_PAIRS];

static const char* file_name(const char* path) {
  const char* const slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

static const struct file* file_at(ElfW(Addr) address) {
  for (int i = 0; i < file_count; ++i) {
    if (address >= files[i].begin && address < files[i].end) return &files[i];
  }
  return NULL;
}

static int remember(struct dl_phdr_info* object, size_t size, void* nothing) {
  (void)size;
  (void)nothing;
  if (file_count == MOST_FILES) return 1;
  struct file* const file = &files[file_count++];
  file->name = object->dlpi_name[0] ? file_name(object->dlpi_name) : "host";
  file->base = object->dlpi_addr;
  file->begin = (ElfW(Addr)) - 1;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)* const part = &object->dlpi_phdr[i];
    if (part->p_type != PT_LOAD) continue;
    const ElfW(Addr) begin = object->dlpi_addr + part->p_vaddr;
    if (begin < file->begin) file->begin = begin;
    if (begin + part->p_memsz > file->end) file->end = begin + part->p_memsz;
  }
  return 0;
}

static int starts_with(const char* text, const char* start) {
  return strncmp(text, start, strlen(start)) == 0;
}

static int is_tls_name(const char* name) {
  static const char* const kStart[] = {"SSL_", "TLS_", "X509_", "EVP_", "CRYPTO_", "BIO_", "ERR_"};
  for (size_t i = 0; i < sizeof kStart / sizeof kStart[0]; ++i) {
    if (starts_with(name, kStart[i])) return 1;
  }
  return 0;
}

static void count(const char* caller, const char* called, const char* name) {
  for (int i = 0; i < MOST_PAIRS; ++i) {
    struct pair* const pair = &pairs[i];
    if (pair->count == 0) *pair = (struct pair){caller, called, name, 0};
    if (strcmp(pair->caller, caller) == 0 && strcmp(pair->called, called) == 0) {
      ++pair->count;
      return;
    }
  }
}

static void look_at(const struct dl_phdr_info* object, const ElfW(Sym) * symbols,
                    const char* strings, const ElfW(Rela) * rows, size_t size) {
  const char* const caller = object->dlpi_name[0] ? file_name(object->dlpi_name) : "host";
  for (size_t i = 0; i < size / sizeof *rows; ++i) {
    const int type = (int)ELF64_R_TYPE(rows[i].r_info);
    const size_t symbol = (size_t)ELF64_R_SYM(rows[i].r_info);
    if (symbol == 0 || (type != ADDRESS && type != DATA && type != CALL)) continue;
    const char* const name = strings + symbols[symbol].st_name;
    const struct file* const found = file_at(*(ElfW(Addr)*)(object->dlpi_addr + rows[i].r_offset));
    if (found == NULL) continue;
    // What is not called yet leads back into the caller.
    const int open =
        type == CALL && symbols[symbol].st_shndx == SHN_UNDEF && found->base == object->dlpi_addr;
    const char* const called = open ? "not bound yet" : found->name;
    if ((open && is_tls_name(name)) || starts_with(called, "libssl.so") ||
        starts_with(called, "libcrypto.so")) {
      count(caller, called, name);
    }
  }
}

static int look_at_object(struct dl_phdr_info* object, size_t size, void* nothing) {
  (void)size;
  (void)nothing;
  const ElfW(Dyn)* row = NULL;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    if (object->dlpi_phdr[i].p_type == PT_DYNAMIC) {
      row = (const ElfW(Dyn)*)(object->dlpi_addr + object->dlpi_phdr[i].p_vaddr);
    }
  }
  // The kernel's own object is not relocated.
  if (row == NULL || starts_with(object->dlpi_name, "linux-vdso")) return 0;
  ElfW(Addr) symbols = 0, strings = 0, calls = 0, others = 0;
  size_t calls_size = 0, others_size = 0;
  for (; row->d_tag != DT_NULL; ++row) {
    if (row->d_tag == DT_SYMTAB) symbols = row->d_un.d_ptr;
    if (row->d_tag == DT_STRTAB) strings = row->d_un.d_ptr;
    if (row->d_tag == DT_JMPREL) calls = row->d_un.d_ptr;
    if (row->d_tag == DT_PLTRELSZ) calls_size = row->d_un.d_val;
    if (row->d_tag == DT_RELA) others = row->d_un.d_ptr;
    if (row->d_tag == DT_RELASZ) others_size = row->d_un.d_val;
  }
  if (symbols == 0 || strings == 0) return 0;
  look_at(object, (const ElfW(Sym)*)symbols, (const char*)strings, (const ElfW(Rela)*)calls,
          calls_size);
  look_at(object, (const ElfW(Sym)*)symbols, (const char*)strings, (const ElfW(Rela)*)others,
          others_size);
  return 0;
}

int print_bindings(void) {
  if (!KNOWN) return 0;
  dl_iterate_phdr(&remember, NULL);
  dl_iterate_phdr(&look_at_object, NULL);
  for (int i = 0; i < MOST_PAIRS && pairs[i].count != 0; ++i) {
    printf("bound: %s -> %s: %d, such as %s\n", pairs[i].caller, pairs[i].called, pairs[i].count,
           pairs[i].name);
  }
  return 1;
}
