// What the five servers of this folder share: everything but the loop.
//
// Usage of each: siptls-echo-LOOP FOLDER [IP[:PORT]], where siptls-pki has put a server's files.
// It prints where it listens, proves itself, asks every client for proof, answers every request
// but ACK with 200 OK, and ends with 0 on SIGTERM when everybody was told goodbye.
#pragma once

#include "siptls/siptls.hpp"

namespace echo {

// Makes the transport that the command line asks for and gives it to `loop`, which returns when the
// server is to end. The exit code of main().
int run(int argc, char** argv, void (*loop)(siptls::TlsTransport& transport));

// What a host does with an event: here it answers requests.
void handle(siptls::TlsTransport& transport, const siptls::Event& event);

}  // namespace echo
