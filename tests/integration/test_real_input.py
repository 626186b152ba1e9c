"""Real input: the load client paints the r/place of 2022 and replays half an hour of it; everything that holds the canvas is compared.

The pictures lie outside the project, in ../shared/data beside the checkout (TESSERA_DATA names another place). Where they are
not, made pictures of the same size and kind take their place, and the output says so.

    pytest-3 -s tests/integration/test_real_input.py                      all of it: 4.8 million draws
    TESSERA_REAL=part pytest-3 -s tests/integration/test_real_input.py    the first rows, as with programs that have sanitizers
"""

import json
import os
import random
import subprocess
from pathlib import Path

from tessera import png
from tessera.procs import ROOT, build_dir, clean_env, wait_until

SIDE = 2000
SLOW = b"__asan_init" in (build_dir() / "tessera-gateway").read_bytes()
FULL = os.environ.get("TESSERA_REAL", "part" if SLOW else "full") == "full"
DATA = Path(os.environ.get("TESSERA_DATA", ROOT.parent / "shared" / "data"))
NAMES = ["rplace2022-final.png", "rplace2022-hour74.png", "rplace2022-hour74-next30min.png"]
ROWS = SIDE if FULL else 300  # of the pictures that are drawn; the canvas has its full size in any case


def made_pictures(colors):
    """final, hour74 and next30min, made up: blocks of color, a second picture that differs in a third, a sparse change set."""
    rng = random.Random(2022)
    block = [rng.randrange(len(colors)) for _ in range(250 * 250)]
    final = bytearray()
    for y in range(ROWS):
        row = block[y // 8 * 250 : y // 8 * 250 + 250]
        final += bytes(rng.choice(row) if rng.random() < 0.1 else row[x // 8] for x in range(SIDE))
    other = bytearray(rng.randrange(len(colors)) if rng.random() < 0.3 else c for c in final)
    clear = len(colors)
    changes = bytearray(rng.randrange(len(colors)) if rng.random() < 0.06 else clear for _ in final)
    return [bytes(final), bytes(other), bytes(changes)]


def real_pictures(colors):
    clear, out = len(colors), []
    for name in NAMES:
        indices = png.read((DATA / name).read_bytes()).indices(colors)[: SIDE * ROWS]
        assert -1 not in indices, f"{name} has colors that the palette does not"
        out.append(bytes(clear if i is None else i for i in indices))
    return out


def write_pictures(workdir, colors):
    """Paths of the three pictures as files, and the picture that must be there at the end, as indices."""
    real = all((DATA / name).exists() for name in NAMES)
    print(f"pictures: {'r/place 2022, ' + str(DATA) if real else 'made up, as ' + str(DATA) + ' is not there'}; {SIDE} x {ROWS}")
    pictures = real_pictures(colors) if real else made_pictures(colors)
    clear, paths = len(colors), []
    for number, indices in enumerate(pictures):
        paths.append(workdir / f"picture-{number}.png")
        paths[-1].write_bytes(png.write(SIDE, ROWS, [*colors, (0, 0, 0)], indices, clear))
    _, other, changes = pictures
    return paths, bytes(a if b == clear else b for a, b in zip(other, changes))


def load(workdir, mode, gateways, *args):
    urls = ",".join(f"ws://{gateway.address}" for gateway in gateways)
    summary = workdir / f"{mode}.json"
    argv = [build_dir() / "tessera-load", mode, "--url", urls, "--json", summary, "--progress=false", *args]
    done = subprocess.run(argv, env=clean_env(), capture_output=True, text=True, timeout=1200)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    return json.loads(summary.read_text())


def test_a_picture_is_painted_and_half_an_hour_replayed(make_cluster, workdir):
    cluster = make_cluster(width=SIDE, height=SIDE, cooldown="0")
    colors = [tuple(bytes.fromhex(c["rgb"][1:])) for c in cluster.gateways[0].canvas()["palette"]]
    (final, other, changes), expected = write_pictures(workdir, colors)
    args = ["--connections", 240, "--window", 64]
    draws = 0
    for mode, picture in (("paint", final), ("paint", other), ("replay", changes)):
        summary = load(workdir, mode, cluster.gateways, "--image", picture, *map(str, args))
        print(f"{mode} {picture.name}: {summary['draws_per_s']:.0f} draws/s")
        assert summary["ok"] and summary["verdicts"]["placed"] > 0, summary
        draws += summary["verdicts"]["placed"]

    canvas = cluster.canvas()  # replays the streams, and compares them with pixels, last seqs and positions
    assert len(canvas.all_placements()) == draws
    expected = expected.ljust(SIDE * SIDE, b"\0")
    assert canvas.rows() == expected, "Redis"
    for gateway in cluster.gateways:
        wait_until(lambda: canvas.check_gateway(gateway) is None, 20, f"{gateway.proc.name} is equal to Redis")
        picture = png.read(gateway.get("/api/v1/canvas.png").body)
        assert bytes(picture.indices(colors)) == expected, f"canvas.png of {gateway.proc.name}"
    print(f"{draws} draws; Redis, streams, and tiles and canvas.png of {len(cluster.gateways)} gateways are the picture")
