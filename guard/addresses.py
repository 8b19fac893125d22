"""Requests that stay out of private networks, for addresses that others may name."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

import httpx


class PublicOnly(httpx.AsyncBaseTransport):
    """Sends requests to public addresses only; httpx.ConnectError for private, loopback, link-local and reserved ones.

    A name is looked up once, every address that it has is judged, and the connection goes to one of these: a name that
    means something else a moment later leads nowhere else. Proxies of the environment are not used.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport | None = None) -> None:
        # No connection is kept: one that was made for a name would be used for others at the same address.
        self._inner = inner or httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of a public host."""
        host = request.url.host
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            raise httpx.ConnectError("the host's name is not known", request=request) from None
        addresses = [str(one[4][0]) for one in found]
        if not addresses or not all(map(is_public, addresses)):
            raise httpx.ConnectError("the host is not at a public address", request=request)
        # The Host header was made of the name already, and TLS goes on to ask for it.
        request.url = request.url.copy_with(host=addresses[0])
        request.extensions = {**request.extensions, "sni_hostname": host}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the internet's, also where it stands inside of an IPv6 one."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inside = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inside is not None:
            found = inside
        elif found in ipaddress.ip_network("64:ff9b::/96"):  # NAT64
            found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.is_global and not found.is_multicast
