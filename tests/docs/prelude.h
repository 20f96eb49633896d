/* What the C snippets of the documents take for granted; see prelude.hpp. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "siptls/siptls.h"

/* The host's. */
void handle(const siptls_event* event);

/* Objects that a host has by then. */
extern siptls_transport* transport;
extern siptls_error* error;
extern siptls_context* context;
