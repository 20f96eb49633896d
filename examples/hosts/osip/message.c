#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const char kAllow[] = "INVITE, ACK, CANCEL, BYE, OPTIONS";

void make_token(char* token) {
  unsigned char octets[(kTokenSize - 1) / 2];
  /* So few octets come at once, and always. */
  if (getrandom(octets, sizeof octets, 0) != (ssize_t)sizeof octets) abort();
  for (size_t i = 0; i < sizeof octets; ++i) sprintf(token + 2 * i, "%02x", octets[i]);
}

int is_secure(const osip_uri_t* uri) {
  return uri != NULL && uri->scheme != NULL && osip_strcasecmp(uri->scheme, "sips") == 0;
}

int is_sip(const osip_uri_t* uri) {
  return is_secure(uri) || (uri->scheme != NULL && osip_strcasecmp(uri->scheme, "sip") == 0);
}

const char* tag_of(osip_from_t* from_or_to) {
  osip_generic_param_t* tag = NULL;
  osip_from_get_tag(from_or_to, &tag);
  return tag != NULL && tag->gvalue != NULL ? tag->gvalue : "";
}

/* Sets one header; 1 if that worked. */
static int set(osip_message_t* message, int (*setter)(osip_message_t*, const char*),
               const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  const int size = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return size >= 0 && (size_t)size < sizeof text && setter(message, text) == OSIP_SUCCESS;
}

static int set_contact(osip_message_t* message, const struct self* self, int secure) {
  /* RFC 5630 section 5.1.1: sips if the request is; and there is no other way to us than TLS. */
  return set(message, osip_message_set_contact,
             secure ? "<sips:agent@%s:%u>" : "<sip:agent@%s:%u;transport=tls>", self->name,
             self->port);
}

/* `alias`: requests may come back on the connection of this one (RFC 5923). */
static int set_via(osip_message_t* message, const struct self* self) {
  char branch[kTokenSize];
  make_token(branch);
  return set(message, osip_message_set_via, "SIP/2.0/TLS %s:%u;branch=z9hG4bK%s;alias", self->name,
             self->port, branch);
}

int add_session(osip_message_t* message, const struct self* self) {
  char text[512];
  const int size =
      snprintf(text, sizeof text, "v=0\r\no=agent 0 0 IN IP4 %s\r\ns=-\r\nt=0 0\r\n", self->name);
  return osip_message_set_body(message, text, (size_t)size) == OSIP_SUCCESS &&
         osip_message_set_content_type(message, "application/sdp") == OSIP_SUCCESS;
}

/* With the request line of `method`, and Max-Forwards. */
static osip_message_t* begin(const char* method) {
  osip_message_t* message = NULL;
  if (osip_message_init(&message) != OSIP_SUCCESS) return NULL;
  osip_message_set_version(message, osip_strdup("SIP/2.0"));
  osip_message_set_method(message, osip_strdup(method));
  osip_message_set_max_forwards(message, "70");
  return message;
}

static osip_message_t* checked(osip_message_t* message, int whole) {
  if (whole) return message;
  osip_message_free(message);
  return NULL;
}

/* Neither port nor parameters have a place there (RFC 3261 section 19.1.1). */
static int set_to(osip_message_t* message, const osip_uri_t* uri) {
  const int has_user = uri->username != NULL;
  return set(message, osip_message_set_to, "<%s:%s%s%s>", uri->scheme,
             has_user ? uri->username : "", has_user ? "@" : "", uri->host);
}

osip_message_t* make_request(const struct self* self, const char* method, const char* uri) {
  char tag[kTokenSize];
  char call_id[kTokenSize];
  osip_message_t* const request = begin(method);
  if (request == NULL) return NULL;
  if (osip_uri_init(&request->req_uri) != OSIP_SUCCESS ||
      osip_uri_parse(request->req_uri, uri) != OSIP_SUCCESS || !is_sip(request->req_uri) ||
      request->req_uri->host == NULL) {
    return checked(request, 0);
  }
  const int secure = is_secure(request->req_uri);
  make_token(tag);
  make_token(call_id);
  return checked(request,
                 set_via(request, self) &&
                     set(request, osip_message_set_from, "<%s:agent@%s>;tag=%s",
                         secure ? "sips" : "sip", self->name, tag) &&
                     set_to(request, request->req_uri) &&
                     set(request, osip_message_set_call_id, "%s@%s", call_id, self->name) &&
                     set(request, osip_message_set_cseq, "1 %s", method) &&
                     set(request, osip_message_set_allow, "%s", kAllow) &&
                     set_contact(request, self, secure));
}

static int copy_vias(const osip_message_t* from, osip_message_t* to, int count) {
  for (int i = 0; i < count && !osip_list_eol(&from->vias, i); ++i) {
    osip_via_t* via = NULL;
    if (osip_via_clone(osip_list_get(&from->vias, i), &via) != OSIP_SUCCESS) return 0;
    osip_list_add(&to->vias, via, -1);
  }
  return 1;
}

/* Routes and Record-Routes are of one type. */
static int copy_routes(const osip_list_t* from, osip_list_t* to, int first) {
  for (int i = first; !osip_list_eol(from, i); ++i) {
    osip_route_t* route = NULL;
    if (osip_route_clone(osip_list_get(from, i), &route) != OSIP_SUCCESS) return 0;
    osip_list_add(to, route, -1);
  }
  return 1;
}

osip_message_t* make_cancel(const osip_message_t* invite) {
  osip_message_t* const cancel = begin("CANCEL");
  if (cancel == NULL) return NULL;
  return checked(cancel,
                 osip_uri_clone(invite->req_uri, &cancel->req_uri) == OSIP_SUCCESS &&
                     copy_vias(invite, cancel, 1) &&
                     copy_routes(&invite->routes, &cancel->routes, 0) &&
                     osip_from_clone(invite->from, &cancel->from) == OSIP_SUCCESS &&
                     osip_to_clone(invite->to, &cancel->to) == OSIP_SUCCESS &&
                     osip_call_id_clone(invite->call_id, &cancel->call_id) == OSIP_SUCCESS &&
                     set(cancel, osip_message_set_cseq, "%s CANCEL", invite->cseq->number));
}

static int is_loose(const osip_route_t* route) {
  osip_uri_param_t* loose = NULL;
  if (route->url != NULL) osip_uri_uparam_get_byname(route->url, "lr", &loose);
  return loose != NULL;
}

/* RFC 3261 section 12.2.1.1; a first hop that is a strict router gets itself as Request-URI, and
 * the remote target behind the routes. */
static int set_dialog_target(osip_message_t* request, const osip_dialog_t* dialog) {
  const osip_contact_t* const target = dialog->remote_contact_uri;
  if (target == NULL || target->url == NULL) return 0;
  const osip_route_t* const first = osip_list_get(&dialog->route_set, 0);
  if (first == NULL || is_loose(first)) {
    return osip_uri_clone(target->url, &request->req_uri) == OSIP_SUCCESS &&
           copy_routes(&dialog->route_set, &request->routes, 0);
  }
  osip_route_t* last = NULL;
  if (osip_uri_clone(first->url, &request->req_uri) != OSIP_SUCCESS ||
      !copy_routes(&dialog->route_set, &request->routes, 1) ||
      osip_route_init(&last) != OSIP_SUCCESS) {
    return 0;
  }
  osip_list_add(&request->routes, last, -1);
  return osip_uri_clone(target->url, &last->url) == OSIP_SUCCESS;
}

osip_message_t* make_dialog_request(const struct self* self, osip_dialog_t* dialog,
                                    const char* method) {
  osip_message_t* const request = begin(method);
  if (request == NULL) return NULL;
  if (strcmp(method, "ACK") != 0) ++dialog->local_cseq;
  return checked(request,
                 set_dialog_target(request, dialog) && set_via(request, self) &&
                     osip_from_clone(dialog->local_uri, &request->from) == OSIP_SUCCESS &&
                     osip_to_clone(dialog->remote_uri, &request->to) == OSIP_SUCCESS &&
                     osip_message_set_call_id(request, dialog->call_id) == OSIP_SUCCESS &&
                     set(request, osip_message_set_cseq, "%d %s", dialog->local_cseq, method));
}

/* Every extension that the request wants (RFC 3261 section 8.2.2.3): this agent has none. */
static int add_unsupported(osip_message_t* response, const osip_message_t* request) {
  osip_header_t* require = NULL;
  int at = osip_message_header_get_byname(request, "require", 0, &require);
  for (; at >= 0; at = osip_message_header_get_byname(request, "require", at + 1, &require)) {
    if (require->hvalue != NULL &&
        osip_message_set_header(response, "Unsupported", require->hvalue) != OSIP_SUCCESS) {
      return 0;
    }
  }
  return 1;
}

/* What a response to this method and with this status has besides (RFC 3261 table 2). */
static int add_particulars(osip_message_t* response, osip_message_t* request,
                           const struct self* self) {
  const int status = response->status_code;
  if (MSG_IS_INVITE(request) && status < 300) {
    const osip_record_route_t* const first = osip_list_get(&request->record_routes, 0);
    const int secure = is_secure(request->req_uri) || (first != NULL && is_secure(first->url));
    if (!copy_routes(&request->record_routes, &response->record_routes, 0) ||
        !set_contact(response, self, secure)) {
      return 0;
    }
  }
  if (status == 405 || (status / 100 == 2 && (MSG_IS_INVITE(request) || MSG_IS_OPTIONS(request)))) {
    if (!set(response, osip_message_set_allow, "%s", kAllow)) return 0;
  }
  if (MSG_IS_OPTIONS(request) && status / 100 == 2) {
    return set(response, osip_message_set_accept, "application/sdp");
  }
  return status != 420 || add_unsupported(response, request);
}

osip_message_t* make_response(const struct self* self, osip_message_t* request, int status,
                              const char* tag) {
  osip_message_t* response = NULL;
  if (osip_message_init(&response) != OSIP_SUCCESS) return NULL;
  const char* const phrase = osip_message_get_reason(status);
  osip_message_set_version(response, osip_strdup("SIP/2.0"));
  osip_message_set_status_code(response, status);
  osip_message_set_reason_phrase(response, osip_strdup(phrase != NULL ? phrase : "Response"));
  if (!copy_vias(request, response, osip_list_size(&request->vias)) ||
      osip_from_clone(request->from, &response->from) != OSIP_SUCCESS ||
      osip_to_clone(request->to, &response->to) != OSIP_SUCCESS ||
      osip_call_id_clone(request->call_id, &response->call_id) != OSIP_SUCCESS ||
      osip_cseq_clone(request->cseq, &response->cseq) != OSIP_SUCCESS) {
    return checked(response, 0);
  }
  if (*tag_of(response->to) == '\0') osip_to_set_tag(response->to, osip_strdup(tag));
  return checked(response, add_particulars(response, request, self));
}

/* An address that the text itself is. */
static int parse_address(const char* host, siptls_endpoint* address) {
  char text[SIPTLS_ENDPOINT_TEXT_SIZE];
  /* oSIP takes the brackets off an IPv6 address. */
  const int size = snprintf(text, sizeof text, strchr(host, ':') != NULL ? "[%s]" : "%s", host);
  return size > 0 && (size_t)size < sizeof text &&
         siptls_endpoint_parse(text, SIPTLS_DEFAULT_PORT, address, NULL) == SIPTLS_OK;
}

static int find_address(const struct settings* settings, const char* host,
                        siptls_endpoint* address) {
  for (size_t i = 0; i < settings->name_count; ++i) {
    if (osip_strcasecmp(settings->names[i].host, host) == 0) {
      *address = settings->names[i].address;
      return 1;
    }
  }
  return parse_address(host, address);
}

int find_route(const struct settings* settings, const osip_message_t* request,
               osip_siptls_route* route) {
  const osip_route_t* const first = osip_list_get(&request->routes, 0);
  const osip_uri_t* const uri = first != NULL && is_loose(first) ? first->url : request->req_uri;
  memset(route, 0, sizeof *route);
  if (uri == NULL || uri->host == NULL || strlen(uri->host) >= sizeof route->domain) return 0;
  memcpy(route->domain, uri->host, strlen(uri->host) + 1);
  if (!find_address(settings, uri->host, &route->remote)) return 0;
  const int port = uri->port != NULL ? osip_atoi(uri->port) : 0;
  if (port > 0 && port <= 65535) route->remote.port = (uint16_t)port;
  return 1;
}

int find_first_route(const struct settings* settings, const osip_message_t* request,
                     osip_siptls_route* route) {
  if (settings->connect.port == 0) return find_route(settings, request, route);
  memset(route, 0, sizeof *route);
  route->remote = settings->connect;
  const char* const domain = *settings->domain != '\0' ? settings->domain : request->req_uri->host;
  if (strlen(domain) >= sizeof route->domain) return 0;
  memcpy(route->domain, domain, strlen(domain) + 1);
  return 1;
}
