"""Becomes another program in a network that has nothing but a loopback: `python -m bench.peers.loopback PROGRAM …`.

Ray and Thespian listen on every address, whatever they are told, and SPADE's server on that of the machine. In here
there is the loopback alone, for the kernel gives the process a network namespace of its own, and a user namespace that
permits it; the user stays the same.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_ITSELF = Path("/proc/self")


def enter() -> None:
    """Leave the network of the machine for one of the process's own, with its loopback up; raises OSError."""
    user, group = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "unshare")
    (_ITSELF / "setgroups").write_text("deny", encoding="ascii")
    (_ITSELF / "uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    (_ITSELF / "gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))


def main() -> None:
    """Enter that network and become the program that the command line names."""
    try:
        enter()
    except OSError as error:
        sys.stderr.write(f"the kernel gives it no network of its own: {error}\n")
        raise SystemExit(1) from None
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 (the command is ours, a list, and needs no shell)


if __name__ == "__main__":
    main()
