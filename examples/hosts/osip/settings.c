#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

static const char kHelp[] =
    "osip-agent: a SIP user agent on GNU oSIP that speaks TLS alone. It is called and, with "
    "--call\n"
    "or --options, calls; then it ends when that is done, otherwise at SIGINT or SIGTERM.\n\n"
    "  --listen IP[:PORT]        where it is called; port 5061 if left out, 0 picks one\n"
    "  --credentials DIR         privateKey.pem, publickey.pem and CAList.pem in DIR\n"
    "  --key FILE --cert FILE --ca FILE\n"
    "                            or each by itself\n"
    "  --identity NAME           own domain (the first that the certificate proves)\n"
    "  --resolve NAME=IP[:PORT]  the address of a domain; may be repeated\n"
    "  --call URI                call, with INVITE, ACK and BYE\n"
    "  --options URI             ask, with OPTIONS\n"
    "  --count N                 that many times, one after the other (1)\n"
    "  --connect IP[:PORT]       send these requests there instead of where the URI points\n"
    "  --domain NAME             what the peer there must prove (the URI's host)\n"
    "  --cancel-after DURATION   cancel a call that rings for so long\n"
    "  --ring DURATION|forever   let it ring before a call is answered (0s)\n"
    "  --reject STATUS           answer calls with this status, 300 to 699\n"
    "  --hang-up DURATION|never  end a call after that (own calls: 0s, others: never)\n"
    "  --timeout DURATION        cancel an own call that is not answered (180s)\n"
    "  --json                    one object a line on standard output\n"
    "  --help                    this text\n\n"
    "Exit code: 0 done or ended by a signal, 1 a call or a request failed, 2 bad usage.\n";

enum option_id {
  kListen = 256,
  kCredentials,
  kKey,
  kCert,
  kCa,
  kIdentity,
  kResolve,
  kCall,
  kOptions,
  kCount,
  kConnect,
  kDomain,
  kCancelAfter,
  kRing,
  kReject,
  kHangUp,
  kTimeout,
  kJson,
  kHelpWanted
};

static const struct option kLong[] = {{"listen", required_argument, NULL, kListen},
                                      {"credentials", required_argument, NULL, kCredentials},
                                      {"key", required_argument, NULL, kKey},
                                      {"cert", required_argument, NULL, kCert},
                                      {"ca", required_argument, NULL, kCa},
                                      {"identity", required_argument, NULL, kIdentity},
                                      {"resolve", required_argument, NULL, kResolve},
                                      {"call", required_argument, NULL, kCall},
                                      {"options", required_argument, NULL, kOptions},
                                      {"count", required_argument, NULL, kCount},
                                      {"connect", required_argument, NULL, kConnect},
                                      {"domain", required_argument, NULL, kDomain},
                                      {"cancel-after", required_argument, NULL, kCancelAfter},
                                      {"ring", required_argument, NULL, kRing},
                                      {"reject", required_argument, NULL, kReject},
                                      {"hang-up", required_argument, NULL, kHangUp},
                                      {"timeout", required_argument, NULL, kTimeout},
                                      {"json", no_argument, NULL, kJson},
                                      {"help", no_argument, NULL, kHelpWanted},
                                      {NULL, 0, NULL, 0}};

static int mistake(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  output_error(NULL, SIPTLS_E_INVALID_ARGUMENT, text);
  fputs("osip-agent --help tells how it is used\n", stderr);
  return kBadUsage;
}

static int copy(char* to, size_t size, const char* text) {
  if (strlen(text) >= size) return mistake("\"%.40s...\" is too long", text);
  memcpy(to, text, strlen(text) + 1);
  return kRun;
}

static int credentials(struct settings* settings, const char* folder) {
  char* const paths[] = {settings->key, settings->chain, settings->trust};
  static const char* const kFiles[] = {"privateKey.pem", "publickey.pem", "CAList.pem"};
  for (int i = 0; i < 3; ++i) {
    if (strlen(folder) + 32 > sizeof settings->key) return mistake("--credentials is too long");
    snprintf(paths[i], sizeof settings->key, "%s/%s", folder, kFiles[i]);
  }
  return kRun;
}

static int number(const char* name, const char* text, uint64_t least, uint64_t most,
                  uint64_t* value) {
  char* end = NULL;
  errno = 0;
  *value = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || *value < least || *value > most) {
    return mistake("%s is \"%s\", not a number from %llu to %llu", name, text,
                   (unsigned long long)least, (unsigned long long)most);
  }
  return kRun;
}

/* "500ms", "30s", "2m"; `never` is the word for -1, or NULL. */
static int duration(const char* name, const char* text, const char* never, int64_t* value) {
  static const struct {
    const char* word;
    int64_t factor;
  } kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  if (never != NULL && strcmp(text, never) == 0) {
    *value = -1;
    return kRun;
  }
  char* end = NULL;
  const unsigned long long count = strtoull(text, &end, 10);
  if (*text >= '0' && *text <= '9' && count <= 1000000) {
    for (size_t i = 0; i < sizeof kUnits / sizeof *kUnits; ++i) {
      if (strcmp(end, kUnits[i].word) == 0) {
        *value = (int64_t)count * kUnits[i].factor;
        return kRun;
      }
    }
  }
  return mistake("%s is \"%s\", not a duration such as 500ms, 30s or 2m", name, text);
}

static int endpoint(const char* name, const char* text, siptls_endpoint* value) {
  if (siptls_endpoint_parse(text, SIPTLS_DEFAULT_PORT, value, NULL) == SIPTLS_OK) return kRun;
  return mistake("%s is \"%s\", not IP[:PORT]", name, text);
}

static int resolve(struct settings* settings, const char* text) {
  const char* const equals = strchr(text, '=');
  if (equals == NULL) return mistake("--resolve is \"%s\", not NAME=IP[:PORT]", text);
  if (settings->name_count == kMaxNames) return mistake("more than %d names", kMaxNames);
  struct name* const entry = &settings->names[settings->name_count];
  const size_t size = (size_t)(equals - text);
  if (size == 0 || size >= sizeof entry->host) return mistake("--resolve is \"%s\"", text);
  memcpy(entry->host, text, size);
  entry->host[size] = '\0';
  ++settings->name_count;
  return endpoint("--resolve", equals + 1, &entry->address);
}

static int take(struct settings* settings, int option, const char* text) {
  uint64_t value = 0;
  int code = kRun;
  switch (option) {
    case kListen:
      return endpoint("--listen", text, &settings->listen);
    case kCredentials:
      return credentials(settings, text);
    case kKey:
      return copy(settings->key, sizeof settings->key, text);
    case kCert:
      return copy(settings->chain, sizeof settings->chain, text);
    case kCa:
      return copy(settings->trust, sizeof settings->trust, text);
    case kIdentity:
      return copy(settings->identity, sizeof settings->identity, text);
    case kResolve:
      return resolve(settings, text);
    case kCall:
      settings->call = text;
      return kRun;
    case kOptions:
      settings->options = text;
      return kRun;
    case kCount:
      return number("--count", text, 1, 1000000, &settings->count);
    case kConnect:
      return endpoint("--connect", text, &settings->connect);
    case kDomain:
      return copy(settings->domain, sizeof settings->domain, text);
    case kCancelAfter:
      return duration("--cancel-after", text, NULL, &settings->cancel_after);
    case kRing:
      return duration("--ring", text, "forever", &settings->ring);
    case kReject:
      code = number("--reject", text, 300, 699, &value);
      settings->reject = (unsigned)value;
      return code;
    case kHangUp:
      code = duration("--hang-up", text, "never", &settings->hang_up);
      settings->hang_up_theirs = settings->hang_up;
      return code;
    case kTimeout:
      return duration("--timeout", text, NULL, &settings->timeout);
    case kJson:
      return kRun;
    case kHelpWanted:
      fputs(kHelp, stdout);
      return kSuccess;
    default:
      return mistake("an option is unknown or lacks its argument");
  }
}

int settings_read(struct settings* settings, int argc, char** argv) {
  /* Looked for first, so that every mistake is told in the right form. */
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--json") == 0) output_use_json(1);
  }
  memset(settings, 0, sizeof *settings);
  settings->count = 1;
  settings->cancel_after = -1;
  settings->hang_up_theirs = -1;
  settings->timeout = 180 * 1000;
  int option = 0;
  opterr = 0;
  while ((option = getopt_long(argc, argv, "", kLong, NULL)) != -1) {
    const int code = take(settings, option, optarg);
    if (code != kRun) return code;
  }
  if (optind < argc) return mistake("\"%s\" is no option", argv[optind]);
  if (settings->listen.family == 0) return mistake("--listen is missing: a user agent is called");
  if (*settings->key == '\0' || *settings->chain == '\0' || *settings->trust == '\0') {
    return mistake("--credentials, or --key, --cert and --ca, are missing");
  }
  if (settings->call != NULL && settings->options != NULL) {
    return mistake("--call and --options do not go together");
  }
  return kRun;
}
