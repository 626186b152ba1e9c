"""Who owns a tile (common/core/member.h, once more), and the sum over its pixels (common/core/mix.h)."""

EDGE = 64
MASK = (1 << 64) - 1


def mix_final(x):
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def weight(address, tx, ty):
    value = 0xCBF29CE484222325
    for byte in address.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK
    return mix_final(value ^ (tx << 16 | ty) * 0x9E3779B97F4A7C15 & MASK)


def checksum(px):
    return sum(mix_final(offset << 8 | color) for offset, color in enumerate(px) if color) & MASK


def read_view(client):
    """(number, [address …])"""
    stored = client.hgetall("{cluster}:members")
    addresses = [key[2:].decode() for key in stored if key.startswith(b"s:")]
    return int(stored.get(b"view", 0)), addresses


def owner_of(addresses, tx, ty):
    return max(addresses, key=lambda address: (weight(address, tx, ty), address), default=None)


def other_tile(addresses, address, mine):
    """A tile that the rendezvous hash gives to the address, or not."""
    return next((tx, ty) for tx in range(8) for ty in range(8) if (owner_of(addresses, tx, ty) == address) == mine)
