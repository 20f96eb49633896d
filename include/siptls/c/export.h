/* How the functions of the C interface are declared. */
#ifndef SIPTLS_C_EXPORT_H
#define SIPTLS_C_EXPORT_H

#if defined(__GNUC__)
#define SIPTLS_C_VISIBLE __attribute__((visibility("default")))
#else
#define SIPTLS_C_VISIBLE
#endif

#ifdef __cplusplus
#define SIPTLS_C_API extern "C" SIPTLS_C_VISIBLE
#else
#define SIPTLS_C_API extern SIPTLS_C_VISIBLE
#endif

#endif
