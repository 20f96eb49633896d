/* siptls for C: SIP over TLS for any SIP stack (C99).
 *
 * Objects are opaque: X_new or X_from_... makes one, X_free ends it (and takes NULL). Memory never
 * changes hands: what the host gives is copied unless a comment says that it is lent, and what the
 * library shows belongs to the object that shows it. The order in which objects are freed does not
 * matter, but a message, path, peer or error that belongs to an object lives no longer than it.
 *
 * Functions that can fail return SIPTLS_OK or a reason (siptls/c/error.h), write their result
 * through a pointer only when they succeed, and take a siptls_error that may be NULL. A NULL where
 * it is not allowed is SIPTLS_E_INVALID_ARGUMENT; functions that only tell something answer 0, NULL
 * or an empty view.
 *
 * Structs begin with `size`, which the host sets to sizeof of the struct, as its init function does
 * when given that number. A program that was built against an older header goes on working: fields
 * that its struct does not have keep their defaults. One built against a newer header works too as
 * long as it leaves the fields that this library does not know at 0; otherwise it is told
 * SIPTLS_E_INVALID_ARGUMENT. Numbers given to enumerators never change.
 *
 * Threads: contexts, credentials, trust stores and ticket keys may be used by several; a transport,
 * framer, trace or metrics object by one at a time.
 */
#ifndef SIPTLS_H
#define SIPTLS_H

#include "siptls/c/common.h"
#include "siptls/c/context.h"
#include "siptls/c/credentials.h"
#include "siptls/c/error.h"
#include "siptls/c/event.h"
#include "siptls/c/framer.h"
#include "siptls/c/message.h"
#include "siptls/c/metrics.h"
#include "siptls/c/policy.h"
#include "siptls/c/transport.h"
#include "siptls/c/transport_options.h"
#include "siptls/c/trust_store.h"

#endif
