"""Just enough PNG: 8-bit indexed, RGB and RGBA pictures that are not interlaced, in and out."""

import struct
import zlib

_CHANNELS = {2: 3, 3: 1, 6: 4}


class Picture:
    """width, height, and either `palette` [(r, g, b)] with `index` bytes, or `palette` None with `rgb` / `rgba` rows."""

    def __init__(self, width, height, kind, palette, alpha, data):
        self.width = width
        self.height = height
        self.kind = kind
        self.palette = palette
        self.alpha = alpha
        self.data = data

    def indices(self, colors):
        """Every pixel as an index into `colors` [(r, g, b)], exactly; None where it is transparent."""
        number = {rgb: i for i, rgb in enumerate(colors)}
        if self.kind == 3:
            table = []
            for i, rgb in enumerate(self.palette):
                clear = i < len(self.alpha) and self.alpha[i] == 0
                table.append(None if clear else number.get(rgb, -1))
            return [table[i] for i in self.data]
        step = _CHANNELS[self.kind]
        out = []
        for at in range(0, len(self.data), step):
            pixel = self.data[at : at + step]
            out.append(None if step == 4 and pixel[3] == 0 else number.get(tuple(pixel[:3]), -1))
        return out


def _unfilter(raw, height, stride, step):
    out = bytearray()
    above = bytearray(stride)
    for row in range(height):
        at = row * (stride + 1)
        kind, line = raw[at], bytearray(raw[at + 1 : at + 1 + stride])
        if kind == 1:
            for i in range(step, stride):
                line[i] = (line[i] + line[i - step]) & 255
        elif kind == 2:
            for i in range(stride):
                line[i] = (line[i] + above[i]) & 255
        elif kind == 3:
            for i in range(stride):
                left = line[i - step] if i >= step else 0
                line[i] = (line[i] + (left + above[i]) // 2) & 255
        elif kind == 4:
            for i in range(stride):
                a = line[i - step] if i >= step else 0
                b = above[i]
                c = above[i - step] if i >= step else 0
                pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
                line[i] = (line[i] + (a if pa <= pb and pa <= pc else b if pb <= pc else c)) & 255
        else:
            assert kind == 0, f"PNG filter {kind}"
        out += line
        above = line
    return bytes(out)


def read(data):
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "not a PNG"
    at, chunks, idat = 8, {}, []
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(name + body), f"CRC of {name}"
        idat.append(body) if name == b"IDAT" else chunks.setdefault(name, body)
        at += 12 + size
    width, height, bits, kind, _, _, interlace = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert interlace == 0 and kind in _CHANNELS and (bits == 8 or kind == 3)
    raw = zlib.decompress(b"".join(idat))
    stride = (width * _CHANNELS[kind] * bits + 7) // 8
    pixels = _unfilter(raw, height, stride, _CHANNELS[kind])
    if bits < 8:
        pixels = _spread(pixels, width, height, stride, bits)
    plte = chunks.get(b"PLTE", b"")
    palette = [tuple(plte[i : i + 3]) for i in range(0, len(plte), 3)]
    return Picture(width, height, kind, palette, chunks.get(b"tRNS", b""), pixels)


def _spread(pixels, width, height, stride, bits):
    per = 8 // bits
    table = [bytes(b >> (8 - bits * (i + 1)) & ((1 << bits) - 1) for i in range(per)) for b in range(256)]
    rows = (pixels[y * stride : (y + 1) * stride] for y in range(height))
    return b"".join(b"".join(table[b] for b in row)[:width] for row in rows)


def write(width, height, palette, indices, clear=None):
    """An indexed picture. `clear`: the index that is transparent."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + indices[y * width : (y + 1) * width] for y in range(height))
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
    out += chunk(b"PLTE", b"".join(bytes(rgb) for rgb in palette))
    if clear is not None:
        out += chunk(b"tRNS", b"\xff" * clear + b"\0")
    return out + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
