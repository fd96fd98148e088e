"""Each request comes from a network of its own, as the portal would say, and who is signed in goes on as another
customer before he has changed too much: limits are not what is tried here, and would answer in place of everything
else."""

import itertools
import os

import schemathesis

sources = itertools.count(0x1000)
# An account may change 300 things in five minutes.
CHANGES_MAX = 250
tokens = os.environ["INNKEEPER_SESSIONS"].split()
changes = 0


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(sources)
    case.headers["X-Forwarded-For"] = f"2a{number >> 16:02x}:{number & 0xffff:x}::1"
    if case.headers.get("Authorization") == "Bearer customer":
        global changes
        changes += case.method != "GET"
        case.headers["Authorization"] = f"Bearer {tokens[changes // CHANGES_MAX % len(tokens)]}"
