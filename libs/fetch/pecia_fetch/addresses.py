"""Which addresses may be asked: public ones, and those the settings name."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

# In a cluster that speaks only IPv6 every IPv4 host stands behind it.
_NAT64 = IPv6Network("64:ff9b::/96")
# All that is given out of IPv6; the rest is local, or nobody's.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Tunnels, whose far end cannot be told, and ranges for examples and protocols.
_SPECIAL = tuple(
    map(
        ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)


class AllowedAddresses:
    """Public addresses, and private ones that were named on purpose."""

    def __init__(self, private_hosts: Iterable[str] = ()) -> None:
        """Read networks, addresses and names."""
        self._networks = []
        self._names = set()
        for host in private_hosts:
            try:
                self._networks.append(ip_network(host, strict=False))
            except ValueError:
                self._names.add(host.lower())

    def allows(self, host: str, address: str) -> bool:
        """Whether `address`, found for `host`, may be asked."""
        return self.names_private(host, address) or is_public(ip_address(address.partition("%")[0]))

    def names_private(self, host: str, address: str) -> bool:
        """Whether the settings name it, which frees it of the port list, too."""
        ip = ip_address(address.partition("%")[0])
        return host.lower() in self._names or any(
            ip.version == network.version and ip in network for network in self._networks
        )


def is_public(address: Address) -> bool:
    """Whether it is an ordinary address of the public internet, looked at through every disguise."""
    if isinstance(address, IPv6Address):
        inner = _inside(address)
        if inner is not None:
            return is_public(inner)
        return address in _GLOBAL_UNICAST and not any(address in network for network in _SPECIAL)
    ordinary = address.is_global and not address.is_multicast and not address.is_reserved
    return ordinary and not any(address in network for network in _SPECIAL)


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(address.packed[-4:]) if address in _NAT64 else None
