// Symbol visibility. The library is built with hidden visibility; SIPTLS_API marks what it exports.
#pragma once

#define SIPTLS_API __attribute__((visibility("default")))
