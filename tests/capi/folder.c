#define _XOPEN_SOURCE 700

#include "folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

void folder_make(struct folder* folder) {
  const char* const place = getenv("TMPDIR");
  snprintf(folder->path, sizeof folder->path, "%s/siptls-capi-XXXXXX",
           place == NULL ? "/tmp" : place);
  REQUIRE(mkdtemp(folder->path) != NULL);
}

const char* folder_path(struct folder* folder, const char* name) {
  snprintf(folder->file, sizeof folder->file, "%s/%s", folder->path, name);
  return folder->file;
}

const char* folder_write(struct folder* folder, const char* name, const char* text) {
  FILE* const file = fopen(folder_path(folder, name), "wb");
  REQUIRE(file != NULL);
  REQUIRE(fputs(text, file) >= 0);
  REQUIRE(fclose(file) == 0);
  REQUIRE(chmod(folder->file, 0600) == 0);
  return folder->file;
}

long folder_read(struct folder* folder, const char* name, char* text, size_t room) {
  FILE* const file = fopen(folder_path(folder, name), "rb");
  if (file == NULL) return -1;
  const size_t size = fread(text, 1, room - 1, file);
  text[size] = '\0';
  fclose(file);
  return (long)size;
}

void folder_remove(const struct folder* folder) {
  DIR* const open = opendir(folder->path);
  REQUIRE(open != NULL);
  for (const struct dirent* entry = readdir(open); entry != NULL; entry = readdir(open)) {
    char path[sizeof folder->path + sizeof entry->d_name + 1];
    snprintf(path, sizeof path, "%s/%s", folder->path, entry->d_name);
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) (void)unlink(path);
  }
  closedir(open);
  CHECK(rmdir(folder->path) == 0);
}
