/* A program in C that uses the installed library. */
#include <siptls/siptls.h>
#include <stdio.h>

int main(void) {
  siptls_trust_store* store = NULL;
  siptls_build_info info = {0};
  int reason = siptls_trust_store_from_pem("", 0, NULL, &store, NULL);
  info.size = sizeof info;
  if (siptls_get_build_info(&info, NULL) != SIPTLS_OK) return 1;
  printf("siptls %s: %d, on BoringSSL API %u in %s\n", siptls_version(), reason,
         (unsigned)info.boringssl_api, info.boringssl_file);
  return reason == SIPTLS_E_PEM_EMPTY && store == NULL ? 0 : 1;
}
