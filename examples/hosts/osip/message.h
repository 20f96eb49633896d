/* The messages of a user agent, made with oSIP's parser (RFC 3261 sections 8, 9, 12 and 13). All
 * return NULL if there is no memory or a part cannot be read.
 */
#ifndef OSIP_MESSAGE_H
#define OSIP_MESSAGE_H

#include "osip_siptls.h"
#include "settings.h"

/* How this agent calls itself: in From, Contact and sent-by. */
struct self {
  char name[256];
  unsigned port;
};

/* Random text for a tag, branch or Call-ID, with its NUL. */
enum { kTokenSize = 25 };
void make_token(char* token);

/* Outside of dialogs. */
osip_message_t* make_request(const struct self* self, const char* method, const char* uri);
/* The same URI, Via, dialog and CSeq (section 9.1). */
osip_message_t* make_cancel(const osip_message_t* invite);
/* Within a dialog (section 12.2.1.1); an ACK has the number of its INVITE, others the next one. */
osip_message_t* make_dialog_request(const struct self* self, osip_dialog_t* dialog,
                                    const char* method);
/* `tag` is put to To if that has none (section 8.2.6.2). */
osip_message_t* make_response(const struct self* self, osip_message_t* request, int status,
                              const char* tag);

/* "application/sdp": a session without media, which is all that this agent has to offer. */
int add_session(osip_message_t* message, const struct self* self);

/* Where a request goes: its first Route or its URI, with the addresses of the settings. 0 if the
 * host there has no address. */
int find_route(const struct settings* settings, const osip_message_t* request,
               osip_siptls_route* route);
/* Likewise for a request that begins something, and may have to go elsewhere. */
int find_first_route(const struct settings* settings, const osip_message_t* request,
                     osip_siptls_route* route);

/* "" where there is none. */
const char* tag_of(osip_from_t* from_or_to);
int is_secure(const osip_uri_t* uri);
int is_sip(const osip_uri_t* uri); /* or sips */

#endif
