#!/usr/bin/env python3
"""The calls of osip_calls.py and osip_wire.py under valgrind: an agent frees what it took,
and touches nothing else, however its calls and connections end."""

import osips
import osip_calls
import osip_wire
from peers import main

osips.under_valgrind = True


def rows(report):
    osip_calls.rows(report)
    osip_wire.rows(report)


if __name__ == "__main__":
    main(__doc__, rows)
