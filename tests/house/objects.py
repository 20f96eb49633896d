"""What the objects of the rooms call, read from the objects themselves: nothing prints, reads a
clock or the environment or ends the process, and the system is called from src/base/os and src/net
alone.

objects.py NM OBJECT...
"""

import os
import re
import sys

import common

NEVER = {
    "printf": "prints", "puts": "prints", "putchar": "prints", "vprintf": "prints",
    "perror": "prints", "_ZSt4cout": "prints", "_ZSt4cerr": "prints", "_ZSt4clog": "prints",
    "stdout": "prints", "exit": "ends the process", "_exit": "ends the process",
    "__assert_fail": "ends the process",
    "getenv": "reads the environment", "secure_getenv": "reads the environment",
    "rand": "guesses", "system": "starts a program", "sleep": "sleeps", "usleep": "sleeps",
    "nanosleep": "sleeps", "clock_nanosleep": "sleeps",
}
CLOCK = {"_ZNSt6chrono3_V212system_clock3nowEv", "_ZNSt6chrono3_V212steady_clock3nowEv",
         "clock_gettime", "gettimeofday", "time", "adjtimex", "ntp_adjtime"}
SYSTEM = set("""socket bind listen accept accept4 connect shutdown send sendto sendmsg recv recvfrom
    recvmsg read write readv writev pread pwrite open open64 openat close fcntl fcntl64 ioctl poll
    ppoll select epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd_read eventfd_write
    timerfd_create timerfd_settime getsockopt setsockopt getsockname getpeername stat stat64 fstat
    fstat64 lstat lstat64 opendir readdir readdir64 closedir fopen fopen64 fread fwrite_unlocked
    mmap munmap pipe pipe2 fork getpid dladdr dlopen dlsym inet_pton inet_ntop getaddrinfo
    """.split())
# What fmt, compiled in header-only, brings along without being called by us: its own checks
# (assert_fail) and its stream output.
OF_FMT = {"abort", "fprintf", "fwrite", "fputs", "stderr"}


def symbols(nm, path):
    """What an object leaves open, and whether fmt is compiled into it."""
    opened, with_fmt = set(), False
    for line in common.run_or_fail([nm, "--format=posix", path]).splitlines():
        words = line.split()
        if len(words) >= 2 and words[1] in ("U", "w"):
            opened.add(re.sub(r"@.*", "", words[0]))
        with_fmt = with_fmt or line.startswith(("_ZN3fmt", "_ZNK3fmt"))
    return opened, with_fmt


def problems_of(path, called, with_fmt):
    room = re.search(r"/src/(\w+)/CMakeFiles/", path)
    place = re.search(r"/CMakeFiles/[^/]+\.dir/(.*)$", path)
    if not room or not place:
        return [f"{path}: an object of no room"]
    name = os.path.normpath(f"src/{room.group(1)}/{place.group(1)}")
    problems = [f"{name}: {symbol} {NEVER[symbol]}" for symbol in sorted(called & set(NEVER))]
    if not name.startswith("src/base/os/"):
        problems += [f"{name}: {symbol} reads a clock" for symbol in sorted(called & CLOCK)]
        if not name.startswith("src/net/"):
            problems += [f"{name}: {symbol} calls the system" for symbol in sorted(called & SYSTEM)]
    if not with_fmt:
        problems += [f"{name}: {symbol}, and there is no fmt in it" for symbol in sorted(called & OF_FMT)]
    return problems


def main():
    nm, objects = sys.argv[1], sys.argv[2:]
    problems, seen = [], set()
    for path in objects:
        called, with_fmt = symbols(nm, path)
        seen |= called
        problems += problems_of(path, called, with_fmt)
    blind = "/x/src/tls/CMakeFiles/siptls_tls.dir/a.cpp.o"
    for symbol in ("printf", "_ZSt4cerr", "clock_gettime", "socket", "getenv", "abort"):
        if not problems_of(blind, {symbol}, False):
            problems.append(f"this test is blind to {symbol}")
    # The rooms that may call the system do, so the names above are the right ones.
    for symbol in ("epoll_wait", "socket", "SSL_new"):
        if not any(symbol in name for name in seen):
            problems.append(f"no object calls {symbol}: are these all the objects?")
    for line in problems:
        print(line)
    print(f"{len(objects)} objects, {len(problems)} problems")
    if problems:
        common.fail("see above")


if __name__ == "__main__":
    main()
