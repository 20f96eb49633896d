// A folder of a test's own for the files that it needs.
#ifndef SIPTLS_TESTS_CAPI_FOLDER_H
#define SIPTLS_TESTS_CAPI_FOLDER_H

#include <stddef.h>

struct folder {
  char path[256];
  char file[512];  // the path of the last file that was named
};

void folder_make(struct folder* folder);
// The path of a file in it.
const char* folder_path(struct folder* folder, const char* name);
// Writes a file that its owner alone can read. Gives its path.
const char* folder_write(struct folder* folder, const char* name, const char* text);
// Reads a file's text, at most `room` - 1 octets; -1 if it is not there.
long folder_read(struct folder* folder, const char* name, char* text, size_t room);
// Removes the folder and the files in it.
void folder_remove(const struct folder* folder);

#endif
