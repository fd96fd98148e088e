"""Each request comes from a network of its own, as the portal would say: the limits on sign-ups and wrong passwords
are not what is tried here, and would answer in place of everything else."""

import itertools

import schemathesis

sources = itertools.count(0x1000)


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(sources)
    case.headers["X-Forwarded-For"] = f"2a{number >> 16:02x}:{number & 0xffff:x}::1"
