"""Whether a port is free for a server that is about to be started."""

import socket


def why_taken(host: str, port: int) -> str | None:
    """Why nobody can listen there now, in the system's words; None where a server can.

    As for servers, a port whose last connection is still fading counts as free.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return None
