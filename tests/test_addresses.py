"""Requests to addresses that others name stay out of private networks."""

import asyncio

import httpx
import pytest

from guard.addresses import PublicOnly, is_public


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::a9fe:a9fe"),
    ],
)
def test_addresses_of_private_networks_are_not_public_in_any_dress(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)


async def sent(monkeypatch, url, addresses):
    """The requests that go out for a URL whose host has these addresses."""
    requests = []

    async def look_up(*arguments, **more):
        return [(2, 1, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    inner = httpx.MockTransport(lambda request: requests.append(request) or httpx.Response(200))
    async with httpx.AsyncClient(transport=PublicOnly(inner)) as client:
        await client.post(url, content=b"{}")
    return requests


async def test_a_request_goes_to_the_address_that_was_judged_under_the_name_that_was_given(monkeypatch):
    (request,) = await sent(monkeypatch, "https://hooks.example/x", ["1.1.1.1"])
    assert request.url == "https://1.1.1.1/x"
    assert request.headers["host"] == "hooks.example"
    assert request.extensions["sni_hostname"] == "hooks.example"


async def test_a_name_with_one_private_address_among_others_is_refused(monkeypatch):
    with pytest.raises(httpx.ConnectError, match="public"):
        await sent(monkeypatch, "https://hooks.example/x", ["1.1.1.1", "10.0.0.1"])
