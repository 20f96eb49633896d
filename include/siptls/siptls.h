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
 * Functions that look something up return 1 and fill a struct, whose `size` the host has set, or 0.
 *
 * Structs begin with `size`, which the host sets to sizeof of the struct, as its init function does
 * when given that number. A program that was built against an older header goes on working: fields
 * that its struct does not have keep their defaults. One built against a newer header works too as
 * long as it leaves the fields that this library does not know at 0; otherwise it is told
 * SIPTLS_E_INVALID_ARGUMENT. Numbers given to enumerators never change.
 *
 * Structs that the host fills go through their init function: what is 0 there is not always what
 * siptls would choose. Fields that are called `reserved` are 0.
 *
 * Callbacks must return: an exception or longjmp() through the library, or a thread cancelled
 * inside it, ends the process. What they are given to find their way (`context`) must live as long
 * as the object that they were given to: the clock and the log until the transport's end, a key log
 * until that of its context and of all transports that have it.
 *
 * Threads: contexts, credentials, trust stores and ticket keys may be used by several; a transport,
 * framer, trace, metrics or error object by one at a time.
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
